"""Run a Python program as an ordinary user of this machine, for real; started as root, as a program.

    python as_ordinary_user.py ARGUMENT...     as in: python ARGUMENT..., but with no power at all

The interpreter and the project may lie below folders that only root can enter. So a private view of the
file system is made first, in which these folders are empty but for what is needed; then the user id is
changed for good. Nothing outside of this process is touched.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from autograder.sandbox import linux

ORDINARY_USER = 54321
ROOT = Path(__file__).resolve().parent.parent.parent


def needed() -> list[Path]:
    """Return the folders of the interpreter and of the project."""
    return [Path(sys.base_prefix), Path(sys.prefix), Path(sys.executable).resolve().parent.parent, ROOT]


def make_reachable(needed: list[Path]) -> None:
    """Replace each folder that others can not enter by an empty one that holds the needed folders alone."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    closed = {folder for path in needed for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001}
    for folder in sorted(closed):
        if not folder.exists() or folder.stat().st_mode & 0o001:
            continue  # a folder further up has been replaced
        inside = [path for path in needed if folder in path.parents]
        holds = [(path, tempfile.mkdtemp(prefix="held-")) for path in inside]
        for path, hold in holds:
            linux.mount(str(path), hold, None, linux.MS_BIND | linux.MS_REC)
        linux.mount("tmpfs", str(folder), "tmpfs", 0, "mode=755")
        for path, hold in holds:
            path.mkdir(parents=True, exist_ok=True)
            linux.mount(hold, str(path), None, linux.MS_BIND | linux.MS_REC)
            linux.unmount(hold)
            Path(hold).rmdir()


def main() -> None:
    make_reachable(needed())
    with tempfile.TemporaryDirectory(prefix="ordinary-") as home:
        Path(home).chmod(0o711)
        os.chown(home, ORDINARY_USER, ORDINARY_USER)
        result = subprocess.run(
            [sys.executable, *sys.argv[1:]],
            env={"HOME": home, "TMPDIR": home, "PATH": os.environ["PATH"]},
            cwd=ROOT,
            user=ORDINARY_USER,
            group=ORDINARY_USER,
            extra_groups=[],
            check=False,
        )
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()

"""The package for Gradescope in a clean Debian, as the platform builds and starts it: root, and Docker's filter.

The root comes from debootstrap; nothing of this machine's Python is in it. Takes ten minutes and the network of the
package registries, so it runs where it is asked for: ``make test-gradescope``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT, autograder

ASKED = "AUTOGRADER_GRADESCOPE_ROOT"
pytestmark = [
    pytest.mark.skipif(ASKED not in os.environ, reason="takes ten minutes: make test-gradescope"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and chroot need root"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap is not installed"),
    pytest.mark.timeout(3600),
]
SUITE = "bookworm"
CERTIFICATES = Path(os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt")
OWN_CERTIFICATES = "/etc/ssl/registries.crt"
EXAMPLES = ("ada-reference", "farid-wrong-filters", "omar-patches-everything", "quin-colab-export")
WORDS = ("score", "output", "tests")


def example(name: str) -> Path:
    (file,) = (ROOT / "examples" / "submitted" / name / "autoencoders").iterdir()
    return file


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a root in which ``setup.sh`` has run."""
    folder = tmp_path_factory.mktemp("gradescope")
    root = Path(os.environ[ASKED] or folder / "root").absolute()
    if not (root / "autograder" / "venv").exists():
        mirror = _mirror()
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(root), *mirror], check=True, timeout=1200)
        _settings_of_the_network(root)
    for part in ("source", "submission", "results"):
        shutil.rmtree(root / "autograder" / part, ignore_errors=True)
        (root / "autograder" / part).mkdir(parents=True)
    package = folder / "package.zip"
    assert autograder("package", "gradescope", "--out", package, cache=folder / "cache").returncode == 0
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(package), str(root / "autograder/source")], check=True)
    # Python's zipfile, unlike the platform's unzip, does not keep modes.
    for script in ("setup.sh", "run_autograder"):
        (root / "autograder" / "source" / script).chmod(0o755)
    shutil.copy(root / "autograder" / "source" / "run_autograder", root / "autograder")
    done = inside(root, "/autograder/source/setup.sh", timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    yield root


def inside(root: Path, *command: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a command in the root as the platform would: in a container's filter and with a container's powers."""
    mounts = f"mount -t proc proc {root}/proc && mount --rbind /dev {root}/dev && mount -t tmpfs tmpfs {root}/dev/shm"
    filtered = [sys.executable, str(Path(__file__).with_name("docker_filter.py")), shutil.which("chroot"), str(root)]
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    kept.pop("PIP_FIND_LINKS", None)
    if CERTIFICATES.is_file():
        # Debian's own bundle takes the place of this machine's when its package is installed.
        kept["PIP_CERT"] = OWN_CERTIFICATES
    environment = kept | {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
    own_mounts = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    return subprocess.run(
        [*own_mounts, *filtered, *command],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def graded(root: Path, name: str, metadata: object) -> dict:
    place = root / "autograder"
    shutil.rmtree(place / "submission")
    (place / "submission").mkdir()
    shutil.copy(example(name), place / "submission")
    (place / "results" / "results.json").unlink(missing_ok=True)
    (place / "submission_metadata.json").write_text("" if metadata is None else json.dumps(metadata))
    done = inside(root, "/autograder/run_autograder")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict = json.loads((place / "results" / "results.json").read_text(encoding="utf-8"))
    return result


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """Return what the command line gives here for the same files."""
    folder = tmp_path_factory.mktemp("direct")
    files = []
    for name in EXAMPLES:
        files.append(folder / f"{name}{example(name).suffix}")
        shutil.copy(example(name), files[-1])
    arguments = ("--out", folder / "out", "--format", "gradescope", "--jobs", "2")
    assert autograder("grade", *files, *arguments, cache=folder / "cache").returncode == 0
    return {name: json.loads((folder / "out" / name / "results.json").read_text(encoding="utf-8")) for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_clean_image_gives_the_scores_and_messages_of_the_command_line(image, direct, name):
    metadata = None if name == EXAMPLES[0] else {"created_at": "2026-03-02T12:00:00-08:00", "assignment": {}}
    result = graded(image, name, metadata)
    assert {word: result[word] for word in WORDS} == {word: direct[name][word] for word in WORDS}
    assert result["extra_data"]["isolation"] == "landlock"


def _mirror() -> list[str]:
    """Return the archive that this machine's apt uses; debootstrap has its own idea where none is told."""
    wanted = ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"]
    told = subprocess.run(wanted, capture_output=True, text=True, check=False).stdout.split("\n")
    return [line.split()[0] for line in told if line.endswith(f" {SUITE}")][:1]


def _settings_of_the_network(root: Path) -> None:
    """Let the root reach the registries as this machine does."""
    for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf"):
        if Path(path).is_file():
            shutil.copy(path, root / path.lstrip("/"))
    if CERTIFICATES.is_file():
        (root / OWN_CERTIFICATES.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CERTIFICATES, root / OWN_CERTIFICATES.lstrip("/"))
    for folder in ("/etc/apt/apt.conf.d", "/etc/apt/keyrings"):
        shutil.copytree(folder, root / folder.lstrip("/"), dirs_exist_ok=True)

"""What of this machine's files a submission sees: the system, and Python with its packages."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_FOLDERS = (
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec",
    "/usr/share", "/usr/local/bin", "/usr/local/lib", "/usr/local/lib64",
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/localtime",
)  # fmt: skip
_PREFIX_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")


@dataclass(frozen=True)
class Place:
    """What of this machine's files a child sees, all of it read-only and at its own path.

    ``mount_point`` is an empty private folder on which each child mounts its root, in its own view only.
    ``links`` are symbolic links to make, as (path, target). ``hidden`` folders lie below visible ones
    and appear empty.
    """

    mount_point: Path
    visible: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()
    links: tuple[tuple[Path, str], ...] = ()


def survey(mount_point: Path, hidden: Iterable[Path] = ()) -> Place:
    """Find the folders that Python and its packages need on this machine.

    Of a prefix only the parts that hold programs and libraries are taken, so that a prefix which is also
    somebody's work folder shows nothing else. ``hidden`` names folders that must never be seen.
    """
    wanted = [Path(folder) for folder in _SYSTEM_FOLDERS]
    wanted += [prefix / part for prefix in _prefixes() for part in _PREFIX_PARTS]
    package = Path(__file__).resolve().parent
    wanted += [package, package.parent / "__init__.py"]
    links = [(path, str(path.readlink())) for path in wanted if path.is_symlink() and len(path.parts) == 2]
    linked = {path for path, _ in links}
    entries = {path: True for path in wanted if path.exists() and path not in linked}
    entries |= {path.resolve(): False for path in hidden}
    kept = _without_repetition(entries)
    return Place(
        mount_point=mount_point,
        visible=tuple(path for path, seen in kept.items() if seen),
        hidden=tuple(path for path, seen in kept.items() if not seen),
        links=tuple(links),
    )


def _prefixes() -> set[Path]:
    literal = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)}
    program = Path(sys.executable).resolve()
    return literal | {prefix.resolve() for prefix in literal} | {program.parent.parent}


def _without_repetition(entries: dict[Path, bool]) -> dict[Path, bool]:
    """Leave out what its nearest ancestor in the list shows (or hides) already; ancestors come first."""
    kept: dict[Path, bool] = {}
    for path in sorted(entries):
        above = next((kept[parent] for parent in path.parents if parent in kept), False)
        if entries[path] != above:
            kept[path] = entries[path]
    return kept

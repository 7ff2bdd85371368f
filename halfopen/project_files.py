"""The files of somebody's project, without what other people's programs put there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

# What shows that a folder is a project's outermost, the surest first.
_SIGNS = (".git", "buf.work.yaml", "buf.yaml")
# Hidden folders are skipped besides.
_NOT_THEIRS = frozenset({"node_modules", "venv", "site-packages", "__pycache__"})


def walk(folder: Path, most_folders: int | None = None) -> Iterator[Path]:
    """The files under a folder, in order; links to folders aren't followed.

    Args:
        folder: Where to start.
        most_folders: After so many folders it ends, however many there are; left out: it doesn't.
    """
    for place, folders, names in islice(os.walk(folder), most_folders):
        folders[:] = sorted(name for name in folders if name not in _NOT_THEIRS and not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names))


def project_of(path: Path) -> Path:
    """The project's folder that a file or folder is in, as a real path; without a sign of one, the current folder.

    A path that isn't in the current folder then is, or lies in, a project of its own.
    """
    real, here = path.resolve(), Path.cwd()
    for sign in _SIGNS:
        found = next((folder for folder in (real, *real.parents) if (folder / sign).exists()), None)
        if found is not None:
            return found
    if real.is_relative_to(here):
        return here
    return real if real.is_dir() else real.parent

"""Whether a path stays inside the folders that a caller gave."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath


class Outside(ValueError):  # noqa: N818 - it says what the path is, and becomes a Problem
    """The path can't be used; its text says why."""


def inside(path: str, folders: Sequence[Path]) -> Path:
    """That path as a real one, links resolved; what it names need not exist yet.

    Args:
        path: Relative to the first folder, or absolute.
        folders: Where it may lead to, as real paths.

    Raises:
        Outside: it is empty, climbs with `..`, or leads outside every folder, be it through a link.
    """
    if not path or "\0" in path:
        raise Outside("is no path.")
    if ".." in PurePath(path).parts:
        raise Outside(f"{path!r} climbs with '..': write the path without it.")
    real = Path(os.path.realpath(folders[0] / path))
    if any(real.is_relative_to(folder) for folder in folders):
        return real
    allowed = ", ".join(str(folder) for folder in folders)
    raise Outside(f"{path!r} leads to {real}, outside the allowed folders: {allowed}.")

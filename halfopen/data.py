"""Where the data that is shipped with the code lies: the one place that knows.

A wheel carries it inside the package, in `_data/`. A checkout, which an editable install points at,
keeps it beside the package.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FOLDERS = ("knowledge", "prompts")


@cache
def root() -> Traversable:
    """What holds the folders of shipped data, `prompts` and `knowledge`.

    Raises:
        FileNotFoundError: neither place holds them, so the installation is broken.
    """
    package = files("halfopen")
    for place in (package.joinpath("_data"), Path(str(package)).parent):
        if all(place.joinpath(name).is_dir() for name in FOLDERS):
            return place
    raise FileNotFoundError("halfopen's own data is missing; install halfopen again")


def read_text(path: str) -> str:
    """The text of one shipped file, such as `knowledge/rules/SAG01.md`.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return root().joinpath(*path.split("/")).read_text(encoding="utf-8")

"""What a library does where nothing is said: `library_defaults.toml`, which names its sources."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


def defaults(library: str, part: str) -> dict[str, object]:
    """The settings of that part that hold unless something else is said.

    Raises:
        KeyError: nothing is kept of that part.
    """
    return dict(_kept()[library][part])


@cache
def _kept() -> dict[str, dict[str, dict[str, object]]]:
    return tomllib.loads(files(__package__).joinpath("library_defaults.toml").read_text("utf-8"))

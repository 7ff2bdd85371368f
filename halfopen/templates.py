"""Jinja2 as the house uses it: loops and substitution, and an undefined name is an error."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+|[0-9]+")


@cache
def environment(package: str) -> Environment:
    """The templates of that package's `templates/` folder."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - only rendering pays for it

    found = Environment(
        loader=PackageLoader(package, "templates"),
        undefined=StrictUndefined,
        # What is rendered is code and Markdown, not HTML.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(snake=snake, pascal=pascal, kebab=kebab)
    return found


def words(name: str) -> list[str]:
    """The words of a name in any case: `reserve-stock`, `ReserveStock` and `reserve_stock` have the same two."""
    return [word.lower() for word in _WORD.findall(name)]


def snake(name: str) -> str:
    """reserve_stock."""
    return "_".join(words(name))


def kebab(name: str) -> str:
    """reserve-stock."""
    return "-".join(words(name))


def pascal(name: str) -> str:
    """ReserveStock."""
    return "".join(word.capitalize() for word in words(name))

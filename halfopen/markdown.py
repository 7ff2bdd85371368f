"""Markdown as pages need it: tables whose cells can't break them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A Markdown table. Cells are escaped here, so that a template only joins them."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cell(text: object) -> str:
    """The text on one line, with no bar that would end the cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of these cells."""
    return Table(tuple(head), tuple(tuple(cell(each) for each in row) for row in rows))


def optional_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> tuple[Table, ...]:
    """The table, or nothing if it had no rows: a template loops over it."""
    found = table(head, rows)
    return (found,) if found.rows else ()

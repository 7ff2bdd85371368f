"""The table of specs: each with what is broken in it, as spin and PROTOCOL.md say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from halfopen.registry import Options
from halfopen.source import Source, read_source, validate
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import SagaSpec

SPECS = Path(__file__).parents[1] / "specs"


@dataclass(frozen=True)
class Row:
    """One spec and its expected verdicts: the number of each broken property with the reason."""

    name: str
    broken: Mapping[int, str]
    surprise: str | None

    @property
    def path(self) -> Path:
        """Where the spec lies."""
        return SPECS / f"{self.name}.saga.yaml"


@cache
def table() -> Mapping[str, Row]:
    """All rows by name."""
    data = YAML(typ="safe", pure=True).load((SPECS / "verdicts.yaml").read_text())
    rows = (
        Row(name, {key: why for key, why in said.items() if isinstance(key, int)}, said.get("surprise"))
        for name, said in data.items()
    )
    return {row.name: row for row in rows}


@cache
def source(name: str) -> Source:
    """The row's spec as read."""
    return read_source(table()[name].path)


@cache
def designed(name: str) -> SagaDesign:
    """The row's spec, with everything decided."""
    return design(validate(SagaSpec, source(name)), source(name), Options())

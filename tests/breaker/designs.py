"""Designed policies for tests, from the text or the data of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from halfopen.source import Source, parse_source, validate
from halfopen_generators.breaker.design import design
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.plan import Policy
from halfopen_generators.breaker.spec import BreakerSpec

ROOT = Path(__file__).parents[2]


def source(data: dict[str, Any] | str, folder: Path | None = None) -> Source:
    """The spec as a source; an architecture file that it names lies in that folder."""
    found = parse_source(data, "payment.breaker.yaml") if isinstance(data, str) else Source(data)
    return Source(found.data, found.file, lines=found.lines, folders=(folder.resolve(),) if folder else ())


def designed(data: dict[str, Any] | str, folder: Path | None = None) -> Policy:
    """The policy of a spec."""
    found = source(data, folder)
    return design(validate(BreakerSpec, found), found, BreakerOptions())

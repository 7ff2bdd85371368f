"""Durations as a spec writes them: `200ms`, `2s`, `5m`, `1h`, held as seconds."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_DURATION = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)$")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# What every engine can wait: at least a millisecond, at most a year.
_SHORTEST, _LONGEST = 0.001, 365 * 24 * 3600.0


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.match(value.strip())
        if match is None:
            raise ValueError("a duration is a number and a unit, such as 200ms, 2s, 5m or 1h")
        # In decimals, so that 43ms is the same number as 0.043s.
        value = float(Decimal(match[1]) * Decimal(repr(_SECONDS[match[2]])))
        if not _SHORTEST <= value <= _LONGEST:
            raise ValueError("a duration is at least 1ms and at most 8760h, a year")
        return value
    raise ValueError("a duration is written with its unit, such as 200ms, 2s, 5m or 1h")


Duration = Annotated[
    float,
    BeforeValidator(_seconds, json_schema_input_type=str),
    Field(description="200ms, 2s, 5m, 1h."),
]


def spell_duration(seconds: float) -> str:
    """The seconds as a spec writes them, such as 200ms, 2s or 1h: a legal duration reads back as the same number."""
    for unit, size in _SECONDS.items():
        number = round(seconds / size)
        # In decimals, as it is read.
        if number > 0 and float(number * Decimal(repr(size))) == seconds:
            return f"{number}{unit}"
    return f"{Decimal(repr(seconds)):f}s"

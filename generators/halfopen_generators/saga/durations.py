"""Durations as a spec writes them."""

from __future__ import annotations

from decimal import Decimal

from pydantic import TypeAdapter

from halfopen_generators.saga.spec import Duration

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_read = TypeAdapter(Duration).validate_python


def spell_duration(seconds: float) -> str:
    """The seconds as a spec writes them, such as 200ms, 2s or 1h: it reads back as the same number."""
    for unit, size in _UNITS.items():
        text = f"{round(seconds / size)}{unit}"
        if round(seconds / size) > 0 and _read(text) == seconds:
            return text
    return f"{Decimal(repr(seconds)):f}s"

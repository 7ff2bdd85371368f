"""Shares and rates as a spec writes them: `0.2%` is held as 0.002, `200/s` as calls a second."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_SHARE = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*%$")
_RATE = re.compile(r"^([0-9]+(?:\.[0-9]+)?)\s*/\s*(s|m|min|h|d)$")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_LEAST_A_SECOND, _MOST_A_SECOND = 1e-8, 10_000_000


def _share(value: Any) -> Any:
    match = _SHARE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a share is written in percent, such as 0.2% or 50%")
    share = Decimal(match[1]) / 100
    if share > 1:
        raise ValueError("a share is at most 100%")
    return float(share)


def _rate(value: Any) -> Any:
    match = _RATE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a rate is a number and what it is counted in, such as 200/s, 30/min or 10/h")
    rate = float(match[1]) / _SECONDS[match[2]]
    if rate == 0:
        raise ValueError("a rate is more than nothing: where nothing is called, nothing can be designed")
    if not _LEAST_A_SECOND <= rate <= _MOST_A_SECOND:
        raise ValueError(f"a rate is at least 0.001/d and at most {_MOST_A_SECOND}/s")
    return rate


Share = Annotated[
    float,
    BeforeValidator(_share, json_schema_input_type=str),
    Field(description="0.2%, 50%."),
]
Rate = Annotated[
    float,
    BeforeValidator(_rate, json_schema_input_type=str),
    Field(description="200/s, 30/min, 10/h."),
]


def spell_share(share: float) -> str:
    """The share as a spec writes it, such as 0.2%: it reads back as the same number."""
    return f"{(Decimal(repr(share)) * 100).normalize():f}%"


def spell_rate(rate: float) -> str:
    """The rate as a spec writes it, such as 200/s, or 30/min where a second has less than one; four digits at most."""
    unit = "s" if rate >= 1 else "min" if rate * _SECONDS["min"] >= 1 else "h"
    return f"{Decimal(f'{rate * _SECONDS[unit]:.4g}').normalize():f}/{unit}"

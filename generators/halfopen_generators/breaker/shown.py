"""Figures as pages show them: rounded to what a reader takes in, where a spec would have to be exact."""

from __future__ import annotations

from halfopen.durations import spell_duration

_MILLIS, _MICROS = 3, 6


def time(seconds: float) -> str:
    """The seconds in whole milliseconds, or in microseconds where there would be none."""
    return spell_duration(round(seconds, _MILLIS) or round(seconds, _MICROS))

"""How many failures are enough: the ratio compared as each library compares it, found once for each number of calls."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from halfopen_generators.breaker.automaton import Settings


def _float32(value: float) -> float:
    """The nearest value that four bytes hold, as a double."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _reaches(settings: Settings, ratio: float, failed: int, total: int) -> bool:
    """Whether so many of so many calls are enough."""
    if settings.window == "consecutive":
        return failed >= settings.size
    share, bar = failed / total if total else math.inf, ratio
    match settings.arithmetic:
        case "product":
            share, bar = failed, ratio * total
        # Somebody writes these numbers by hand: 7 percent is 7, though 0.07 x 100 is more in binary.
        case "of_size":
            share, bar = failed, math.ceil(round(ratio * settings.size, 9))
        case "percent":
            share, bar = share * 100, round(ratio * 100, 9)
        case "percent32":
            share, bar = _float32(share * 100), _float32(round(ratio * 100, 9))
        case "hundredths":
            # As Go rounds: halves go up.
            share = math.floor(share * 100 + 0.5) / 100
        case _:
            pass
    return share > bar if settings.strict else share >= bar


class Needed(dict[int, int]):
    """The least failures that are enough, by the number of calls: found once, since comparing ratios costs more."""

    def __init__(self, settings: Settings, ratio: float) -> None:
        self._settings = settings
        self._ratio = ratio

    def __missing__(self, total: int) -> int:
        failed = max(1, int(self._ratio * total) - 2)
        while not _reaches(self._settings, self._ratio, failed, total):
            failed += 1
        self[total] = failed
        return failed


@cache
def needed(settings: Settings, ratio: float) -> Needed:
    """One table for all breakers of the same settings, of which a simulation makes hundreds."""
    return Needed(settings, ratio)

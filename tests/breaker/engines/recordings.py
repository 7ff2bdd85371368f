"""Recordings of calls: made at random from a seed, and by hand where something hinges on one moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from halfopen_generators.breaker.automaton import Settings


@dataclass(frozen=True)
class Call:
    """A call: when it is asked for, how long it runs if it is let through, and what becomes of it."""

    at: float
    takes: float
    fails: bool


@dataclass(frozen=True)
class Recording:
    settings: Settings
    calls: tuple[Call, ...]


def _pause(dice: random.Random, settings: Settings, grid: int) -> int:
    """Milliseconds until the next call: mostly short, at times as long as something of the settings."""
    long = dice.choice([settings.open_for, settings.size if settings.window in {"time", "fixed"} else 1.0])
    pick = dice.random()
    if pick < 0.75:
        return grid * dice.randrange(4)
    if pick < 0.9:
        return grid * dice.randrange(20)
    return round(long * 1000 * dice.choice([1, 1, 0.5, 0.1, 1.5])) + dice.choice([0, 0, 1, -1])


def at_random(dice: random.Random, settings: Settings, many: int = 60) -> Recording:
    """Calls that overlap, in spells of good and bad luck, many of them at the very moment where something ends."""
    grid = dice.choice([1, 10, 100, 125, 500, 1000])
    longest = dice.choice([1, 4, 30])
    now, calls, luck = 0, [], 0.5
    for _ in range(many):
        if dice.random() < 0.15:
            luck = dice.choice([0.0, 0.3, 0.5, 0.8, 1.0])
        now = max(0, now + _pause(dice, settings, grid))
        takes = max(1, grid * dice.randrange(1, longest + 1) + dice.choice([0, 0, 0, -1]))
        if dice.random() < 0.1:
            takes = round(dice.choice([settings.open_for, settings.slow_after or 1.0]) * 1000) + dice.choice([0, 1, -1])
        calls.append(Call(now / 1000, max(1, takes) / 1000, dice.random() < luck))
    return Recording(settings, tuple(calls))


def many_at_random(seed: int, wish: Callable[[random.Random], Settings], many: int) -> list[Recording]:
    """Recordings that are the same whenever the seed is."""
    dice = random.Random(seed)  # noqa: S311 -- nobody is to be kept from guessing
    return [at_random(dice, wish(dice)) for _ in range(many)]


def wish(dice: random.Random, *windows: str, ratios: tuple[float, ...] = (0.1, 0.3, 0.5, 0.66, 0.9)) -> Settings:
    """Settings as somebody might ask for them, in one of these windows, small enough that things happen."""
    window = dice.choice(windows)
    size: float = dice.choice([1, 2, 3, 5, 10])
    if window in {"time", "fixed"}:
        size = dice.choice([1.0, 2.0, 5.0, 10.0])
    slow = dice.random() < 0.5
    return Settings(
        window=window,  # type: ignore[arg-type]
        size=size,
        minimum_calls=dice.choice([1, 2, 3, 5, 8]) if window != "count" else dice.randrange(1, int(size) + 1),
        failure_ratio=dice.choice(ratios),
        open_for=dice.choice([0.5, 1.0, 1.125, 5.0]),
        probes=dice.choice([1, 2, 3]),
        slow_ratio=dice.choice([0.25, 0.5, 1.0]) if slow else None,
        slow_after=dice.choice([0.1, 0.5, 1.0]) if slow else None,
    )

"""Recordings of calls: made at random from a seed, and by hand where something hinges on one moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
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
        size = dice.choice([1.0, 2.0, 5.0, 7.0, 10.0])
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


def of(settings: Settings, *calls: tuple[float, float, bool]) -> Recording:
    """A recording by hand: when, how long, and whether it fails."""
    return Recording(settings, tuple(Call(round(at, 3), round(takes, 3), fails) for at, takes, fails in sorted(calls)))


# Opens what four calls of which half fail open, at 0.35.
_OPENS = tuple((n / 10, 0.05, True) for n in range(4))
_MS = 0.001
_BAD, _GOOD = True, False


def _late(settings: Settings) -> Iterator[Recording]:
    """Answers to calls from before it opened, and to former probes, in every state that they can meet."""
    probes = tuple((1.4, 0.5, _GOOD) for _ in range(settings.probes))
    then = tuple((6.0 + n / 10, 0.05, _BAD) for n in range(3))
    for fails in (_BAD, _GOOD):
        for ends in (0.9, 1.35, 1.36, 1.6, 2.5):
            yield of(settings, (0.0, ends, fails), *_OPENS, *probes, (2.6, 0.1, _BAD), (2.8, 0.1, _GOOD), *then)
        yield of(settings, (0.0, 1.6, fails), (0.01, 1.61, fails), *_OPENS, *probes, *probes, (1.7, 0.1, _GOOD), *then)
        # One failure of four is too little, unless an old one is counted with it.
        few = (*((2.6 + n / 10, 0.05, _GOOD) for n in range(3)), (2.9, 0.05, _BAD), (3.2, 0.1, _GOOD))
        yield of(settings, (0.0, 2.5, fails), *_OPENS, *probes, *few)
        # The first probe fails, and the other outlives it into the open state, the next half-open one and a closed one.
        for ends in (2.0, 2.8, 4.5):
            again = ((2.6, 0.1, _GOOD), (2.6, 0.4, _GOOD), (2.6, 0.5, _GOOD), (3.9, 0.1, _GOOD), *then)
            yield of(settings, *_OPENS, (1.4, 0.1, _BAD), (1.4, ends - 1.4, fails), *again)
            yield of(settings, *_OPENS, (1.4, 0.1, _GOOD), (1.4, ends - 1.4, fails), *again)


def _half_open(settings: Settings) -> Iterator[Recording]:
    """The end of the open state to the millisecond, and probes one by one, at once, and too many."""
    edges = tuple((1.35 + step * _MS, 0.2, _GOOD) for step in (-1, 0, 1, 2))
    yield of(settings, *_OPENS, *edges)
    yield of(settings, *_OPENS, *(edge for edge in edges if edge[0] != edges[1][0]))
    for fails in (_BAD, _GOOD):
        crowd = tuple((1.4, 0.1 + n / 10, _GOOD) for n in range(5))
        yield of(settings, *_OPENS, *crowd, (1.55, 0.1, fails), (1.65, 0.1, _GOOD), (2.2, 0.1, fails))
        row = tuple((1.4 + n / 10, 0.1, fails and n == 1) for n in range(6))
        yield of(settings, *_OPENS, *row, *((2.4 + step * _MS, 0.1, _GOOD) for step in (-1, 0, 1)))
        slow = tuple((1.4 + n / 10, 0.25 + n * _MS, _GOOD) for n in range(6))
        yield of(settings, *_OPENS, *slow, (2.2, 0.1, fails))
        # Opens twice: the second time by the first probe, and the next probe closes it or not.
        yield of(
            settings,
            *_OPENS,
            (1.4, 0.1, _BAD),
            (2.5, 0.1, fails),
            (2.501, 0.1, fails),
            (2.7, 0.1, fails),
            (3.8, 1, fails),
        )
    # What it remembers of the time before, once it is closed again.
    closes = tuple((1.4 + n / 10, 0.05, _GOOD) for n in range(4))
    for bad in range(1, 5):
        yield of(settings, *_OPENS, *closes, *((2.0 + n / 10, 0.05, _BAD) for n in range(bad)), (2.7, 0.1, _GOOD))


def _threshold(settings: Settings) -> Iterator[Recording]:
    """As many calls, failures and slow calls as are wanted, one more and one less, in every order that matters."""
    for pattern in range(32):
        calls = tuple((n / 10, 0.05, bool(pattern >> n & 1)) for n in range(5))
        yield of(settings, *calls, (1.0, 0.1, _GOOD))
        slow = tuple((n / 10, 0.25 + (pattern >> n & 1) * _MS, n == 0) for n in range(5))
        yield of(settings, *slow, (1.0, 0.1, _GOOD))


def _edges(settings: Settings) -> Iterator[Recording]:
    """Failures that are about to leave the window, or the interval, when the last one comes."""
    for size in (2.0, 1.8, 2.2, 4.0):
        for step in (-2, -1, 0, 1, 2):
            last = 0.05 + size + step * _MS
            for first in (0.0, 0.15, 0.95):
                early = tuple((first + n * _MS, 0.05, _BAD) for n in range(3))
                yield of(settings, *early, (first + last - 0.05, 0.05, _BAD), (first + last + 0.2, 0.05, _GOOD))
            yield of(
                settings, (0.0, last, _BAD), (0.01, last, _BAD), (0.02, last, _BAD), (last, 0.2, _BAD), (5.0, 1, _GOOD)
            )
    # Nobody calls for a long time.
    rest = ((60.0, 0.1, _BAD), (60.5, 0.1, _GOOD), (61.0, 0.1, _BAD), (120.0, 0.1, _GOOD))
    yield of(settings, *((n / 10, 0.05, _BAD) for n in range(3)), *rest)
    yield of(settings, *_OPENS, *rest)


def by_hand(window: str, *, slow: bool) -> list[Recording]:
    """The recordings in which something hinges on one moment or one call."""
    found: list[Recording] = []
    for probes in (1, 2, 3):
        for slow_ratio in (None, 0.5) if slow else (None,):
            settings = Settings(
                window=window,  # type: ignore[arg-type]
                size=2.0 if window in {"time", "fixed"} else 4,
                minimum_calls=4,
                failure_ratio=0.5,
                open_for=1.0,
                probes=probes,
                slow_ratio=slow_ratio,
                slow_after=None if slow_ratio is None else 0.25,
            )
            found += [*_late(settings), *_half_open(settings), *_threshold(settings), *_edges(settings)]
    return found


def at_ratios(window: str) -> list[Recording]:
    """Many ratios, met exactly and missed by one call: where it matters how a library divides."""
    found = []
    for total, step in ((100, 1), (3, 10), (200, 10)):
        # The last is a little more than a third, but not with 32 bits.
        for ratio in (*(percent / 100 for percent in range(step, 100, step)), 0.333333335):
            settings = Settings(
                window=window,  # type: ignore[arg-type]
                size=10.0 if window == "time" else total,
                minimum_calls=total,
                failure_ratio=ratio,
                open_for=1.0,
                probes=1,
            )
            near = int(total * ratio)
            for failed in {max(1, near - 1), max(1, near), near + 1}:
                calls = ((n * _MS, _MS, n >= total - failed) for n in range(total))
                found.append(of(settings, *calls, (1.0, 0.1, _GOOD)))
    return found


def at_minima() -> list[Recording]:
    """Many minimum numbers of calls in many windows of time, met exactly, and exceeded by one."""
    found = []
    for size in (1.0, 3.0, 7.0, 10.0):
        for minimum in range(2, 50):
            settings = Settings("time", size, minimum_calls=minimum, failure_ratio=0.5, open_for=1.0, probes=1)
            found.append(of(settings, *((n * _MS, _MS, _BAD) for n in range(minimum + 1)), (0.5, 0.1, _GOOD)))
    return found

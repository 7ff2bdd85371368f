"""Replays recordings: on the automaton here, and on the libraries by the drivers beside this file."""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from halfopen_generators.breaker.automaton import Breaker, Settings, State
from tests.breaker.engines.recordings import Recording

# When recordings begin, in seconds since 1970: a quarter of a second past 2000 began, so that nothing that follows the
# clock begins when they do. Go's fake clock stands at 2000.
BASE = 946_684_800.25
BASE_GO = 946_684_800


@dataclass(frozen=True)
class Replayed:
    """When each call was let through (None: it was refused), and each change of state. Milliseconds."""

    started: tuple[int | None, ...]
    changes: tuple[tuple[int, State], ...]


def milliseconds(settings: Settings) -> Settings:
    """The same in whole milliseconds, so that no moment of a recording is missed by a rounding error."""

    def exact(seconds: float) -> float:
        if math.isinf(seconds):
            return seconds
        whole = round(seconds * 1000)
        assert math.isclose(whole, seconds * 1000), f"{seconds} s is no whole number of milliseconds"
        return whole

    return replace(
        settings,
        size=exact(settings.size) if settings.window in {"time", "fixed"} else settings.size,
        bucket=None if settings.bucket is None else exact(settings.bucket),
        open_for=exact(settings.open_for),
        slow_after=None if settings.slow_after is None else exact(settings.slow_after),
    )


def on_automaton(
    settings: Settings, recording: Recording, base: float = BASE, *, early: int = 0, start_early: int = 0
) -> Replayed:
    """What our own machine does, told the settings that a library amounts to. Ends come before beginnings.

    `early` and `start_early` are mutations: so many milliseconds are missing on the clock, or when it was made.
    """
    changes: list[tuple[int, State]] = []
    begin = round(base * 1000) - early
    breaker = Breaker(
        milliseconds(settings),
        start=begin - start_early,
        on_change=lambda at, state: changes.append((round(at) - begin, state)),
    )
    started: list[int | None] = [None] * len(recording.calls)
    events = [(begin + round(call.at * 1000), 1, index, 0) for index, call in enumerate(recording.calls)]
    heapq.heapify(events)
    held: list[int] = []

    def ask(now: int, index: int) -> None:
        if ticket := breaker.admits(now):
            started[index] = now - begin
            heapq.heappush(events, (now + round(recording.calls[index].takes * 1000), 0, index, ticket))
        elif breaker.holds:
            held.append(index)

    while events:
        now, begins, index, ticket = heapq.heappop(events)
        if begins:
            ask(now, index)
        else:
            call = recording.calls[index]
            breaker.done(ticket, now, round(call.takes * 1000), failed=call.fails)
        if held and not breaker.holds:
            waiting, held[:] = held[:], []
            for other in waiting:
                ask(now, other)
    return Replayed(tuple(started), tuple(changes))


def told(recordings: Sequence[Recording], base: float = BASE) -> str:
    """The recordings as the drivers read them."""
    return json.dumps({"base": base, "recordings": [asdict(recording) for recording in recordings]})


def heard(answers: str) -> list[Replayed]:
    """What a driver printed."""

    def at(seconds: float) -> int:
        return round(seconds * 1000)

    return [
        Replayed(
            tuple(at(call["at"]) if call["admitted"] else None for call in answer["calls"]),
            tuple((at(change["at"]), change["to"]) for change in answer["changes"]),
        )
        for answer in json.loads(answers)
    ]

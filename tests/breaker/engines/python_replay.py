"""Replays recordings on pybreaker or purgatory, whose clocks are read from a variable: python_replay.py NAME."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime, tzinfo
from typing import Any
from unittest.mock import patch

now = 0.0


class Clock(datetime):
    """`datetime`, of which only the present is another."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(now, tz)


class ItFailed(Exception):  # noqa: N818 -- it is no error of ours
    pass


Guard = Callable[[], AbstractContextManager[Any]]


def a_pybreaker(asked: dict[str, Any], changed: Callable[[str], None]) -> tuple[Guard, type[Exception]]:
    """Calls overlap with `calling()`; `call` would run them one after another."""
    import pybreaker

    class Listener(pybreaker.CircuitBreakerListener):
        def state_change(self, _breaker: object, _old: object, new: Any) -> None:
            changed(new.name)

    breaker = pybreaker.CircuitBreaker(
        fail_max=asked["size"],
        reset_timeout=asked["open_for"],
        success_threshold=asked["probes"],
        listeners=[Listener()],
        throw_new_error_on_trip=False,
    )
    return breaker.calling, pybreaker.CircuitBreakerError


def a_purgatory(asked: dict[str, Any], changed: Callable[[str], None]) -> tuple[Guard, type[Exception]]:
    """Its events come when a call ends, so the state is looked at instead."""
    from purgatory import SyncCircuitBreakerFactory
    from purgatory.domain.model import Context, OpenedState, State

    factory = SyncCircuitBreakerFactory(default_threshold=asked["size"], default_ttl=asked["open_for"])
    breaker = factory.get_breaker("it")

    class Watched(Context):
        def set_state(self, state: State) -> None:
            super().set_state(state)
            changed(state.name)

    breaker.context.__class__ = Watched
    return lambda: breaker, OpenedState


def replay(library: Callable[..., tuple[Guard, type[Exception]]], recording: dict[str, Any], base: float) -> Any:
    global now  # noqa: PLW0603 -- it is the clock
    now = base
    changes: list[dict[str, Any]] = []

    def changed(to: str) -> None:
        state = {"opened": "open", "half-opened": "half_open", "half-open": "half_open"}.get(to, to)
        changes.append({"at": now - base, "to": state})

    guard, refusal = library(recording["settings"], changed)
    calls = recording["calls"]
    outcomes: list[dict[str, Any]] = [{"admitted": False, "at": None} for _ in calls]
    # Ends come before beginnings of the same moment, and the earlier call's first.
    events: list[tuple[float, int, int]] = [(call["at"], 1, index) for index, call in enumerate(calls)]
    heapq.heapify(events)
    running: dict[int, AbstractContextManager[Any]] = {}
    while events:
        at, begins, index = heapq.heappop(events)
        # datetime keeps microseconds, and so do recordings.
        now = round(base + at, 6)
        call = calls[index]
        if begins:
            context = guard()
            try:
                context.__enter__()
            except refusal:
                continue
            running[index] = context
            outcomes[index] = {"admitted": True, "at": at}
            heapq.heappush(events, (round(at + call["takes"], 6), 0, index))
        elif call["fails"]:
            with suppress(ItFailed):
                running.pop(index).__exit__(ItFailed, ItFailed(), None)
        else:
            running.pop(index).__exit__(None, None, None)
    return {"calls": outcomes, "changes": changes}


def main() -> None:
    library = {"pybreaker": a_pybreaker, "purgatory": a_purgatory}[sys.argv[1]]
    asked = json.load(sys.stdin)
    with (
        patch("pybreaker.datetime", Clock),
        patch("purgatory.domain.model.time.time", lambda: now),
    ):
        told = [replay(library, recording, asked["base"]) for recording in asked["recordings"]]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()

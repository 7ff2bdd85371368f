"""Polly's circuit breaker, written down a second time: there is no .NET to run the real one.

Names and the order of things are those of Polly.Core 8.7.0 (CircuitStateController.cs, AdvancedCircuitBehavior.cs,
RollingHealthMetrics.cs), so that the two can be read side by side. Times are milliseconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from halfopen_generators.breaker.automaton import Settings, State
from tests.breaker.engines.recordings import Recording
from tests.breaker.engines.replay import Replayed, milliseconds

NUMBER_OF_WINDOWS = 10


class HealthWindow:
    def __init__(self, started_at: float) -> None:
        self.successes = 0
        self.failures = 0
        self.started_at = started_at


class RollingHealthMetrics:
    def __init__(self, sampling_duration: float) -> None:
        self.sampling_duration = sampling_duration
        self.window_duration = sampling_duration / NUMBER_OF_WINDOWS
        self.reset()

    def reset(self) -> None:
        self.successes = self.failures = 0
        self.current_window: HealthWindow | None = None
        self.windows: deque[HealthWindow] = deque()

    def increment_success(self, now: float) -> None:
        self.successes += 1
        self.update_current_window(now).successes += 1

    def increment_failure(self, now: float) -> None:
        self.failures += 1
        self.update_current_window(now).failures += 1

    def update_current_window(self, now: float) -> HealthWindow:
        if self.current_window is None or now - self.current_window.started_at >= self.window_duration:
            self.current_window = HealthWindow(now)
            self.windows.append(self.current_window)
        while now - self.windows[0].started_at >= self.sampling_duration:
            window = self.windows.popleft()
            self.successes -= window.successes
            self.failures -= window.failures
        return self.current_window


class CircuitStateController:
    def __init__(self, asked: Settings, on_change: Callable[[float, State], None]) -> None:
        """`asked` in milliseconds; MinimumThroughput can't be told to be less than 2."""
        self.asked = replace(asked, minimum_calls=max(2, asked.minimum_calls))
        self.on_change = on_change
        self.metrics = RollingHealthMetrics(asked.size)
        self.circuit_state: State = "closed"
        self.blocked_until = 0.0

    def on_action_pre_execute(self, now: float) -> bool:
        if self.circuit_state == "open" and now >= self.blocked_until:
            self.circuit_state = "half_open"
            self.on_change(now, "half_open")
            return True
        return self.circuit_state == "closed"

    def on_unhandled_outcome(self, now: float) -> None:
        self.metrics.increment_success(now)
        if self.circuit_state == "half_open":
            self.circuit_state = "closed"
            self.metrics.reset()
            self.on_change(now, "closed")

    def on_handled_outcome(self, now: float) -> None:
        should_break = False
        if self.circuit_state == "closed":
            self.metrics.increment_failure(now)
            self.metrics.update_current_window(now)
            throughput = self.metrics.successes + self.metrics.failures
            failure_rate = self.metrics.failures / throughput if throughput else 0
            should_break = throughput >= self.asked.minimum_calls and failure_rate >= self.asked.failure_ratio
        elif self.circuit_state == "open":
            self.metrics.increment_failure(now)
        if self.circuit_state == "half_open" or (self.circuit_state == "closed" and should_break):
            self.blocked_until = now + self.asked.open_for
            self.circuit_state = "open"
            self.on_change(now, "open")


def replay(recording: Recording, base: float) -> Replayed:
    """What it does, as the drivers of the others tell it."""
    begin = round(base * 1000)
    changes: list[tuple[int, State]] = []
    controller = CircuitStateController(
        milliseconds(recording.settings), lambda at, state: changes.append((round(at) - begin, state))
    )
    started: list[int | None] = [None] * len(recording.calls)
    events = [(begin + round(call.at * 1000), 1, index) for index, call in enumerate(recording.calls)]
    heapq.heapify(events)
    while events:
        now, begins, index = heapq.heappop(events)
        call = recording.calls[index]
        if begins:
            if controller.on_action_pre_execute(now):
                started[index] = now - begin
                heapq.heappush(events, (now + round(call.takes * 1000), 0, index))
        elif call.fails:
            controller.on_handled_outcome(now)
        else:
            controller.on_unhandled_outcome(now)
    return Replayed(tuple(started), tuple(changes))

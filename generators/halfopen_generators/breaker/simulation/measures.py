"""What is measured of one run: each call as its user sees it, and each opening of a breaker."""

from __future__ import annotations

import math
from dataclasses import dataclass

from halfopen_generators.breaker.automaton import OPEN, State

# An answer that many calls wait for is judged in steps of so many calls, or of a second where there are more.
_CALLS_A_STEP = 20.0
# Well again: so many steps in a row in which as large a share of the calls is answered well as before the trouble.
_STEADY = 3
_NEARLY = 0.95
# A small system has a bad moment by itself now and then.
_NOW_AND_THEN = 0.1


@dataclass(frozen=True)
class Course:
    """How a run went on, in steps from its start: the calls that came in, and how many of these were answered well."""

    step: float  # seconds
    came: tuple[int, ...]
    good: tuple[int, ...]


@dataclass(frozen=True)
class Outcome:
    """One run. Shares and times are of the calls that came in from the beginning of the trouble on."""

    goodput: float  # the share of calls answered well within the deadline
    p50: float  # seconds until the caller knew, whether good or bad
    p99: float
    amplification: float  # tries that reached the dependency, for one call
    opened: float | None  # seconds from the beginning of the trouble to the first opening
    false_opens: int  # openings while all was well
    recovered: float | None  # seconds from the end of the trouble's cause until all is well again; None: not seen
    watched: float  # a recovery that took no longer than this would have been seen
    course: Course


class Measures:
    """Is told what happens and keeps what is asked for."""

    def __init__(self, begins: float, until: float, ends: float, deadline: float, rate: float) -> None:
        """Measure a run.

        Args:
            begins: When the trouble begins.
            until: When its cause is gone.
            ends: When the last call comes in; the run goes on for as long as an answer is of use.
            deadline: How long an answer is of use.
            rate: Calls a second of all instances.
        """
        self._begins, self._until, self._deadline = begins, until, deadline
        self._step = max(1.0, _CALLS_A_STEP / rate)
        # What comes in later may still be answered well when the run has ended.
        self._last = int(ends / self._step)
        steps = math.ceil(ends / self._step) + 1
        self._came = [0] * steps
        self._good = [0] * steps
        self._times: list[float] = []
        self._first_open: float | None = None
        self._false_opens = 0
        self._asked = self._well = 0

    def came(self, now: float) -> None:
        """A call comes in."""
        self._came[int(now / self._step)] += 1
        if now >= self._begins:
            self._asked += 1

    def over(self, came: float, now: float, *, good: bool) -> None:
        """A call is over for its user."""
        took = now - came
        if good and took <= self._deadline:
            self._good[int(came / self._step)] += 1
            if came >= self._begins:
                self._well += 1
        if came >= self._begins:
            self._times.append(took)

    def changed(self, now: float, state: State) -> None:
        """A breaker is in that state from now on."""
        if state != OPEN:
            return
        if self._begins <= now:
            if self._first_open is None:
                self._first_open = now - self._begins
        else:
            self._false_opens += 1

    def outcome(self, tries: int) -> Outcome:
        """What came of it; `tries` reached the dependency from the beginning of the trouble on."""
        asked = self._asked
        times = sorted(self._times)
        # Who never got an answer waited until the end.
        missing = max(0, asked - len(times))
        return Outcome(
            goodput=self._well / asked if asked else 1.0,
            p50=_quantile(times, missing, 0.5),
            p99=_quantile(times, missing, 0.99),
            amplification=tries / asked if asked else 0.0,
            opened=self._first_open,
            false_opens=self._false_opens,
            recovered=self._recovered(),
            watched=max(0.0, (self._last - _STEADY) * self._step - self._until),
            course=Course(self._step, tuple(self._came[: self._last]), tuple(self._good[: self._last])),
        )

    def _recovered(self) -> float | None:
        """From the cause's end to the first of some steps in a row in which all is well, and hardly one isn't later."""
        before = range(int(self._begins / self._step))
        well = sum(self._good[step] for step in before) / max(1, sum(self._came[step] for step in before))
        first, last = int(self._until / self._step), self._last
        bad = [self._good[step] < _least(well, self._came[step]) for step in range(first, last)]
        if sum(bad[-_STEADY:]) > 1:
            return None
        for again in range(len(bad) - _STEADY + 1):
            later = bad[again:]
            if not any(later[:_STEADY]) and sum(later) <= _NOW_AND_THEN * len(later):
                return max(0.0, (first + again) * self._step - self._until)
        return None


def _least(well: float, came: int) -> float:
    """How many good answers of so many are as many as before, but for chance: three standard deviations, or one."""
    return _NEARLY * well * came - max(1.0, 3 * math.sqrt(came * well * (1 - well)))


def _quantile(times: list[float], missing: int, share: float) -> float:
    place = math.ceil(share * (len(times) + missing)) - 1
    return times[place] if 0 <= place < len(times) else math.inf

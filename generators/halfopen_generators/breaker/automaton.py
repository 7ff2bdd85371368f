"""The state machine of a circuit breaker, with everything in which the libraries' breakers differ as a setting.

It has no clock: the caller says what time it is. It takes no locks, and each call costs little, since simulations make
millions. `engines.py` says which settings a library's own breaker amounts to; tests replay recordings on the libraries
themselves and find the same calls admitted and the same changes of state.

A call that ends after the state has changed is where libraries differ most, so `admits` gives a ticket that `done`
wants back:

>>> breaker = Breaker(Settings("count", 4, minimum_calls=2, failure_ratio=0.75, open_for=20.0, probes=1))
>>> ticket = breaker.admits(0.0)
>>> breaker.done(ticket, 0.2, 0.2, failed=True)
>>> breaker.state
'closed'
"""

# ruff: noqa: FBT001 -- what is called for every call takes its arguments by position, which is faster

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from halfopen_generators.breaker import windows
from halfopen_generators.breaker.ratios import needed
from halfopen_generators.breaker.windows import Window

State = Literal["closed", "open", "half_open"]
CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half_open"


@dataclass(frozen=True)
class Settings:
    """How a breaker goes. The first eight say what is wanted; the others, how a library does it.

    Times are seconds, or any other unit if all of them are in it. `Settings(...)` with the first eight alone is a
    breaker without peculiarities: the window moves from moment to moment, late answers are dropped, and one failed
    probe opens it again.
    """

    window: Literal["time", "count", "fixed", "consecutive"]
    """The calls that ended in the last `size` seconds; the last `size` calls; all calls of an interval of `size`
    seconds, which the next one follows; or the failures in a row, of which `size` open it."""
    size: float
    minimum_calls: int
    """So many calls have to be in the window before it is judged; of no meaning for failures in a row."""
    failure_ratio: float
    """Above 0, at most 1; of no meaning for failures in a row."""
    open_for: float
    probes: int
    slow_ratio: float | None = None
    """None: it doesn't matter how long calls take."""
    slow_after: float | None = None
    """A call that took longer is slow, whether it failed or not."""

    bucket: float | None = None
    """A window of time is kept in buckets of that length, and forgets a whole one at a time. None: to the moment."""
    buckets_from: Literal["clock", "start", "generation", "use", "use_lazily"] = "clock"
    """Where buckets begin: at multiples of their length on the clock; counted from when the breaker was made; from when
    it last closed; with the first call after the one before is full; or so, but one is given up per call at most,
    however long there was none."""
    counts: Literal["ended", "started", "asked"] = "ended"
    """What the ratio's denominator counts: calls that ended, calls that were let through, or refused ones as well."""
    strict: bool = False
    """True: the ratio has to be exceeded; reaching it isn't enough."""
    arithmetic: Literal["quotient", "product", "percent", "percent32", "hundredths", "of_size"] = "quotient"
    """How the ratio is compared, which decides at the threshold: failures / calls with the ratio; failures with ratio x
    calls; both in percent; in percent as 32-bit floats; rounded to hundredths; or failures with ratio x `size`, however
    few calls there were."""
    judged: Literal["failures", "all"] = "failures"
    """Whether a closed breaker can open when a call succeeds."""
    half_opens: Literal["on_call", "on_use", "by_timer"] = "on_call"
    """What ends the open state: the next call asked for; that, or a late answer; or a timer."""
    past_open: bool = False
    """True: at the very end of `open_for` it is still open."""
    probe_rule: Literal["successes", "ratio"] = "successes"
    """`probes` successes close it and a failure opens it; or it is judged by the ratios when `probes` calls have ended,
    or `minimum_calls` if that is less."""
    probe_places: Literal["in_all", "at_once", "any"] = "in_all"
    """Whether `probes` bounds the calls let through while half open, those of them that run, or nothing does."""
    excess: Literal["refused", "held"] = "refused"
    """What happens to a call beyond: it is refused, or waits until the state changes and is then asked for again."""
    late: Literal["dropped", "now", "then", "then_reopens"] = "dropped"
    """What an answer does that comes after the state has changed: nothing; what the answers of the present state do;
    what it would have done (but a probe's is dropped); or that even where it opens an open breaker again, or closes
    it."""
    clears: Literal["on_close", "on_change", "never"] = "on_close"
    """When the window is emptied."""
    counts_probes: bool = False
    """Whether the probe that decides is the first call of the window."""

    def __post_init__(self) -> None:
        """Refuse what no breaker can be.

        Raises:
            ValueError: if a number is out of its range, or two settings contradict each other.
        """
        if min(self.minimum_calls, self.probes) < 1 or (self.size < 1 and self.window not in ("time", "fixed")):
            raise ValueError("minimum_calls and probes are at least 1, and so is the size of what counts calls")
        if not (0 < self.failure_ratio <= 1 and self.size > 0 and self.open_for > 0):
            raise ValueError("failure_ratio lies above 0 and at most at 1, size and open_for above 0")
        if (self.slow_ratio is None) != (self.slow_after is None):
            raise ValueError("slow_ratio and slow_after come together")
        bucketed = self.bucket is not None and self.buckets_from in {"clock", "start", "generation"}
        if self.counts != "ended" and not (self.window == "fixed" or (self.window == "time" and bucketed)):
            raise ValueError("calls that have only begun are counted in an interval or in buckets that a clock turns")
        if self.arithmetic == "of_size" and self.window != "count":
            raise ValueError("only a window of calls has a size that failures can be a share of")


def _window(settings: Settings, start: float) -> Window:
    """The window that these settings ask for."""
    if settings.window == "consecutive":
        return windows.Run()
    if settings.window == "count":
        return windows.LastCalls(int(settings.size))
    if settings.window == "fixed":
        interval = windows.Interval if settings.counts == "ended" else windows.StartedInterval
        return interval(settings.size, start)
    if settings.bucket is None:
        return windows.Sliding(settings.size)
    return _in_buckets(settings, settings.bucket, start)


def _in_buckets(settings: Settings, bucket: float, start: float) -> Window:
    """A window of time that forgets a bucket at once."""
    many = max(1, round(settings.size / bucket))
    match settings.buckets_from:
        case "use":
            return windows.Queue(settings.size, bucket)
        case "use_lazily":
            return windows.Lazy(many, bucket)
        case "generation":
            return windows.GenerationRing(many, bucket, start, started=settings.counts == "started")
        case _:
            ring = windows.Ring if settings.counts == "ended" else windows.AskedRing
    return ring(many, bucket, 0.0 if settings.buckets_from == "clock" else start)


class Breaker:
    """One breaker. `state` is what its last `admits` or `done` left: a timer's end shows at the next of them."""

    __slots__ = (
        "_all",
        "_asked",
        "_at_once",
        "_by_timer",
        "_clears",
        "_ended",
        "_failed",
        "_first",
        "_interval",
        "_least",
        "_least_probes",
        "_needed",
        "_needed_slow",
        "_on_change",
        "_open_for",
        "_past",
        "_places",
        "_settings",
        "_settle",
        "_slow",
        "_slow_after",
        "_started",
        "_until",
        "_wakes",
        "_window",
        "state",
    )

    state: State

    def __init__(
        self, settings: Settings, *, start: float = 0.0, on_change: Callable[[float, State], None] | None = None
    ) -> None:
        """Make a closed breaker.

        Args:
            settings: How it goes.
            start: The time at which it is made.
            on_change: Called with the time and the new state, whenever a state begins.
        """
        self._settings = settings
        self._on_change = on_change
        self.state = CLOSED
        window = self._window = _window(settings, start)
        self._interval = window if isinstance(window, windows.Interval) else None
        plain = settings.window == "consecutive" or settings.arithmetic == "of_size"
        self._least = 1 if plain else settings.minimum_calls
        self._needed = needed(settings, settings.failure_ratio)
        self._needed_slow = None if settings.slow_ratio is None else needed(settings, settings.slow_ratio)
        self._slow_after = math.inf if settings.slow_after is None else settings.slow_after
        self._asked = settings.counts == "asked"
        self._started = settings.counts == "started" or settings.buckets_from == "generation"
        self._all = settings.judged == "all"
        self._wakes = settings.half_opens != "on_call"
        self._by_timer = settings.half_opens == "by_timer"
        self._past = settings.past_open
        self._open_for = settings.open_for
        self._clears = settings.clears
        self._least_probes = min(settings.probes, settings.minimum_calls)
        self._settle: Callable[[int, float, bool, bool], None] = {
            "dropped": self._settle_dropped,
            "now": self._settle_now,
            "then": self._settle_then,
            "then_reopens": self._settle_then_reopens,
        }[settings.late]
        self._until = -math.inf
        # What counts from when the state began: tickets, places for probes, and what became of probes.
        self._first = 1
        self._places: float = 0
        self._at_once = settings.probe_places == "at_once"
        self._ended = self._failed = self._slow = 0

    def admits(self, now: float) -> int:
        """Ask for one call.

        Args:
            now: When; never less than before.

        Returns:
            The call's ticket, for `done`, or 0 if it isn't let through. A call that isn't while `holds` waits.
        """
        if self._asked:
            self._window.begin(now)
        if self.state == CLOSED:
            if self._interval is not None and self._interval.lapsed(now):
                self._first += 1
            if self._started:
                self._window.begin(now)
            return self._first + self._window.age
        if self.state == OPEN:
            if now < self._until or (self._past and now == self._until):
                return 0
            self._half_open(self._until if self._by_timer else now)
        if self._places <= 0:
            return 0
        self._places -= 1
        return -self._first

    @property
    def holds(self) -> bool:
        """Whether a call that isn't let through now waits until the state changes, and is then asked for again."""
        return self.state == HALF_OPEN and self._settings.excess == "held"

    def done(self, ticket: int, now: float, took: float, *, failed: bool) -> None:
        """Tell that a call which was let through has ended.

        Args:
            ticket: What `admits` gave for it.
            now: When it ended; never less than before.
            took: How long it ran.
            failed: Whether it counts as a failure.
        """
        if self._wakes and self.state == OPEN and (now > self._until or (now == self._until and not self._past)):
            self._half_open(self._until if self._by_timer else now)
        self._settle(ticket, now, failed, took > self._slow_after)

    def _settle_dropped(self, ticket: int, now: float, failed: bool, slow: bool) -> None:
        """An answer counts in the state, and in the interval, that the call began in."""
        if self._interval is not None and self.state == CLOSED and self._interval.lapsed(now):
            self._first += 1
        if abs(ticket) < self._first:
            return
        if self.state == HALF_OPEN:
            self._probed(now, failed, slow)
        else:
            self._window.add(now, failed, slow, ticket - self._first)
            if (failed or self._all) and self._reached():
                self._open(now)

    def _settle_now(self, _ticket: int, now: float, failed: bool, slow: bool) -> None:
        """An answer counts as if the call had begun in the present state."""
        self._window.add(now, failed, slow, 0)
        if self.state == CLOSED:
            if (failed or self._all) and self._reached():
                self._open(now)
        elif self.state == HALF_OPEN:
            # A place is given back even if the call never took one.
            self._places += self._at_once
            self._probed(now, failed, slow)

    def _settle_then(self, ticket: int, now: float, failed: bool, slow: bool) -> None:
        """An answer is counted whenever it comes, and may open a half-open breaker; but a former probe's is dropped."""
        if ticket < 0:
            if -ticket == self._first:
                self._probed(now, failed, slow)
            return
        self._window.add(now, failed, slow, 0)
        if failed and self.state != OPEN and self._reached():
            self._open(now)

    def _settle_then_reopens(self, ticket: int, now: float, failed: bool, slow: bool) -> None:
        """An answer does what it would have done in the state that the call began in, whatever the state is now."""
        self._window.add(now, failed, slow, 0)
        if ticket < 0:
            self._probed(now, failed, slow)
        elif failed and self._reached():
            self._open(now)

    def _reached(self) -> bool:
        """Whether what is in the window is bad enough."""
        window = self._window
        total = window.total
        if total < self._least:
            return False
        if window.failed >= self._needed[total]:
            return True
        return self._needed_slow is not None and window.slow >= self._needed_slow[total]

    def _probed(self, now: float, failed: bool, slow: bool) -> None:
        """Judge by one more probe."""
        settings = self._settings
        self._ended += 1
        self._failed += failed
        self._slow += slow
        if settings.probe_rule == "ratio":
            if self._ended < self._least_probes:
                return
            needed, ended = self._needed_slow, self._ended
            bad = self._failed >= self._needed[ended] or (needed is not None and self._slow >= needed[ended])
        elif not failed and self._ended - self._failed < settings.probes:
            return
        else:
            bad = failed
        if bad:
            self._open(now)
        else:
            self._begin(CLOSED, now)
        if settings.counts_probes:
            self._window.add(now, bad, slow, 0)

    def _begin(self, state: State, now: float) -> None:
        """Begin a state: former tickets are now old, and no probe has ended."""
        self.state = state
        self._first += self._window.age + 1
        self._ended = self._failed = self._slow = 0
        if self._clears == "on_change" or (self._clears == "on_close" and state == CLOSED):
            self._window.clear(now)
        if self._on_change is not None:
            self._on_change(now, state)

    def _open(self, now: float) -> None:
        self._until = now + self._open_for
        self._begin(OPEN, now)

    def _half_open(self, now: float) -> None:
        self._places = math.inf if self._settings.probe_places == "any" else self._settings.probes
        self._begin(HALF_OPEN, now)

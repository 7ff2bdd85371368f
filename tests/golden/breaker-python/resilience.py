"""What guards a remote call in asyncio, for all policies of this process.

tenacity brings the retries and aiolimiter the rate; what is here no maintained library
has: a breaker that judges a window by shares, a bulkhead that refuses at once, a budget
of retries. One object of each per dependency, used from one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState
from tenacity.stop import stop_base

Answer = TypeVar("Answer")
Call = Callable[[], Awaitable[Answer]]


class Unreached(Exception):  # noqa: N818
    """The request never got there: connection refused, no such host."""


class Unavailable(Exception):  # noqa: N818
    """It was reached and said that it can't now: HTTP 503, gRPC UNAVAILABLE."""


class Rejected(Exception):  # noqa: N818
    """Not even tried, by the caller itself."""


class BreakerOpen(Rejected):
    """The dependency failed too often; it is left alone for a while."""


class BulkheadFull(Rejected):
    """As many calls are under way as may be."""


class RateExceeded(Rejected):
    """As many calls began in this period as may."""


# What a dependency is to blame for; any other exception is an answer.
FAILURES = (Unreached, Unavailable, TimeoutError)


def within(seconds: float, call: Call[Answer]) -> Call[Answer]:
    """Gives up after so many seconds, and cancels what is then still under way."""

    async def limited() -> Answer:
        async with asyncio.timeout(seconds):
            return await call()

    return limited


class Bulkhead:
    """So many calls at once. One more is refused: a queue only adds to the wait."""

    def __init__(self, concurrent: int) -> None:
        self._free = concurrent

    def guard(self, call: Call[Answer]) -> Call[Answer]:
        """The call, as long as there is a place."""

        async def placed() -> Answer:
            if self._free < 1:
                raise BulkheadFull
            self._free -= 1
            try:
                return await call()
            finally:
                self._free += 1

        return placed


def limited_by(limiter: AsyncLimiter, call: Call[Answer]) -> Call[Answer]:
    """The call, as long as the rate allows it. One more is refused; nothing waits."""

    async def allowed() -> Answer:
        if not limiter.has_capacity():
            raise RateExceeded
        await limiter.acquire()
        return await call()

    return allowed


class RetryBudget(stop_base):
    """Lets retries be a share of the calls, and stops them when it is spent.

    Each call earns a part of a retry, each retry spends a whole one. Little is saved
    up, so that a quiet hour doesn't pay for a storm.
    """

    def __init__(self, share: float, most_saved: float = 10) -> None:
        self._share = share
        self._most = most_saved
        self._saved = most_saved

    def earn(self) -> None:
        """A call begins."""
        self._saved = min(self._most, self._saved + self._share)

    def spend(self) -> bool:
        """Whether one more retry may be made; then it is paid for."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True

    def __call__(self, retry_state: RetryCallState) -> bool:
        """Whether tenacity has to stop."""
        return not self.spend()


def retried(retrying: AsyncRetrying, call: Call[Answer]) -> Call[Answer]:
    """The call, and again as `retrying` says; in the end its last failure."""

    async def tries() -> Answer:
        # It counts in itself, so that calls at the same time need copies of it.
        answer: Answer = await retrying.copy()(call)
        return answer

    return tries


def hedged(
    after: float, budget: RetryBudget | None, call: Call[Answer]
) -> Call[Answer]:
    """A second try where the first has not answered by then; the first answer wins."""

    async def either() -> Answer:
        tries = {asyncio.ensure_future(call())}
        try:
            done, _ = await asyncio.wait(tries, timeout=after)
            if not done and (budget is None or budget.spend()):
                tries.add(asyncio.ensure_future(call()))
            waiting = tries
            while True:
                done, waiting = await asyncio.wait(
                    waiting, return_when=asyncio.FIRST_COMPLETED
                )
                won = [one for one in done if one.exception() is None]
                if won or not waiting:
                    return (won or list(done))[0].result()
        finally:
            for one in tries:
                one.cancel()

    return either


class _Outcome(NamedTuple):
    at: float
    failed: bool
    slow: bool


class Breaker:
    """Opens when too many of the last calls failed or were slow; then a few probe it.

    Args:
        failure_ratio: It opens when so many of the calls in its window failed.
        minimum_calls: Fewer than these say nothing.
        open_for: Seconds until it lets probes through.
        probes: Calls it lets through then; when all are back, it judges by them.
        window_seconds: It judges the calls of these last seconds, or
        window_calls: so many last calls.
        slow_after: A call that takes more seconds is slow; None: slowness isn't judged.
        slow_ratio: It opens when so many of the calls in its window were slow.
        clock: Seconds from some moment on.
    """

    def __init__(
        self,
        *,
        failure_ratio: float,
        minimum_calls: int,
        open_for: float,
        probes: int,
        window_seconds: float | None = None,
        window_calls: int | None = None,
        slow_after: float | None = None,
        slow_ratio: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (window_seconds is None) == (window_calls is None):
            raise ValueError("a window is either seconds or calls")
        self._failure_ratio = failure_ratio
        self._minimum_calls = minimum_calls
        self._open_for = open_for
        self._probes = probes
        self._window_seconds = window_seconds
        self._slow_after = slow_after
        self._slow_ratio = slow_ratio
        self._clock = clock
        self._last: deque[_Outcome] = deque(maxlen=window_calls)
        self._probed: list[_Outcome] = []
        self._opened_at: float | None = None
        self._admitted = 0
        # Counts the changes of state, so that what began before one isn't counted
        # after it.
        self._turn = 0

    @property
    def state(self) -> str:
        """closed, open or half-open."""
        if self._opened_at is None:
            return "closed"
        waited = self._clock() - self._opened_at
        return "half-open" if waited >= self._open_for else "open"

    def guard(self, call: Call[Answer]) -> Call[Answer]:
        """The call, as long as the breaker lets it through."""

        async def judged() -> Answer:
            turn = self._enter()
            began = self._clock()
            try:
                answer = await call()
            except FAILURES:
                self._leave(turn, began, failed=True)
                raise
            except (Rejected, asyncio.CancelledError):
                # What the caller did to itself says nothing of the dependency.
                self._forget(turn)
                raise
            except BaseException:
                self._leave(turn, began, failed=False)
                raise
            self._leave(turn, began, failed=False)
            return answer

        return judged

    def _enter(self) -> int:
        state = self.state
        if state == "open" or (state == "half-open" and self._admitted >= self._probes):
            raise BreakerOpen
        if state == "half-open":
            self._admitted += 1
        return self._turn

    def _forget(self, turn: int) -> None:
        if turn == self._turn and self._opened_at is not None:
            self._admitted -= 1

    def _leave(self, turn: int, began: float, *, failed: bool) -> None:
        if turn != self._turn:
            return
        now = self._clock()
        slow = self._slow_after is not None and now - began > self._slow_after
        outcome = _Outcome(now, failed, slow)
        if self._opened_at is not None:
            self._probed.append(outcome)
            if len(self._probed) >= self._probes:
                self._turn_to(now if self._too_bad(self._probed) else None)
            return
        self._last.append(outcome)
        while self._window_seconds and self._last[0].at <= now - self._window_seconds:
            self._last.popleft()
        if len(self._last) >= self._minimum_calls and self._too_bad(self._last):
            self._turn_to(now)

    def _too_bad(self, outcomes: deque[_Outcome] | list[_Outcome]) -> bool:
        failed = sum(outcome.failed for outcome in outcomes)
        slow = sum(outcome.slow for outcome in outcomes)
        return failed >= self._failure_ratio * len(outcomes) or (
            self._slow_ratio is not None and slow >= self._slow_ratio * len(outcomes)
        )

    def _turn_to(self, opened_at: float | None) -> None:
        self._opened_at = opened_at
        self._admitted = 0
        self._probed.clear()
        self._last.clear()
        self._turn += 1

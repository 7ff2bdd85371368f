"""Calls ChargeCard of payment, guarded by its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    wait_random_exponential,
)

from resilience import (
    FAILURES,
    Breaker,
    Bulkhead,
    Call,
    Rejected,
    RetryBudget,
    Unavailable,
    Unreached,
    hedged,
    limited_by,
    retried,
    within,
)

Request = TypeVar("Request")
Answer = TypeVar("Answer")
# One try. What never reached payment raises Unreached, what it can't answer
# now Unavailable; any other exception is an answer that no other try would change.
# The text is the key by which it knows a call that it has seen before: order_id.
Remote = Callable[[Request, str], Awaitable[Answer]]
# What is served where the call fails (cache); it must not call payment.
Fallback = Callable[[Request, Exception], Awaitable[Answer]]

# Around all tries and the waits between them: after it the answer is of no use.
OVERALL_SECONDS = 2
# Around each try: 99 % of the answers are there after 250 ms when all is well.
TRY_SECONDS = 0.9
# A try that takes longer than this is joined by a second one.
HEDGE_SECONDS = 0.3
# Retries as a share of the calls: with all of them failing, the dependency gets
# 25 % more, no multiple.
RETRIES_PER_CALL = 0.25
# Only what another try may mend: a rejection is an answer, and to ask again at once
# is the load that it sheds.
RETRIED = (Unreached, Unavailable, TimeoutError)


class PaymentChargeCard(Generic[Request, Answer]):
    """One for all calls of this process: it remembers how they went."""

    def __init__(
        self,
        remote: Remote[Request, Answer],
        fallback: Fallback[Request, Answer],
    ) -> None:
        self._remote = remote
        self._fallback = fallback
        self._bulkhead = Bulkhead(concurrent=13)
        self._limiter = AsyncLimiter(max_rate=50, time_period=1)
        # 33.3 calls a second come from one instance at the busiest hour.
        self.breaker = Breaker(
            window_seconds=10,
            minimum_calls=20,
            failure_ratio=0.5,
            slow_ratio=0.8,
            slow_after=0.7,
            open_for=5,
            probes=3,
        )
        self._budget = RetryBudget(RETRIES_PER_CALL)
        self._retrying = AsyncRetrying(
            # The first try is one of them. The budget comes last, so that only a retry
            # is paid for.
            stop=stop_any(stop_after_attempt(4), self._budget),
            # Drawn between nothing and the backoff: no two callers come back together.
            wait=wait_random_exponential(
                multiplier=0.1,
                exp_base=1.5,
                max=0.2,
            ),
            retry=retry_if_exception_type(RETRIED),
            reraise=True,
        )

    async def __call__(self, request: Request, idempotency_key: str) -> Answer:
        """Get the answer, within 2 s.

        Args:
            request: What is asked.
            idempotency_key: order_id: the same for every try, and for no other call.

        Raises:
            Exception: What the remote raised that is an answer, or the fallback.
        """
        self._budget.earn()

        async def once() -> Answer:
            return await self._remote(request, idempotency_key)

        # From the inside out: what stands below is around what stands above.
        call: Call[Answer] = once
        call = within(TRY_SECONDS, call)
        call = self._bulkhead.guard(call)
        call = limited_by(self._limiter, call)
        call = self.breaker.guard(call)
        call = hedged(HEDGE_SECONDS, self._budget, call)
        call = retried(self._retrying, call)
        call = within(OVERALL_SECONDS, call)
        try:
            return await call()
        except (*FAILURES, Rejected) as failure:
            return await self._fallback(request, failure)

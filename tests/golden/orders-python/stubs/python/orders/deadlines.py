"""Deadlines: on the server what is late is refused and what runs on is cancelled, and a client inherits them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc

from .contract import DEADLINES

_end: ContextVar[float | None] = ContextVar("end", default=None)


def left() -> float | None:
    """Seconds until the end of the call that is being answered; None outside of one."""
    end = _end.get()
    return None if end is None else max(0.0, end - asyncio.get_running_loop().time())


def shortest(designed: float, asked: float | None) -> float:
    """Seconds that a call may take which is made now: no more than is left of the call that is being answered."""
    return min(each for each in (designed, asked, left()) if each is not None)


class DeadlineInterceptor(grpc.aio.ServerInterceptor):
    """Holds each rpc to its designed deadline, or to its caller's if that is sooner."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Health and reflection are not of the design, and have no deadline of ours."""
        handler = await continuation(handler_call_details)
        limit = DEADLINES.get(handler_call_details.method)
        return handler if handler is None or limit is None else _held(handler, limit)


def _held(handler: Any, limit: float) -> Any:
    kind = "stream" if handler.request_streaming else "unary"
    name = f"{kind}_{'stream' if handler.response_streaming else 'unary'}"
    behaviour = getattr(handler, name)

    async def one(request: Any, context: Any) -> Any:
        async with _within(limit, context):
            return await behaviour(request, context)

    async def several(request: Any, context: Any) -> None:
        # One writer, and a write waits until the receiver has room: nothing is queued.
        async with (
            _within(limit, context),
            aclosing(behaviour(request, context)) as messages,
        ):
            async for message in messages:
                await context.write(message)

    return getattr(grpc, f"{name}_rpc_method_handler")(
        several if handler.response_streaming else one,
        handler.request_deserializer,
        handler.response_serializer,
    )


@asynccontextmanager
async def _within(limit: float, context: Any) -> AsyncIterator[None]:
    asked = context.time_remaining()
    seconds = limit if asked is None else min(limit, asked)
    late = grpc.StatusCode.DEADLINE_EXCEEDED
    if seconds <= 0:
        await context.abort(late, "the deadline had passed when the call came")
    _end.set(asyncio.get_running_loop().time() + seconds)
    try:
        async with asyncio.timeout(seconds) as scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        await context.abort(late, "the deadline passed while the call was answered")

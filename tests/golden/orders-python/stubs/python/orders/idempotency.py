"""A second try of an idempotent call gets the answer to the first one, and has no effect of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import grpc

from .contract import REMEMBERED, Remembered
from .errors import BadRequest, refuse

# Longer than any client goes on trying.
KEPT_FOR = 600.0
# Answers kept at once; the oldest goes first.
MOST_KEPT = 10_000


class OtherBody(Exception):
    """The request id was used before, for another request."""


class Full(Exception):
    """There is no room for one more call."""


class Store(Protocol):
    """Remembers calls by a key, which is the rpc and the request id.

    Over a database, `keep` belongs into the transaction that has the effect: only then
    does a crash between the two leave neither.
    """

    async def claim(self, key: str, body: bytes) -> bytes | None:
        """The answer to the first try; None if this is the first, which then has to `keep` or `release` the key.

        While the first try is under way it waits for its end.

        Raises:
            OtherBody: the first try had another body.
            Full: no further key can be kept.
        """

    async def keep(self, key: str, answer: bytes) -> None:
        """This is the answer to the first try."""

    async def release(self, key: str) -> None:
        """The first try failed and had no effect: the next one is the first."""


@dataclass
class _Call:
    body: bytes
    answer: bytes | None = None
    until: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Memory:
    """A `Store` of this process, bounded in number and time."""

    def __init__(
        self,
        kept_for: float = KEPT_FOR,
        most: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept_for, self._most, self._clock = kept_for, most, clock
        # Answers stand in the order in which they came, so that the oldest is first.
        self._calls: dict[str, _Call] = {}

    async def claim(self, key: str, body: bytes) -> bytes | None:
        """See `Store`."""
        while True:
            self._forget()
            call = self._calls.get(key)
            if call is None:
                self._make_room()
                self._calls[key] = _Call(body)
                return None
            if call.body != body:
                raise OtherBody
            await call.ended.wait()
            if call.answer is not None:
                return call.answer

    async def keep(self, key: str, answer: bytes) -> None:
        """See `Store`."""
        call = self._calls.pop(key)
        call.answer, call.until = answer, self._clock() + self._kept_for
        self._calls[key] = call
        call.ended.set()

    async def release(self, key: str) -> None:
        """See `Store`."""
        self._calls.pop(key).ended.set()

    def _forget(self) -> None:
        now = self._clock()
        answered = (each for each in self._calls.items() if each[1].ended.is_set())
        over = []
        for key, call in answered:
            if call.until > now:
                break
            over.append(key)
        for key in over:
            del self._calls[key]

    def _make_room(self) -> None:
        """Drop the oldest answer where there are too many; never a call that is under way."""
        if len(self._calls) < self._most:
            return
        oldest = (key for key, call in self._calls.items() if call.ended.is_set())
        if (key := next(oldest, None)) is None:
            raise Full
        del self._calls[key]


class IdempotencyInterceptor(grpc.aio.ServerInterceptor):
    """Answers a second try of an idempotent rpc out of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Only rpcs whose request carries an id are remembered."""
        handler = await continuation(handler_call_details)
        path = handler_call_details.method
        rule = REMEMBERED.get(path)
        if handler is None or rule is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._once(handler.unary_unary, path, rule),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _once(
        self,
        behaviour: Callable[[Any, Any], Awaitable[Any]],
        path: str,
        rule: Remembered,
    ) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            request_id = getattr(request, rule.field)
            if not request_id:
                return await behaviour(request, context)
            key = f"{path} {request_id}"
            body = sha256(request.SerializeToString(deterministic=True)).digest()
            known = await self._claimed(key, body, rule.field, context)
            if known is not None:
                return rule.response.FromString(known)
            kept = False
            try:
                response = await behaviour(request, context)
                # A method may set another status and still return.
                if context.code() in (None, grpc.StatusCode.OK):
                    await self._store.keep(key, response.SerializeToString())
                    kept = True
            finally:
                if not kept:
                    await self._store.release(key)
            return response

        return answer

    async def _claimed(
        self, key: str, body: bytes, name: str, context: Any
    ) -> bytes | None:
        try:
            return await self._store.claim(key, body)
        except OtherBody:
            text = f"{name} was used before, for another request"
            wrong = BadRequest.FieldViolation(field=name, description=text)
            detail = BadRequest(field_violations=[wrong])
            await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, text, detail)
        except Full:
            text = "too many calls with a request id are under way"
            await refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, text)

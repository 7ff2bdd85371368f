"""Calls that go on: over all pages of a list, and over the breaks of a stream."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from . import deadlines

Request = TypeVar("Request")
Response = TypeVar("Response")


async def pages(
    call: Callable[[Request], Awaitable[Response]],
    request: Request,
) -> AsyncGenerator[Response, None]:
    """Every page from the request's own on, each asked for when the one before was used.

    Raises:
        RuntimeError: the server leads back to the page that it gave.
    """
    asked: Any = copy.deepcopy(request)
    while True:
        page: Any = await call(asked)
        yield page
        if not page.next_page_token:
            return
        if page.next_page_token == asked.page_token:
            raise RuntimeError("a page names itself as the next one")
        asked.page_token = page.next_page_token


@dataclass(frozen=True)
class Place:
    """The fields that say where in a stream the caller stands, from the outer message in."""

    asked: tuple[str, ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class Again:
    """How often in a row a stream is opened without a message, and the seconds between."""

    attempts: int
    first_wait: float
    longest_wait: float
    factor: float

    def pause(self, failed: int) -> float:
        """A random wait up to the backoff: what failed together doesn't come back together."""
        longest = min(self.first_wait * self.factor ** (failed - 1), self.longest_wait)
        # Nothing secret hangs on it.
        return random.uniform(0, longest)


async def resumed(
    opened: Callable[[Request], grpc.aio.UnaryStreamCall[Any, Response]],
    request: Request,
    place: Place,
    again: Again,
) -> AsyncGenerator[Response, None]:
    """The messages of a stream that is opened anew where it broke, with the last place that was told.

    It goes on at the end of each stream's deadline, and for a bounded number of times
    after UNAVAILABLE. Leave the loop to end it.
    """
    asked, failed = copy.deepcopy(request), 0
    while True:
        call = opened(asked)
        try:
            async for message in call:
                failed = 0
                _go_on(asked, message, place)
                yield message
            return
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                failed += 1
            if failed >= again.attempts or not _may_go_on(error):
                raise
        finally:
            # Whoever leaves the loop doesn't leave a stream behind.
            call.cancel()
        await asyncio.sleep(again.pause(max(failed, 1)))


def _may_go_on(error: grpc.aio.AioRpcError) -> bool:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        # The stream's own deadline, and not that of the call in which it is read.
        return deadlines.left() != 0
    return error.code() is grpc.StatusCode.UNAVAILABLE


def _go_on(request: Any, message: Any, place: Place) -> None:
    told = _leaf(message, place.told)
    name = place.told[-1]
    field = told.DESCRIPTOR.fields_by_name[name]
    if told.HasField(name) if field.has_presence else getattr(told, name):
        setattr(_leaf(request, place.asked), place.asked[-1], getattr(told, name))


def _leaf(message: Any, names: tuple[str, ...]) -> Any:
    for name in names[:-1]:
        message = getattr(message, name)
    return message

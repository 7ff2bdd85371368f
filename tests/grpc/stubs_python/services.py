"""A user's services over the skeleton: they answer as a test wants, and count what was asked and what took effect."""
# ruff: noqa: ARG002 - a method takes what the skeleton's takes

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import grpc

from . import deadlines, errors, skeleton, tracing
from .pb.acme.calls.v1 import calls_pb2 as pb
from .skeleton import Context

THINGS = 8


class CallService(skeleton.CallService):
    """Every rpc, filled in."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.effects: list[str] = []
        self.traces: list[tracing.Trace | None] = []
        self.left: list[float | None] = []
        self.cancelled = asyncio.Event()
        # How many calls find the server on its way down.
        self.unavailable = 0
        # After which event a stream breaks, and with what.
        self.breaks_after: dict[int, grpc.StatusCode] = {}
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def _refuse_while_unavailable(self, context: Context) -> None:
        if self.unavailable:
            self.unavailable -= 1
            await errors.refuse(context, grpc.StatusCode.UNAVAILABLE, "on its way down")

    async def get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:
        self.asked.append(request)
        self.traces.append(tracing.current())
        self.left.append(deadlines.left())
        await self._refuse_while_unavailable(context)
        return pb.GetResponse(text=f"hello {request.name}")

    async def charge(self, request: pb.ChargeRequest, context: Context) -> pb.ChargeResponse:
        self.asked.append(request)
        await self._refuse_while_unavailable(context)
        return pb.ChargeResponse(text=request.name)

    async def slow(self, request: pb.SlowRequest, context: Context) -> pb.SlowResponse:
        self.asked.append(request)
        self.left.append(deadlines.left())
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return pb.SlowResponse()

    async def place(self, request: pb.PlaceRequest, context: Context) -> pb.PlaceResponse:
        self.asked.append(request)
        await self._refuse_while_unavailable(context)
        await self.goes_on.wait()
        self.effects.append(request.name)
        return pb.PlaceResponse(text=f"{len(self.effects)}: {request.name}")

    async def list_things(self, request: pb.ListThingsRequest, context: Context) -> pb.ListThingsResponse:
        self.asked.append(request)
        start, size = int(request.page_token or 0), request.page_size or 3
        end = min(start + size, THINGS)
        more = str(end) if end < THINGS else ""
        return pb.ListThingsResponse(things=map(str, range(start, end)), next_page_token=more)

    async def watch(self, request: pb.WatchRequest, context: Context) -> AsyncGenerator[pb.WatchResponse, None]:
        self.asked.append(request)
        for number in range(int(request.resume_token or 0) + 1, 10):
            yield pb.WatchResponse(event=pb.Event(number=number, resume_token=str(number)))
            if (code := self.breaks_after.pop(number, None)) is not None:
                await context.abort(code, "broke")

    async def watch_briefly(
        self, request: pb.WatchBrieflyRequest, context: Context
    ) -> AsyncGenerator[pb.WatchBrieflyResponse, None]:
        self.asked.append(request)
        # Two events a stream, and then nothing until its deadline.
        start = int(request.resume_token or 0)
        for number in (start + 1, start + 2):
            yield pb.WatchBrieflyResponse(event=pb.Event(number=number, resume_token=str(number)))
        await asyncio.Event().wait()

    async def add(self, requests: AsyncIterator[pb.AddRequest], context: Context) -> pb.AddResponse:
        return pb.AddResponse(number=sum([each.number async for each in requests]))

    async def double(
        self, requests: AsyncIterator[pb.DoubleRequest], context: Context
    ) -> AsyncGenerator[pb.DoubleResponse, None]:
        async for each in requests:
            yield pb.DoubleResponse(number=2 * each.number)


def services() -> list[skeleton.Servable]:
    """Every service that the server offers."""
    return [CallService()]

"""The calls that an HTTP server is answering: how many at once, until when, and that nobody waits for any in vain."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Seconds in which a request has to be here whole: a slow sender holds a place that another could have.
BODY_SECONDS = 30
# A call that only listens for changes has no end of its own.
_LISTENING = (b"mcp-method", b"subscriptions/listen")
# Seconds after which one who found no place is told to come back.
_COME_BACK = 1


class Calls:
    """An application around the endpoint that counts the calls and ends those that nobody waits for any more.

    A client cancels a call by hanging up, which the library doesn't look for while it makes a JSON answer.

    Args:
        app: What answers them.
        most: How many are answered at once; to one more, 503 is said.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._running: set[anyio.CancelScope] = set()
        self._listening: set[anyio.CancelScope] = set()
        self._closing = False
        self._last_one_ended: anyio.Event | None = None

    def __len__(self) -> int:
        return len(self._running)

    @property
    def closing(self) -> bool:
        """Whether no call is taken any more."""
        return self._closing

    async def close(self, seconds: float) -> int:
        """Take no more calls, end those that only listen, and wait for the others; after so many seconds, end those.

        Returns:
            How many had to be ended.
        """
        self._closing = True
        for call in self._listening:
            call.cancel()
        if self._running:
            self._last_one_ended = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._last_one_ended.wait()
        left = list(self._running)
        for call in left:
            call.cancel()
        return len(left)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._closing:
            await _unavailable("This server is shutting down.")(scope, receive, send)
        elif len(self._running) >= self._most:
            await _unavailable(f"This server is answering {self._most} calls, as many as it may.")(scope, receive, send)
        elif scope["method"] != "POST":
            # There is no stream to open with GET and no session to end with DELETE: every request stands alone.
            await _refusal(405, "Every call is a POST.", {"Allow": "POST"})(scope, receive, send)
        else:
            await self._counted(_Exchange(receive, send), scope)

    async def _counted(self, exchange: _Exchange, scope: Scope) -> None:
        with anyio.CancelScope() as call:
            self._running.add(call)
            if _LISTENING in scope["headers"]:
                self._listening.add(call)
            try:
                await exchange.serve(self._app, scope)
            finally:
                self._running.discard(call)
                self._listening.discard(call)
                if not self._running and self._last_one_ended is not None:
                    self._last_one_ended.set()
        if call.cancelled_caught:
            await exchange.answer(_unavailable("This server shut down before the call had ended."), scope)


class _Exchange:
    """One request and its answer, and an ear for the client's hanging up between them."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = anyio.Event()
        self._gone = anyio.Event()
        self._begun = False
        self._ended = False

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Have that application answer, for as long as there is somebody to answer to."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._hear, group.cancel_scope)
            await app(scope, self.receive, self.send)
            group.cancel_scope.cancel()
        if not self._whole.is_set() and not self._gone.is_set():
            await self.answer(_refusal(408, f"The request was not here within {BODY_SECONDS} s.", {}), scope)

    async def answer(self, response: Response, scope: Scope) -> None:
        """Send that, unless an answer has begun or nobody is there to have it."""
        if not self._begun and not self._gone.is_set():
            await response(scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The request as it comes in; once it is here, all that can come is that the client has gone."""
        if self._whole.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._whole.set()
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on."""
        self._begun = True
        await self._send(message)
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def _hear(self, call: anyio.CancelScope) -> None:
        with anyio.move_on_after(BODY_SECONDS):
            await self._whole.wait()
        if self._whole.is_set():
            while not self._gone.is_set():
                if (await self._receive())["type"] == "http.disconnect":
                    self._gone.set()
        # After a whole answer the client may go: what is done then needs no one to hear of it.
        if not self._ended:
            call.cancel()


def _unavailable(why: str) -> Response:
    return _refusal(503, why, {"Retry-After": str(_COME_BACK)})


def _refusal(status: int, why: str, headers: Mapping[str, str]) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=dict(headers))

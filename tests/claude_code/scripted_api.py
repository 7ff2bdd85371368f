"""A Messages API on 127.0.0.1 that says what a test tells it to, so that the real CLI needs no model and no key."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Block = dict[str, Any]
Script = Callable[[dict[str, Any]], list[Block]]


class ScriptedApi:
    """The requests it was sent, and the script that answers them."""

    def __init__(self, url: str, script: Script) -> None:
        self.url = url
        self.script = script
        self.requests: list[dict[str, Any]] = []

    def conversation(self) -> list[dict[str, Any]]:
        """The requests of the main conversation: those that offer tools."""
        return [request for request in self.requests if request.get("tools")]


@contextmanager
def scripted_api(script: Script) -> Iterator[ScriptedApi]:
    """Serve that script until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    api = ScriptedApi(f"http://127.0.0.1:{server.server_port}", script)
    server.api = api  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._send(200, "application/json", b"")

    def do_GET(self) -> None:
        self._send(404, "application/json", b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._send(200, "application/json", b'{"input_tokens": 1}')
            return
        if path != "/v1/messages":
            self._send(404, "application/json", b"{}")
            return
        api: ScriptedApi = self.server.api  # type: ignore[attr-defined]
        api.requests.append(body)
        try:
            blocks = api.script(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            # A refusal ends the conversation at once, where a broken connection would be tried again and again.
            refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": f"script: {error!r}"}}
            self._send(400, "application/json", json.dumps(refusal).encode())
            return
        if body.get("stream"):
            self._send(200, "text/event-stream", b"".join(_events(blocks, body)))
        else:
            message = {**_message(body), "content": blocks, "stop_reason": _stop_reason(blocks)}
            self._send(200, "application/json", json.dumps(message).encode())

    def _send(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _message(body: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _stop_reason(blocks: list[Block]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"


def _events(blocks: list[Block], body: dict[str, Any]) -> Iterator[bytes]:
    yield _event("message_start", message=_message(body))
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            start = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        yield _event("content_block_start", index=index, content_block=start)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop = {"stop_reason": _stop_reason(blocks), "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage={"output_tokens": 1})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()

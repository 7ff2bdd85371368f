"""W3C trace context: read by the server, kept for what the call does, sent on by the client.

https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = "01"


@dataclass(frozen=True)
class Trace:
    """Where in which trace a call stands."""

    trace_id: str
    span_id: str
    flags: str = _SAMPLED
    state: str = ""

    def below(self) -> Trace:
        """The same trace, with a span of its own."""
        return Trace(self.trace_id, secrets.token_hex(8), self.flags, self.state)


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace of the call that is being answered; None outside of one."""
    return _current.get()


def read(metadata: Any) -> Trace:
    """The trace that the caller is in; a new one if it names none that can be read."""
    known = {key: value for key, value in metadata or ()}
    parent = _PARENT.fullmatch(str(known.get("traceparent", "")))
    if parent is None or not _valid(*parent.groups()):
        return Trace(secrets.token_hex(16), secrets.token_hex(8))
    state = str(known.get("tracestate", ""))
    return Trace(parent[2], parent[3], parent[4], state)


def _valid(version: str, trace: str, span: str, _: str, rest: str | None) -> bool:
    # A later version may say more; this one doesn't.
    known = version != "ff" and (version != "00" or rest is None)
    return known and bool(trace.strip("0")) and bool(span.strip("0"))


def headers() -> tuple[tuple[str, str], ...]:
    """What a call sends on: the trace that is being answered, or a new one."""
    trace = (current() or Trace(secrets.token_hex(16), "")).below()
    parent = f"00-{trace.trace_id}-{trace.span_id}-{trace.flags}"
    state = (("tracestate", trace.state),) if trace.state else ()
    return (("traceparent", parent), *state)


class TraceInterceptor(grpc.aio.ServerInterceptor):
    """Keeps the caller's trace while its call is answered."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Each call is answered in a task of its own, so this holds for it alone."""
        _current.set(read(handler_call_details.invocation_metadata).below())
        return await continuation(handler_call_details)

"""The MCP server over streamable HTTP: stateless, so that any replica can answer any request.

From outside to inside: health without a token; the token; the calls, counted and ended; the library, which looks at
Host and Origin, limits bodies and speaks the protocol.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import anyio
import uvicorn
from mcp.server.request_state import RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from halfopen.registry import capabilities
from halfopen.source import BadInput, Problem
from halfopen_server.commands import agent, commands
from halfopen_server.http_address import LOOPBACK_NAMES, Address, Listener, Resolved
from halfopen_server.http_auth import VARIABLES, RequireToken, Tokens
from halfopen_server.http_calls import Calls
from halfopen_server.mcp import HalfopenServer, build_server
from halfopen_server.reports import open_reports
from halfopen_server.roots import Reach
from halfopen_server.terminal import visible

ENDPOINT = "/mcp"
LIVE = "/health/live"
READY = "/health/ready"
MOST_BYTES = 4 * 1024 * 1024
# Longer than a load balancer keeps a connection for later use, so that it never sends on one that we just closed.
_KEEP_ALIVE = 75
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")
_log = logging.getLogger("halfopen.http")


@dataclass(frozen=True)
class HttpSettings:
    """How the server is to be reached, and by whom.

    Attributes:
        tokens: Bearer tokens, any of which admits a caller; none: whoever reaches the server is admitted.
        roots: Folders that clients may have read and written; none: no file is touched.
        hosts: Host headers that are accepted beside the loopback's names; with a port or for any.
        origins: Origins of web pages that may call, beside those of this machine.
        most_calls: How many calls are answered at once.
        grace: Seconds that running calls have to end in when the server is told to stop.
        reports: Where reports are kept, as `open_reports` takes it.
        stream: Answer as an event stream where a call has progress to report, instead of always in JSON.
    """

    tokens: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most_calls: int = 256
    grace: float = 25
    reports: str | None = None
    stream: bool = False

    def __post_init__(self) -> None:
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise _bad("--allowed-host", f"{host!r} is no host: write a name, with or without a port.")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                example = "https://app.example.com"
                raise _bad("--allowed-origin", f"{origin!r} is no origin: write scheme, host and any port: {example}.")


@dataclass(frozen=True)
class HttpApp:
    """The whole application, and the calls in it."""

    app: Starlette
    calls: Calls


def http_server(settings: HttpSettings) -> HalfopenServer:
    """The server as it is for clients on other machines: what they may touch, the operator says."""
    keys = Tokens(settings.tokens).keys
    sealing = RequestStateSecurity(keys=keys) if keys else None
    reports = open_reports(settings.reports, os.environ)
    # Its clients don't know each other, so none is told of what the others asked.
    reach = Reach.of_operator(settings.roots)
    return build_server(reports=reports, reach=reach, sealing=sealing, lists_reports=False)


def http_app(server: HalfopenServer, settings: HttpSettings, bound: Address | None = None) -> HttpApp:
    """That server as an application for an HTTP server.

    Args:
        server: What answers the calls.
        settings: How it is to be reached.
        bound: Where it listens, which is a host that is accepted unless it stands for all of them.
    """
    inner = server.streamable_http_app(
        streamable_http_path=ENDPOINT,
        json_response=not settings.stream,
        stateless_http=True,
        max_request_body_size=MOST_BYTES,
        transport_security=_checked_headers(settings, bound),
    )
    calls = Calls(inner, settings.most_calls)
    guarded = RequireToken(calls, Tokens(settings.tokens)) if settings.tokens else calls
    pages = Middleware(CORSMiddleware, allow_origins=settings.origins, allow_methods=["POST"], allow_headers=["*"])
    app = Starlette(
        routes=[Route(LIVE, _live), Route(READY, _ready(calls)), Route(ENDPOINT, endpoint=guarded)],
        middleware=[pages] if settings.origins else [],
        lifespan=_lifespan_of(inner),
    )
    # A redirect would lead to whatever host the caller named.
    app.router.redirect_slashes = False
    return HttpApp(app, calls)


def _lifespan_of(inner: Starlette) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    """For the application around it, as the library's work goes on in the inner one's lifespan."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    return lifespan


def _checked_headers(settings: HttpSettings, bound: Address | None) -> TransportSecuritySettings:
    return TransportSecuritySettings(
        allowed_hosts=[form for name in _hosts(settings, bound) for form in (name, f"{name}:*")],
        allowed_origins=[
            *(form for name in LOOPBACK_NAMES for form in (f"http://{name}", f"http://{name}:*")),
            *settings.origins,
        ],
    )


def _hosts(settings: HttpSettings, bound: Address | None) -> list[str]:
    own = [] if bound is None or bound.is_everywhere else [str(bound).rpartition(":")[0]]
    return list(dict.fromkeys([*LOOPBACK_NAMES, *own, *settings.hosts]))


async def _live(_: Request) -> Response:
    return JSONResponse({"live": True})


def _ready(calls: Calls) -> Callable[[Request], Response]:
    def ready(_: Request) -> Response:
        if calls.closing:
            return JSONResponse({"ready": False, "why": "shutting down"}, status_code=503)
        try:
            names = [capability.name for capability in capabilities()]
            prompts = [command.name for command in (*commands(), agent())]
        except (OSError, ImportError, ValueError, TypeError):
            _log.exception("not ready")
            return JSONResponse({"ready": False, "why": "data or a capability can't be loaded"}, status_code=503)
        told = {"ready": True, "version": version("halfopen"), "capabilities": names, "prompts": prompts}
        return JSONResponse(told)

    return ready


class _Uvicorn(uvicorn.Server):
    """Without its own ear for signals: on one it would stop listening before running calls have ended."""

    def __init__(self, config: uvicorn.Config, started: str) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        _say(self._started)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Plain(logging.Formatter):
    """One line, in which nothing that a caller sent can command a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def serve_http(
    where: Resolved, settings: HttpSettings, build: Callable[[HttpSettings], HalfopenServer] | None = None
) -> None:
    """Serve there until SIGTERM or SIGINT; what there is to log goes to stderr.

    On the signal it is no longer ready, takes no more calls and gives those that run their time. A second signal
    ends it at once.

    Args:
        where: The address.
        settings: How it is to be reached.
        build: Makes what answers; left out: `http_server`.

    Raises:
        BadInput: the address can't be had, or others could reach it and no token is asked for.
    """
    if not where.is_loopback and not settings.tokens:
        raise _bad("--http", _UNPROTECTED.format(where.written))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    with where.listen() as listener:
        http = http_app((build or http_server)(settings), settings, listener.address)
        anyio.run(_serve, http, listener, settings)


_UNPROTECTED = (
    "{} can be reached from other machines, and no token protects it. Give --token-file FILE (one token a line; make "
    f"one with: openssl rand -hex 32) or set {VARIABLES[0]}, or listen on 127.0.0.1."
)


def _told(listener: Listener, settings: HttpSettings) -> str:
    """One line: where it listens, and what protects it."""
    known = len(settings.tokens)
    whom = f"a bearer token ({known} known)" if known else "no token: whoever is on this machine may call"
    hosts = ", ".join(_hosts(settings, listener.address))
    files = ", ".join(map(str, settings.roots)) or "none (--root DIR)"
    return f"serving MCP at {listener.url}{ENDPOINT}; asks for {whom}; hosts: {hosts}; files: {files}"


async def _serve(http: HttpApp, listener: Listener, settings: HttpSettings) -> None:
    config = uvicorn.Config(
        http.app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        # All calls have ended by then; what is left are connections whose client doesn't read.
        timeout_graceful_shutdown=1,
    )
    server = _Uvicorn(config, _told(listener, settings))
    async with anyio.create_task_group() as group:
        await group.start(_heed_signals, server, http.calls, settings.grace)
        await server.serve(sockets=[listener.socket])
        group.cancel_scope.cancel()


async def _heed_signals(
    server: uvicorn.Server, calls: Calls, grace: float, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    async def stop() -> None:
        _say(f"shutting down: {len(calls)} running calls have {grace:g} s to end; a second signal ends at once")
        if ended := await calls.close(grace):
            _say(f"{ended} calls had not ended in time and were told so")
        server.should_exit = True

    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async with anyio.create_task_group() as group:
            async for number in signals:
                if calls.closing:
                    _say("ended by a second signal")
                    os._exit(128 + number)
                group.start_soon(stop)


def _say(line: str) -> None:
    sys.stderr.write(f"halfopen: {visible(line)}\n")
    sys.stderr.flush()


def _bad(option: str, message: str) -> BadInput:
    return BadInput([Problem(message, file=option)])

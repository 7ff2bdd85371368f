from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ListRootsResult, Root

from tests.cli.conftest import environment

WITH_TOY = [sys.executable, str(Path(__file__).with_name("with_toy.py"))]
TOKEN = "a-token-for-the-tests-of-http"  # noqa: S105
SERVING = re.compile(r"halfopen: serving MCP at (http://\S+?)(/mcp);")
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Served:
    """A server as a process of its own, on a port that the system chose."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    token: str | None

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    @property
    def endpoint(self) -> str:
        return f"{self.url}/mcp"

    def http(self, **settings: Any) -> httpx2.AsyncClient:
        """A bare HTTP client that knows the token."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=300, **settings)

    @asynccontextmanager
    async def client(self, era: str, roots: list[Path] | None = None, http: Any = None) -> AsyncIterator[Client]:
        """A client of the protocol."""

        async def list_roots(context: Any) -> ListRootsResult:  # noqa: ARG001
            return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in roots or []])

        own = http or self.http()
        transport = streamable_http_client(self.endpoint, http_client=own)
        async with own, Client(transport, mode=era, list_roots_callback=list_roots if roots else None) as client:
            yield client

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a server with these options, or finds the one that was started with them for a test before.

    In the end no log may hold a traceback, or a token.
    """
    started: dict[Any, Served] = {}
    folder = tmp_path_factory.mktemp("served")

    def start(*options: str | Path, address: str = "127.0.0.1:0", token: str | None = None) -> Served:
        key = (options, address, token)
        if key in started and started[key].process.poll() is None:
            return started[key]
        log = folder / f"{len(started)}.log"
        more = {"HALFOPEN_TOKEN": token} if token else {}
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*WITH_TOY, "mcp", "--http", address, *map(str, options)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                env=environment(**more),
                cwd=folder,
            )
        while (found := SERVING.search(log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        started[key] = Served(process, found[1], log, token)
        return started[key]

    yield start
    for served in started.values():
        if served.process.poll() is None:
            served.stop()
        assert "Traceback" not in served.log.read_text()
        assert served.token is None or served.token not in served.log.read_text()


async def wait_for(path: Path) -> None:
    await wait_until(path.exists)


async def wait_until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
        await anyio.sleep(0.02)


def call(tool: str, arguments: dict[str, Any], number: int | str = 1, **meta: Any) -> dict[str, Any]:
    """A call of a tool as it stands in a body, in the era of 2026-07-28."""
    params = {"name": tool, "arguments": arguments, "_meta": {**META, **meta}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def headers(tool: str | None = None, method: str = "tools/call") -> dict[str, str]:
    named = {"Mcp-Name": tool} if tool else {}
    return {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
        **named,
    }

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ListRootsResult, Root

from halfopen_server.mcp import build_server
from tests.mcp.toy import Bench

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """Both protocol eras: `auto` finds the newest, `legacy` shakes hands as before 2026-07-28."""
    return str(request.param)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a client without roots is taken to work in."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(folder))
    return folder


@pytest.fixture
def connect(bench: Bench, era: str, project: Path) -> Connect:  # noqa: ARG001 - every test works in the project
    """A client of a server that serves the toy; `roots` are the folders that the client offers."""

    def to_server(roots: list[Path] | None = None) -> AbstractAsyncContextManager[Client]:
        async def list_roots(context: Any) -> ListRootsResult:  # noqa: ARG001
            return ListRootsResult(roots=[Root(uri=folder.as_uri()) for folder in roots or []])

        server = build_server([bench.capability()])
        return Client(server, mode=era, list_roots_callback=None if roots is None else list_roots)

    return to_server

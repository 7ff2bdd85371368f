"""What a spec names is read inside the caller's folders, whichever way the spec comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.client import Client
from mcp_types import ListRootsResult, Root

from halfopen_server.mcp import build_server

pytestmark = pytest.mark.anyio
SPEC = {"package": "acme.v1", "services": {"ThingService": {"DoIt": {}}}}
PROTO = 'syntax = "proto3";\npackage acme.v1;\nmessage DoItRequest {}\n'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_what_is_released_is_looked_for_in_the_roots_of_the_client(
    era: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("theirs", "ours"):
        (tmp_path / name / f"{name}-released").mkdir(parents=True)
        (tmp_path / name / f"{name}-released/a.proto").write_text(PROTO)
    # Where the server runs is no folder of the client's.
    monkeypatch.chdir(tmp_path / "ours")

    async def roots(_: object) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=(tmp_path / "theirs").as_uri())])

    async with Client(build_server(), mode=era, list_roots_callback=roots) as client:
        inside = await client.call_tool("design_grpc", {**SPEC, "previous": "theirs-released"})
        outside = await client.call_tool("design_grpc", {**SPEC, "previous": str(tmp_path / "ours/ours-released")})
    assert not inside.is_error, inside.content
    assert outside.is_error
    assert "outside the allowed folders" in outside.content[0].text


@pytest.mark.anyio
async def test_another_released_version_gives_another_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    (tmp_path / "released").mkdir()
    spec = {
        "package": "acme.v1",
        "services": {"ThingService": {"GetThing": {"response": {"thing": "Thing"}, "idempotency": "no-side-effects"}}},
        "messages": {"Thing": {"id": "string"}},
        "previous": "released",
    }
    named = []
    async with Client(build_server()) as client:
        for number in (7, 8, 7):
            text = f'syntax = "proto3";\npackage acme.v1;\nmessage Thing {{ string id = {number}; }}\n'
            (tmp_path / "released" / "things.proto").write_text(text)
            answer = (await client.call_tool("design_grpc", spec)).structured_content
            named.append(answer["report"])
            proto = await client.read_resource(f"{answer['report']}/proto/things.proto")
            assert f"string id = {number};" in proto.contents[0].text
        first = await client.read_resource(f"{named[0]}/proto/things.proto")
    assert named[0] == named[2] != named[1]
    assert "string id = 7;" in first.contents[0].text

"""The API as users get it: from the command line, and from the MCP server within its roots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from halfopen_server.mcp import build_server

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "orders.grpc.yaml"
HALFOPEN = Path(sys.executable).with_name("halfopen")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def halfopen(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HALFOPEN, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_what_was_written_is_what_the_next_version_is_compared_with(tmp_path: Path) -> None:
    result = halfopen("grpc", EXAMPLE, "--out", "released", "-q", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("PASS  acme.orders.v1: 1 service, 4 rpcs, 13 messages, 1 enum.")
    spec = EXAMPLE.read_text("utf-8").replace("previous: null", "previous: released")
    (tmp_path / "same.grpc.yaml").write_text(spec)
    same = halfopen("grpc", "same.grpc.yaml", "--format", "json", folder=tmp_path)
    assert (same.returncode, same.stderr) == (0, "")
    assert json.loads(same.stdout)["summary"].endswith("Nothing breaks those who run released.")
    (tmp_path / "broken.grpc.yaml").write_text(spec.replace("quantity: int32", "quantity: string"))
    broken = halfopen("grpc", "broken.grpc.yaml", "--format", "json", folder=tmp_path)
    assert (broken.returncode, broken.stderr) == (1, "")
    (found,) = json.loads(broken.stdout)["findings"]
    assert (found["code"], found["evidence"]) == (
        "PRT01",
        [{"path": "messages.OrderLine.quantity", "file": "broken.grpc.yaml", "line": 12}],
    )


def test_a_spec_that_can_not_be_used_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8").replace("repeated OrderLine", "repeated OrderLin")
    (tmp_path / "x.grpc.yaml").write_text(text)
    result = halfopen("grpc", "x.grpc.yaml", "--out", "design", folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "halfopen: x.grpc.yaml:11: messages.Order.lines: no message and no enum is called 'OrderLin'. "
        "Did you mean OrderLine?\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x.grpc.yaml"]


@pytest.mark.anyio
async def test_the_tool_reads_what_is_released_inside_the_project_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project / "released", elsewhere):
        folder.mkdir(parents=True)
        (folder / "things.proto").write_text('syntax = "proto3";\npackage acme.v1;\nmessage Thing { string id = 7; }\n')
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project))
    spec: dict[str, Any] = {
        "package": "acme.v1",
        "services": {"ThingService": {"GetThing": {"response": {"thing": "Thing"}, "idempotency": "no-side-effects"}}},
        "messages": {"Thing": {"id": "string", "name": "string"}},
    }
    async with Client(build_server()) as client:
        inside = await client.call_tool("design_grpc", {**spec, "previous": "released", "write_to": "design"})
        outside = await client.call_tool("design_grpc", {**spec, "previous": str(elsewhere)})
    assert not inside.is_error
    # The file is released at the folder's top, where buf doesn't look for a package, and stays there.
    assert "findings" not in inside.structured_content
    assert "  string id = 7;\n" in (project / "design/proto/things.proto").read_text()
    assert outside.is_error
    assert "outside the allowed folders" in outside.content[0].text


def test_stubs_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    result = halfopen("grpc", EXAMPLE, "--stubs", "python", "--out", "design", "-q", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "design/stubs/python/orders/server.py").is_file()
    wrong = halfopen("grpc", EXAMPLE, "--stubs", "cobol", folder=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'cobol' is not one of 'none', 'python', 'go', 'java', 'typescript'" in wrong.stderr


@pytest.mark.anyio
async def test_the_tool_writes_stubs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    spec = {"package": "acme.v1", "services": {"ThingService": {"DoIt": {"idempotency": "no-side-effects"}}}}
    async with Client(build_server()) as client:
        result = await client.call_tool("design_grpc", {**spec, "stubs": "python", "write_to": "design"})
    assert not result.is_error, result.content
    assert "def do_it(" in (tmp_path / "design/stubs/python/acme/client.py").read_text()

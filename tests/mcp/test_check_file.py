"""The tool that checks one file: for agents in plain words, for hooks as a hook's output or nothing at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from halfopen_server import mcp_check_file
from tests.mcp.conftest import Connect
from tests.mcp.toy import Bench

pytestmark = pytest.mark.anyio

LIGHT = "toy: car\nparts:\n- {name: wheel}\n"
HEAVY = "toy: car\nparts:\n- {name: gun, weight: 80}\n"
PROTO = 'syntax = "proto3";\nmessage A { %s x = 1; }\n'


async def ask(client: Client, path: str | Path, **more: str) -> tuple[bool, str]:
    result = await client.call_tool("check_file", {"path": str(path), **more})
    return bool(result.is_error), "".join(part.text for part in result.content)


def entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def output(text: str) -> Any:
    return json.loads(text)["hookSpecificOutput"]


async def test_an_agent_is_told_in_a_few_lines(connect: Connect, project: Path) -> None:
    (project / "car.toy.yaml").write_text(HEAVY)
    (project / "a.proto").write_text(PROTO % "int32")
    async with connect() as client:
        assert await ask(client, "a.proto") == (False, "PASS a.proto: compiles.")
        refused, told = await ask(client, project / "car.toy.yaml")
    assert not refused
    assert told.splitlines() == [
        "FAIL car.toy.yaml: car: 1 parts",
        "car.toy.yaml:3 (parts[0].weight): TOY01 too heavy. a child can't lift it Fix: make it lighter",
        "`design_toy` with this `spec_file` tells more: the runs that show it, and what it needs.",
    ]
    assert entries(project) == ["a.proto", "car.toy.yaml"]


async def test_a_hook_hears_what_broke_and_nothing_of_what_did_not(connect: Connect, project: Path) -> None:
    async with connect() as client:
        for text, fault in ((HEAVY, "TOY01 too heavy"), ("toy: [", "is not YAML"), ("toyz: 1", "unknown key")):
            (project / "car.toy.yaml").write_text(text)
            told = output((await ask(client, "car.toy.yaml", event="PostToolUse"))[1])
            assert told["hookEventName"] == "PostToolUse"
            assert fault in told["additionalContext"]
        (project / "car.toy.yaml").write_text(LIGHT)
        assert await ask(client, "car.toy.yaml", event="PostToolUse") == (False, "")
        (project / "a.proto").write_text(PROTO % "Nope")
        told = output((await ask(client, "a.proto", event="PostToolUse"))[1])
        assert 'a.proto:2:13: "Nope" is not defined.' in told["additionalContext"]


@pytest.mark.parametrize(("set_to", "blocks"), [("true", True), ("false", False), ("", False), ("${unset}", False)])
async def test_it_blocks_only_if_told_to(
    connect: Connect, project: Path, monkeypatch: pytest.MonkeyPatch, set_to: str, *, blocks: bool
) -> None:
    monkeypatch.setenv(mcp_check_file.BLOCKS, set_to)
    (project / "a.proto").write_text(PROTO % "Nope")
    async with connect() as client:
        told = json.loads((await ask(client, "a.proto", event="PostToolUse"))[1])
    assert ("decision" in told) is blocks
    assert "Nope" in (told["reason"] if blocks else told["hookSpecificOutput"]["additionalContext"])


async def test_many_faults_are_counted_rather_than_told(connect: Connect, project: Path) -> None:
    parts = "".join(f"- {{name: p{number}, weight: 80}}\n" for number in range(13))
    (project / "car.toy.yaml").write_text(f"toy: car\nparts:\n{parts}")
    async with connect() as client:
        lines = (await ask(client, "car.toy.yaml"))[1].splitlines()
    assert len(lines) == 1 + mcp_check_file.MOST_LINES + 2
    assert lines[-2] == "... and 3 more"


async def test_what_is_none_of_ours_is_refused_to_an_agent_and_passed_over_by_a_hook(
    connect: Connect, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside.proto").write_text(PROTO % "Nope")
    (project / "link.proto").symlink_to(tmp_path / "outside.proto")
    os.mkfifo(project / "pipe.proto")
    (project / "folder.proto").mkdir()
    names = (
        tmp_path / "outside.proto",
        "link.proto",
        "pipe.proto",
        "folder.proto",
        "gone.proto",
        "../outside.proto",
        "a\0.proto",
        "",
    )
    async with connect() as client:
        for name in names:
            refused, told = await ask(client, name)
            assert refused
            assert "Traceback" not in told
            assert await ask(client, name, event="PostToolUse") == (False, "")


async def test_a_large_file_gets_a_clear_word(connect: Connect, project: Path) -> None:
    (project / "a.proto").write_bytes(b" " * 2_000_000)
    async with connect() as client:
        told = output((await ask(client, "a.proto", event="PostToolUse"))[1])
    assert told["additionalContext"].endswith("a.proto: is larger than 1,048,576 bytes.")


async def test_a_search_without_end_is_ended(
    connect: Connect, project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_check_file, "SEARCH", 0.05)
    (project / "car.toy.yaml").write_text("toy: endless\n")
    async with connect() as client:
        assert await ask(client, "car.toy.yaml", event="PostToolUse") == (False, "")
    assert bench.saw_cancel


async def test_a_check_that_does_not_heed_its_time_is_not_waited_for(
    connect: Connect, project: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_check_file, "SEARCH", 600)
    monkeypatch.setattr(mcp_check_file, "PATIENCE", 0.05)
    (project / "car.toy.yaml").write_text("toy: endless\n")
    async with connect() as client:
        assert await ask(client, "car.toy.yaml", event="PostToolUse") == (False, "")
    assert bench.ended.wait(10)


async def test_a_fault_of_ours_shows_no_inside(connect: Connect, project: Path) -> None:
    (project / "car.toy.yaml").write_text("toy: broken\n")
    async with connect() as client:
        refused, told = await ask(client, "car.toy.yaml", event="PostToolUse")
    assert refused
    assert "secret" not in told

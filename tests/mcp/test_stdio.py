"""The server as a process of its own, from the console script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from halfopen.registry import capabilities

pytestmark = pytest.mark.anyio

SCRIPT = Path(sys.executable).parent / "halfopen"
SAGA = {
    "saga": "checkout",
    "steps": [
        {"name": "reserve", "service": "stock", "action": "Reserve", "compensation": "Release"},
        {"name": "charge", "service": "payment", "action": "Charge", "can_be_refused": True},
    ],
}


async def test_a_design_over_stdio_lies_in_the_project(era: str, tmp_path: Path) -> None:
    kept = tmp_path / "plugin data"
    environment = {"CLAUDE_PLUGIN_DATA": str(kept)}
    server = StdioServerParameters(command=str(SCRIPT), args=["mcp"], cwd=tmp_path, env=environment)
    async with Client(server, mode=era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {capability.tool for capability in capabilities()} < set(tools)
        result = await client.call_tool("design_saga", {**SAGA, "write_to": "design"})
        assert not result.is_error, result.content
        report = result.structured_content
        jsonschema.validate(report, tools["design_saga"].output_schema)
        addresses = {each["path"]: f"{report['report']}/{each['path']}" for each in report["artifacts"]}
        read = {path: (await client.read_resource(address)).contents[0] for path, address in addresses.items()}
    assert report["verdicts"]
    assert read
    for path, content in read.items():
        assert (tmp_path / "design" / path).read_text(encoding="utf-8") == content.text
    assert (kept / "reports" / "reports.db").is_file()
    # Another process, after the first is gone.
    async with Client(server, mode=era) as client:
        for path, address in addresses.items():
            assert (await client.read_resource(address)).contents[0].text == read[path].text


SERVE_TOY = "from tests.mcp.toy import Bench; from halfopen_server.mcp import build_server; "
SERVE_TOY += "build_server([Bench().capability()]).run('stdio')"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ENDLESS = {"name": "design_toy", "arguments": {"toy": "endless"}}


def test_hanging_up_ends_a_run_that_would_never_end() -> None:
    root = Path(__file__).resolve().parents[2]
    messages = [
        {"id": 1, "method": "initialize", "params": HELLO},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": ENDLESS},
        {"id": 3, "method": "tools/list"},
    ]
    command = [sys.executable, "-c", SERVE_TOY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for message in messages:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        server.stdin.flush()
        # The list is answered although the run goes on.
        assert [json.loads(server.stdout.readline())["id"] for _ in range(2)] == [1, 3]
        server.stdin.close()
        assert server.wait(timeout=60) == 0


def test_it_ends_when_the_client_hangs_up_and_says_nothing_on_its_own() -> None:
    done = subprocess.run([str(SCRIPT), "mcp"], input="", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_place_that_is_none_ends_it_with_a_word() -> None:
    command = [str(SCRIPT), "mcp", "--reports", "mysql://me:secret@host/db"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("halfopen: input: reports can't be kept there (--reports or HALFOPEN_REPORTS).")
    assert "secret" not in done.stderr

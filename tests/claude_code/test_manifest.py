"""What the manifests promise, checked without the CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from halfopen.file_checks import FileChecks
from halfopen.registry import capabilities
from halfopen_server.commands import parse_command
from halfopen_server.mcp import build_server
from halfopen_server.mcp_check_file import BLOCKS, PATIENCE
from tests.oracles import require

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / ".claude-plugin" / name).read_text())
    return found


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_the_plugin_bears_the_name_version_and_licence_of_the_package() -> None:
    plugin, package = manifest("plugin.json"), project()
    assert [plugin[key] for key in ("name", "version", "license")] == [
        package[key] for key in ("name", "version", "license")
    ]


def test_the_marketplace_offers_this_folder_as_the_plugin() -> None:
    (offered,) = manifest("marketplace.json")["plugins"]
    assert (offered["name"], offered["source"]) == (manifest("plugin.json")["name"], "./")


def test_the_commands_lie_where_the_plugin_says() -> None:
    folder = manifest("plugin.json")["commands"]
    assert folder.startswith("./")
    assert sorted(path.suffix for path in (ROOT / folder).iterdir()) == [".md"] * len(list((ROOT / folder).iterdir()))


def test_the_server_is_started_by_a_script_of_the_package() -> None:
    (server,) = manifest("plugin.json")["mcpServers"].values()
    script = server["args"][server["args"].index("--no-dev") + 1]
    assert script in project()["scripts"]
    assert server["env"]["PYTHONPATH"] == ""
    # Reports are kept there from one session to the next.
    assert server["env"]["CLAUDE_PLUGIN_DATA"] == "${CLAUDE_PLUGIN_DATA}"


def hooks(event: str) -> dict[str, list[dict[str, Any]]]:
    """The handlers of that event, by what they match."""
    found = json.loads((ROOT / "hooks" / "hooks.json").read_text())["hooks"][event]
    return {group["matcher"]: group["hooks"] for group in found}


def test_every_kind_of_file_that_is_checked_is_checked_as_it_is_written() -> None:
    by_tool = hooks("PostToolUse")
    assert list(by_tool) == ["Write", "Edit"]
    for tool, handlers in by_tool.items():
        # A rule holds one pattern, so there is a handler for each.
        assert {handler["if"] for handler in handlers} == {
            f"{tool}(*{suffix})" for suffix in FileChecks(capabilities()).by_suffix
        }
        assert len({handler["if"] for handler in handlers}) == len(handlers)


async def test_the_hooks_call_a_tool_of_the_server_as_it_is_called() -> None:
    (server,) = manifest("plugin.json")["mcpServers"]
    async with Client(build_server()) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for handler in (handler for handlers in hooks("PostToolUse").values() for handler in handlers):
        assert (handler["type"], handler["server"]) == (
            "mcp_tool",
            f"plugin:{manifest('plugin.json')['name']}:{server}",
        )
        assert set(handler["input"]) == set(tools[handler["tool"]].input_schema["properties"])
        # A hook that fails reports it and goes on.
        assert handler.get("onFailure", "continue") == "continue"
        assert handler["timeout"] > PATIENCE


def test_blocking_is_off_unless_the_user_turns_it_on() -> None:
    plugin = manifest("plugin.json")
    assert plugin["userConfig"]["block_on_errors"]["default"] is False
    assert plugin["mcpServers"]["halfopen"]["env"][BLOCKS] == "${user_config.block_on_errors}"


@pytest.mark.parametrize("there", [True, False])
def test_the_start_of_a_session_says_what_is_missing_and_nothing_else(tmp_path: Path, *, there: bool) -> None:
    if there:
        (tmp_path / "uv").write_text("#!/bin/sh\n")
        (tmp_path / "uv").chmod(0o755)
    (handler,) = hooks("SessionStart")["startup|resume"]
    command = [handler["command"], *(part.replace("${CLAUDE_PLUGIN_ROOT}", str(ROOT)) for part in handler["args"])]
    shell = shutil.which(command[0])
    assert shell is not None
    done = subprocess.run(
        [shell, *command[1:]], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    if there:
        assert done.stdout == ""
        return
    told = json.loads(done.stdout)
    assert "https://docs.astral.sh/uv/" in told["systemMessage"]
    assert told["hookSpecificOutput"]["hookEventName"] == "SessionStart"
    assert told["systemMessage"] in told["hookSpecificOutput"]["additionalContext"]


def test_the_output_style_is_whole() -> None:
    (file,) = (ROOT / manifest("plugin.json")["outputStyles"]).iterdir()
    style = parse_command(file.read_text(encoding="utf-8"))
    # How to code stays as it is; the style is about how to answer.
    assert "\nkeep-coding-instructions: true\n" in file.read_text(encoding="utf-8")
    assert (style.name, bool(style.description)) == ("Distributed Systems Engineer", True)


def test_the_lock_is_in_step_with_the_project() -> None:
    uv = shutil.which("uv")
    require("uv", available=uv is not None, how_to_get="pip install uv")
    checked = subprocess.run([str(uv), "lock", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

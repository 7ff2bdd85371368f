"""The plugin's server started exactly as its manifest says, among files that are in its way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from halfopen.registry import capabilities
from tests.claude_code.conftest import Claude, litter
from tests.oracles import require

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_neither_stray_files_nor_a_polluted_path_reach_the_server(clone: Path, tmp_path: Path, era: str) -> None:
    require("uv", available=shutil.which("uv") is not None, how_to_get="pip install uv")
    for name in ("home/tmp", "project", "data"):
        (tmp_path / name).mkdir(parents=True)
    user = Claude(Path("claude"), tmp_path / "home", tmp_path / "project")
    places = {"CLAUDE_PLUGIN_ROOT": str(clone), "CLAUDE_PLUGIN_DATA": str(tmp_path / "data")}
    (declared,) = json.loads((clone / ".claude-plugin/plugin.json").read_text())["mcpServers"].values()
    server = StdioServerParameters(
        command=declared["command"],
        args=[_expanded(argument, places) for argument in declared["args"]],
        # As Claude Code does: the user's environment, and the manifest's over it.
        env={
            **user.environment(),
            "PYTHONPATH": os.pathsep.join(litter(user.project)),
            **{name: _expanded(value, places) for name, value in declared["env"].items()},
        },
        cwd=user.project,
    )
    async with Client(server, mode=era) as client:
        assert {capability.tool for capability in capabilities()} < {
            tool.name for tool in (await client.list_tools()).tools
        }
        step = {"name": "a", "service": "s", "action": "Do", "compensation": "Undo"}
        result = await client.call_tool("design_saga", {"saga": "x", "steps": [step], "write_to": "design"})
    assert not result.is_error, result.content
    assert {artifact["path"] for artifact in result.structured_content["artifacts"]} <= {
        path.relative_to(user.project / "design").as_posix() for path in (user.project / "design").rglob("*")
    }


def _expanded(text: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        text = text.replace("${" + name + "}", value)
    return text

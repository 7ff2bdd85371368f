"""What the manifests promise, checked without the CLI."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from tests.oracles import require

ROOT = Path(__file__).resolve().parents[2]


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


def test_the_lock_is_in_step_with_the_project() -> None:
    uv = shutil.which("uv")
    require("uv", available=uv is not None, how_to_get="pip install uv")
    checked = subprocess.run([str(uv), "lock", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

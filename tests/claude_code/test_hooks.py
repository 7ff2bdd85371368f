"""The hooks of the plugin in the real CLI: files checked as they are written, and a start without uv explained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.claude_code.conftest import ROOT, Claude
from tests.claude_code.scripted_api import scripted_api
from tests.claude_code.talk import Call, ask, model, once_there, told

pytestmark = pytest.mark.oracle

EXAMPLES = ROOT / "examples"
BROKEN_SPEC = (EXAMPLES / "checkout-late-charge.saga.yaml").read_text()
SOUND_SPEC = (EXAMPLES / "checkout.saga.yaml").read_text()
PROTO = 'syntax = "proto3";\npackage shop.v1;\nmessage Order { %s total = 1; }\n'
OURS = "Halfopen checked what you wrote:"
# A hook whose server is still on its way up checks nothing.
CHECK = ["mcp__plugin_halfopen_halfopen__check_file"]
EDITS = ("--allowedTools", "Write,Edit")


def write(path: Path, text: str) -> Call:
    return "Write", {"file_path": str(path), "content": text}


def edit(path: Path, old: str, new: str) -> Call:
    return "Edit", {"file_path": str(path), "old_string": old, "new_string": new}


def configured(claude: Claude, options: Mapping[str, Any]) -> None:
    """What `/plugin configure halfopen@halfopen` leaves in the settings."""
    settings = claude.home / ".claude" / "settings.json"
    found = json.loads(settings.read_text())
    settings.write_text(json.dumps({**found, "pluginConfigs": {"halfopen@halfopen": {"options": options}}}))


def test_what_is_broken_is_told_with_the_next_request_and_what_is_clean_is_not(installed: Claude) -> None:
    proto, spec = installed.project / "api/shop/v1/order.proto", installed.project / "design/checkout.saga.yaml"
    outside = installed.home / "elsewhere.proto"
    calls = (
        write(proto, PROTO % "int64"),
        write(spec, SOUND_SPEC),
        write(installed.project / "notes.yaml", BROKEN_SPEC),
        write(outside, PROTO % "Money"),
        edit(proto, "int64", "Money"),
        edit(proto, "Money", "int64"),
        edit(spec, SOUND_SPEC, BROKEN_SPEC),
        write(proto, PROTO % "Money"),
    )
    with scripted_api(once_there(CHECK, *calls)) as api:
        asked = ask(installed, api, "write them", *EDITS)
    # Each of the last requests carries what became of one call.
    news = [told(after).count(OURS) - told(before).count(OURS) for before, after in pairwise(asked[-len(calls) - 1 :])]
    assert news == [0, 0, 0, 0, 1, 0, 1, 1]
    everything = told(asked[-1])
    assert everything.count('api/shop/v1/order.proto:3:17: "Money" is not defined.') == 2
    assert "FAIL design/checkout.saga.yaml: checkout: orchestration, 3 steps. 1 of 7 promises is broken" in everything
    assert "design/checkout.saga.yaml:11 (services.payment.refuses_late_actions): SAG06 late action" in everything
    assert "`design_saga` with this `spec_file` tells more" in everything
    assert outside.exists()
    # Nobody was stopped, and nothing was left behind.
    assert {path.suffix for path in installed.project.rglob("*") if path.is_file()} == {".proto", ".yaml"}


@pytest.mark.parametrize(("options", "blocks"), [({}, False), ({"block_on_errors": True}, True)])
def test_it_blocks_only_if_the_user_said_so(installed: Claude, options: dict[str, Any], *, blocks: bool) -> None:
    configured(installed, options)
    with scripted_api(once_there(CHECK, write(installed.project / "a.proto", PROTO % "Money"))) as api:
        (*_, after) = ask(installed, api, "write it", *EDITS)
    assert OURS in told(after)
    assert ("hook blocking error" in told(after)) is blocks
    assert ("hook additional context" in told(after)) is not blocks


def test_a_start_without_uv_explains_itself(installed: Claude, tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    (path / "sh").symlink_to("/bin/sh")
    with scripted_api(model()) as api:
        done = installed.run(
            *("-p", "hello", "--output-format", "stream-json", "--verbose"),
            ANTHROPIC_BASE_URL=api.url,
            ANTHROPIC_API_KEY="no-key",
            PATH=str(path),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (asked, *_) = api.conversation()
    fix = "Halfopen: its server can't start, because uv is not on the PATH. Install uv"
    assert fix in told(asked)
    (start,) = (event for event in map(json.loads, done.stdout.splitlines()) if event.get("subtype") == "hook_response")
    assert json.loads(start["output"])["systemMessage"].startswith(fix)


def test_a_start_with_uv_says_nothing(installed: Claude) -> None:
    with scripted_api(model()) as api:
        (asked, *_) = ask(installed, api, "hello")
    assert "uv is not on the PATH" not in told(asked)

"""The real Claude Code CLI, with this plugin installed, against a scripted Messages API."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from halfopen_server.commands import agent, commands
from halfopen_server.mcp import build_server
from tests.claude_code.conftest import Claude, litter
from tests.claude_code.scripted_api import Block, scripted_api
from tests.claude_code.talk import Call, ask, model, once_there, results, text_of, told
from tests.claude_code.terminal import opened

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

TOOL = "mcp__plugin_halfopen_halfopen__design_saga"
# The provider of payments may apply a charge that was already refunded, and the saga charges before its pivot.
CHARGE = {"name": "charge-card", "service": "payment", "action": "ChargeCard", "can_be_refused": True}
BROKEN: dict[str, Any] = {
    "saga": "checkout",
    "deadline": "30s",
    "services": {
        "inventory": {},
        "payment": {"external": True, "deduplicates": True, "accepts_empty_compensation": True},
        "shipping": {},
    },
    "steps": [
        {"name": "reserve-stock", "service": "inventory", "action": "ReserveStock", "compensation": "ReleaseStock"},
        {**CHARGE, "compensation": "RefundCard"},
        {"name": "create-shipment", "service": "shipping", "action": "CreateShipment", "can_be_refused": True},
    ],
}
# Nothing that can be refused stands behind the charge any more, so that it can be the point of no return.
MENDED = {
    **BROKEN,
    "steps": [BROKEN["steps"][0], {**CHARGE, "kind": "pivot"}, {**BROKEN["steps"][2], "can_be_refused": False}],
}
# What stands where one types.
PROMPT = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
READ = "ReadMcpResourceTool"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def first_artifact(seen: list[Block]) -> Call:
    report = text_of(seen[-1]["content"])
    assert report.startswith("{"), report
    told = json.loads(report)
    address = f"{told['report']}/{told['artifacts'][0]['path']}"
    return READ, {"server": "plugin:halfopen:halfopen", "uri": address}


def test_the_plugin_is_valid_in_strict_mode(claude: Claude, clone: Path) -> None:
    # The profile adds what the plugin directory asks for: an icon, and a README worth reading.
    validated = claude.run("plugin", "validate", "--strict", "--profile", "directory", str(clone))
    assert validated.returncode == 0, validated.stdout + validated.stderr
    assert "commands: halfopen:saga" in validated.stdout


def test_a_plugin_that_is_not_valid_is_refused(claude: Claude, clone: Path) -> None:
    # Shows that the validation above can fail.
    folder = claude.project / ".claude-plugin"
    folder.mkdir()
    manifest = json.loads((clone / ".claude-plugin/plugin.json").read_text())
    (folder / "plugin.json").write_text(json.dumps({**manifest, "name": "no name", "commands": 7}))
    assert claude.run("plugin", "validate", "--strict", str(claude.project)).returncode != 0


def test_the_plugin_installs_from_a_local_clone(installed: Claude) -> None:
    listed = json.loads(installed.run("plugin", "list", "--json").stdout)
    assert [(plugin["id"], plugin["enabled"]) for plugin in listed] == [("halfopen@halfopen", True)]


@pytest.mark.parametrize("typed", ["/saga", "/halfopen:saga"])
async def test_a_saga_is_designed_broken_mended_and_written(installed: Claude, typed: str) -> None:
    stray = litter(installed.project)
    written_to = {**MENDED, "write_to": "design/checkout"}
    with scripted_api(once_there([TOOL, READ], (TOOL, BROKEN), (TOOL, written_to), first_artifact)) as api:
        requests = ask(installed, api, f"{typed} order checkout", PYTHONPATH=os.pathsep.join(stray))
    asked, *_, final = requests

    (command,) = (command for command in commands() if command.name == "saga")
    assert command.filled("order checkout").strip() in text_of(asked["messages"][0]["content"])

    broken, mended, resource = (json.loads(text_of(result["content"])) for result in results(final)[-3:])
    assert broken["outcome"] == "fail"
    (finding,) = (finding for finding in broken["findings"] if finding["severity"] == "error")
    assert finding["code"] == "SAG06"
    assert finding["counterexample"]["replayed"] is True
    assert "ChargeCard" in finding["counterexample"]["sentences"][-1]
    assert mended["outcome"] == "pass"
    assert {verdict["outcome"] for verdict in mended["verdicts"]} == {"holds"}

    # The same words as from a server of our own: what the CLI passes on is the report, whole and unchanged.
    async with Client(build_server()) as client:
        expected = (await client.call_tool("design_saga", MENDED)).structured_content
    folder = installed.project / "design/checkout"
    written = mended.pop("written")
    assert written == {"folder": str(folder), "files": len(mended["artifacts"])}
    assert mended == expected
    (read,) = resource["contents"]
    assert (folder / mended["artifacts"][0]["path"]).read_text(encoding="utf-8") == read["text"]
    for artifact in mended["artifacts"]:
        assert (folder / artifact["path"]).stat().st_size == artifact["size"]


def test_bad_input_comes_back_as_an_error_in_our_words(installed: Claude) -> None:
    with scripted_api(once_there([TOOL], (TOOL, {**MENDED, "write_to": "../elsewhere"}))) as api:
        final = ask(installed, api, "/saga order checkout")[-1]
    refused = results(final)[-1]
    assert refused["is_error"] is True
    assert "'../elsewhere' climbs with '..'" in text_of(refused["content"])
    assert not (installed.project.parent / "elsewhere").exists()


@pytest.mark.parametrize("name", [command.name for command in commands() if command.name != "saga"])
def test_every_shortcut_works_typed_either_way(installed: Claude, name: str) -> None:
    (command,) = (command for command in commands() if command.name == name)
    for typed in (f"/{name}", f"/halfopen:{name}"):
        with scripted_api(model()) as api:
            (asked, *_) = ask(installed, api, f"{typed} our checkout, $5 & up")
        assert command.filled("our checkout, $5 & up").strip() in text_of(asked["messages"][0]["content"])


def test_the_knowledge_is_searched_and_its_entries_are_read(installed: Claude) -> None:
    search = TOOL.replace("design_saga", "search_knowledge")
    read: Call = (READ, {"server": "plugin:halfopen:halfopen", "uri": "halfopen://laws/7"})
    with scripted_api(once_there([search, READ], (search, {"query": "how long should a timeout be"}), read)) as api:
        final = ask(installed, api, "/mantra a call that hangs")[-1]
    found, law = (text_of(result["content"]) for result in results(final)[-2:])
    assert found.startswith("## Timeout\n> **Rule:** Every external call needs a timeout")
    assert json.loads(law)["contents"][0]["text"].startswith("# Law 7: Idempotency Is a Requirement")


def test_the_engineer_is_an_agent(installed: Claude) -> None:
    search = TOOL.replace("design_saga", "search_knowledge")
    # The CLI waits for a server only so long, and the first start of one may take longer on a busy machine.
    for _ in range(3):
        with scripted_api(model()) as api:
            done = installed.run(
                *("--agent", "halfopen:distributed-systems-engineer", "-p", "hello"),
                ANTHROPIC_BASE_URL=api.url,
                ANTHROPIC_API_KEY="no-key",
            )
            assert done.returncode == 0, done.stdout + done.stderr
            (asked, *_) = api.conversation()
        assert "You are **pragmatic, systems-minded, and resilience-obsessed**." in json.dumps(asked["system"])
        if search in json.dumps(asked):
            break
    assert search in json.dumps(asked)


def test_the_engineer_works_with_the_tools_of_the_plugin_when_he_is_sent(installed: Claude) -> None:
    search = TOOL.replace("design_saga", "search_knowledge")
    sent = "Say how long a timeout should be."
    engineer = "halfopen:distributed-systems-engineer"
    send: Call = ("Agent", {"subagent_type": engineer, "description": "a figure", "prompt": sent})
    ours = once_there([search], send)
    his = model((search, {"query": "how long should a timeout be"}))

    def is_his(request: dict[str, Any]) -> bool:
        return "resilience-obsessed" in json.dumps(request.get("system"))

    with scripted_api(lambda request: his(request) if is_his(request) else ours(request)) as api:
        done = installed.run(
            *("-p", "ask the engineer", "--allowedTools", search),
            ANTHROPIC_BASE_URL=api.url,
            ANTHROPIC_API_KEY="no-key",
        )
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [request for request in api.conversation() if is_his(request)]
    assert sent in told(asked[0])
    assert set(agent().allowed_tools) <= {tool["name"] for tool in asked[0]["tools"]}
    assert "**Rule:** Every external call needs a timeout" in text_of(results(asked[-1])[0]["content"])


def test_the_output_style_is_there_for_who_wants_it(installed: Claude) -> None:
    words = "Nothing stands before it: no praise, no summary of the request."
    with scripted_api(model()) as api:
        (plain, *_) = ask(installed, api, "hello")
    assert words not in json.dumps(plain)
    settings = installed.home / ".claude" / "settings.json"
    chosen = {**json.loads(settings.read_text()), "outputStyle": "halfopen:Distributed Systems Engineer"}
    settings.write_text(json.dumps(chosen))
    with scripted_api(model()) as api:
        (styled, *_) = ask(installed, api, "hello")
    assert words in json.dumps(styled)


def test_a_resource_that_is_mentioned_in_a_terminal_comes_along(installed: Claude) -> None:
    # The CLI resolves what is typed, not what stands in the prompt of -p: the name of our server holds colons.
    mention = "@plugin:halfopen:halfopen:halfopen://laws/idempotency"
    law = "# Law 7: Idempotency Is a Requirement"
    with scripted_api(model()) as api, opened(installed, api.url) as terminal:
        terminal.until(lambda: PROMPT in terminal.shown(), "the prompt")
        # The server may still be on its way up; nobody would give up after one try either.
        for times in range(1, 20):
            terminal.enter(f"{mention} asked {times}")
            terminal.until(lambda: len(api.conversation()) >= times, "the request")  # noqa: B023 - called in this round
            if law in told(api.conversation()[-1]):
                break
            terminal.until(lambda: terminal.shown().count("done") >= times, "the answer")  # noqa: B023 - as above
    asked = told(api.conversation()[-1])
    assert mention in asked
    assert law in asked

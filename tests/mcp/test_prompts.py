"""The commands as prompts, from the files that Claude Code reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mcp import Client
from mcp_types import PromptReference

from halfopen.data import root
from halfopen.knowledge import knowledge
from halfopen_server.commands import Command, agent, commands, parse_command
from halfopen_server.mcp import build_server
from halfopen_server.mcp_schema import flat
from halfopen_server.mcp_tools import Place

pytestmark = pytest.mark.anyio

# How Claude Code names a tool of this plugin's server.
PREFIX = "mcp__plugin_halfopen_halfopen__"
SEED = Path(__file__).parents[1].joinpath("knowledge", "seed.md").read_text(encoding="utf-8")
FILES = sorted(entry.name for entry in root().joinpath("prompts/commands").iterdir())


@pytest.mark.parametrize("file", FILES)
def test_the_front_matter_of_every_command_is_whole(file: str) -> None:
    command = parse_command(root().joinpath("prompts/commands", file).read_text(encoding="utf-8"))
    # The bare /name works only where the name is that of the file.
    assert f"{command.name}.md" == file
    # Claude Code cuts a description at 1,536 characters.
    assert 0 < len(command.description) <= 1536
    assert command.argument_hint
    assert "$ARGUMENTS" in command.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", "starts with front matter"),
        ("---\n- a\n---\ntext\n", "a mapping"),
        ("---\nname: x\ndescription: y\n---\n", "and a text"),
        ("---\nname: x\n---\ntext\n", "lacks description"),
    ],
)
def test_a_command_that_is_not_whole_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_command(text)


def tool_of(command: Command) -> str:
    """What its tool would be called."""
    return f"design_{command.name.replace('-', '_')}"


async def test_every_tool_that_a_command_names_exists() -> None:
    async with Client(build_server()) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    for command in (*commands(), agent()):
        ours = [tool.removeprefix(PREFIX) for tool in command.allowed_tools if tool.startswith("mcp__")]
        assert ours
        assert set(ours) <= names
        assert set(re.findall(r"`(design_\w+|explain|search_knowledge|check_file)`", command.text)) == set(ours)


async def test_every_key_and_value_of_the_spec_that_a_command_names_exists() -> None:
    async with Client(build_server()) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for command in commands():
        if tool_of(command) not in tools:
            continue
        schema = json.dumps(tools[tool_of(command)].input_schema)
        named = set(re.findall(r"`([a-z_]+)(?:: \w+)?`", command.text.partition("## 2.")[0]))
        # "halfopen" is the server's name; all other words in the part that tells how to fill in the spec are of it.
        assert len(named) > 5
        assert {word for word in named if f'"{word}"' not in schema} <= {"halfopen", tool_of(command)}


async def test_what_the_saga_command_says_of_checks_and_warnings_is_what_a_report_says() -> None:
    (text,) = (command.text for command in commands() if command.name == "saga")
    step = {"service": "stock", "action": "Reserve", "compensation": "Release", "writes": ["level"]}
    spec = {
        "saga": "checkout",
        "services": {"stock": {}, "payment": {"deduplicates": False}},
        "steps": [{"name": "a", **step}, {"name": "b", "service": "payment", "action": "Charge"}],
    }
    async with Client(build_server()) as client:
        broken = (await client.call_tool("design_saga", spec)).structured_content
        calm = {"lost_messages": 0, "duplicated_messages": 0, "late_messages": False, "crashes": 0}
        warned = (await client.call_tool("design_saga", {**spec, "faults": calm})).structured_content
    checks = {check["name"]: check for check in broken["checks"]}
    for name, status in (("smallest set of guarantees", "failed"), ("isolation between runs", "skipped")):
        assert f"`{name}`" in text
        assert checks[name]["status"] == status
    assert "`instances: 2`" in checks["isolation between runs"]["detail"]
    words = "takes more faults than `faults` allows"
    assert words in text
    assert [found["severity"] for found in warned["findings"] if words in found["message"]] == ["warning"]


async def test_a_prompt_is_the_command_with_the_request_in_it(era: str) -> None:
    async with Client(build_server(), mode=era) as client:
        prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        assert set(prompts) == {command.name for command in (*commands(), agent())}
        for command in (*commands(), agent()):
            assert prompts[command.name].description == command.description
            result = await client.get_prompt(command.name, {"request": "order checkout, $5 & up"})
            text = result.messages[0].content.text
            assert text == command.text.replace("$ARGUMENTS", "order checkout, $5 & up")
            assert (await client.get_prompt(command.name)).messages


async def test_what_no_tool_checks_says_so_in_plain_words() -> None:
    async with Client(build_server()) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
    for command in commands():
        checked = {tool_of(command)} & tools or command.name == "mantra"
        assert bool(checked) != ("Not machine-checked: this is advice from the knowledge base." in command.text)


def test_every_shortcut_of_the_seed_is_there_in_its_own_words() -> None:
    shortcuts = dict(re.findall(r"^- \*\*/([a-z-]+)\*\*: (.+)$", SEED, re.MULTILINE))
    assert len(shortcuts) == 6
    said = {command.name: command.description for command in commands()}
    assert all(said[name].startswith(words) for name, words in shortcuts.items())


def test_the_agent_speaks_in_the_words_of_the_seed() -> None:
    introduction = SEED.split("# The Backend/Distributed Systems Engineer\n")[1].split("⸻")[0].strip()
    tone = SEED.split("## 1. Personality & Tone\n")[1].split("⸻")[0].strip()
    front = re.findall(r'^description: "(.+)"$', SEED, re.MULTILINE)
    assert introduction in agent().text
    assert tone in agent().text
    assert agent().description.startswith(front[0])
    assert [law.title in agent().text for law in knowledge().laws] == [True] * 10


async def test_a_request_is_completed_with_what_is_known(era: str) -> None:
    async with Client(build_server(), mode=era) as client:
        found = await client.complete(PromptReference(name="mantra"), {"name": "request", "value": "circ"})
    assert found.completion.values == ["Circuit breaker"]


def test_no_argument_of_the_place_is_left_undescribed() -> None:
    assert all(part["description"] for part in flat(Place)["properties"].values())

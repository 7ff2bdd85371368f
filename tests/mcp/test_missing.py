"""What a call lacks: asked for where the client can ask, named in the error where it can't."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from inline_snapshot import snapshot
from mcp import Client
from mcp_types import ElicitResult
from pydantic import BaseModel, ConfigDict, Field

from halfopen.registry import Capability
from halfopen.source import Source
from halfopen_server.mcp import HalfopenServer, build_server
from tests.mcp.toy import Bench, Part, ToySpec

pytestmark = pytest.mark.anyio


class ModelSpec(BaseModel):
    """A model of something, of which every kind of field has to be told."""

    model_config = ConfigDict(extra="forbid")

    toy: str = Field(pattern="^[a-z]{1,9}$", description="What it is called.")
    colour: Literal["red", "blue"]
    scale: int = Field(ge=1, le=100)
    weight: float
    painted: bool
    parts: list[Part] = Field(default_factory=list)


class KitSpec(BaseModel):
    """A kit, which is nothing without its parts."""

    model_config = ConfigDict(extra="forbid")

    toy: str
    parts: list[Part] = Field(examples=[[{"name": "wheel", "weight": 4}]])
    boxes: list[Part]


ANSWERS = {"toy": "car", "colour": "red", "scale": 8, "weight": 1.5, "painted": True}


class User:
    """Who is asked, and what was asked."""

    def __init__(self, action: Literal["accept", "decline", "cancel"], content: dict[str, Any] | None = None) -> None:
        self.result = ElicitResult(action=action, content=content)
        self.asked: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:  # noqa: ARG002
        self.asked.append(params)
        return self.result


def made(spec: type[BaseModel]) -> Capability:
    bench = Bench()

    def design(given: Any, source: Source, options: Any) -> tuple[ToySpec, Source]:
        parts = [part.model_dump() for part in given.parts]
        return bench.design(ToySpec(toy=given.toy, parts=parts), source, options)

    return replace(bench.capability(), spec=spec, design=design)


Ask = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def ask(era: str, project: Path) -> Ask:  # noqa: ARG001 - the folder that a client without roots works in
    def to_server(spec: type[BaseModel], user: User | None) -> AbstractAsyncContextManager[Client]:
        return Client(build_server([made(spec)]), mode=era, elicitation_callback=user)

    return to_server


def said(result: Any) -> str:
    return str(result.content[0].text)


async def test_what_is_missing_is_asked_for_in_one_form(ask: Ask) -> None:
    user = User("accept", ANSWERS)
    async with ask(ModelSpec, user) as client:
        result = await client.call_tool("design_toy", {"parts": [{"name": "wheel"}]})
    assert not result.is_error, said(result)
    assert result.structured_content["summary"] == "car: 1 parts"
    (asked,) = user.asked
    assert asked.message == "Design a toy: this is needed and was not said."
    assert asked.requested_schema == snapshot(
        {
            "type": "object",
            "properties": {
                "toy": {
                    "type": "string",
                    "description": "What it is called. Write 1 to 9 of a-z.",
                },
                "colour": {"type": "string", "enum": ["red", "blue"]},
                "scale": {"type": "integer", "minimum": 1, "maximum": 100},
                "weight": {"type": "number"},
                "painted": {"type": "boolean"},
            },
            "required": ["toy", "colour", "scale", "weight", "painted"],
        }
    )


async def test_only_what_is_missing_is_asked_for_and_an_answer_is_as_if_it_had_been_said(ask: Ask) -> None:
    user = User("accept", {"scale": 8})
    rest = {name: value for name, value in ANSWERS.items() if name != "scale"}
    async with ask(ModelSpec, user) as client:
        asked = await client.call_tool("design_toy", {**rest, "scale": None})
        given = await client.call_tool("design_toy", ANSWERS)
    assert list(user.asked[0].requested_schema["properties"]) == ["scale"]
    assert len(user.asked) == 1
    assert asked.structured_content == given.structured_content


@pytest.mark.parametrize(
    ("action", "last"),
    [
        ("decline", "The user was asked for it and declined."),
        ("cancel", "The user was asked for it and gave no answer."),
    ],
)
async def test_who_does_not_answer_is_asked_once_and_the_error_names_what_is_missing(
    ask: Ask, action: Any, last: str
) -> None:
    user = User(action)
    async with ask(ModelSpec, user) as client:
        result = await client.call_tool("design_toy", {"toy": "car", "colour": "red", "scale": 1})
    assert result.is_error
    assert said(result) == f'input: the keys "weight", "painted" are missing.\n{last}'
    assert len(user.asked) == 1


async def test_a_client_that_can_not_ask_gets_the_same_error(ask: Ask) -> None:
    async with ask(ModelSpec, None) as client:
        result = await client.call_tool("design_toy", {"toy": "car", "colour": "red", "scale": 1})
    assert result.is_error
    assert said(result) == 'input: the keys "weight", "painted" are missing.'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**ANSWERS, "toy": "A car"}, snapshot('input: toy: "A car" doesn\'t fit; it has to be 1 to 9 of a-z.')),
        ({**ANSWERS, "scale": "big"}, snapshot('input: scale: "big" is text; it has to be a whole number.')),
        (
            {**ANSWERS, "colour": "rde"},
            snapshot('input: colour: "rde" is not a legal value. Did you mean red? Legal: red, blue.'),
        ),
        ({"toy": "car"}, snapshot('input: the keys "colour", "scale", "weight", "painted" are missing.')),
        (
            {**ANSWERS, "owner": "me"},
            snapshot("""\
input: owner: unknown argument. Legal: toy, colour, scale, weight, painted, parts, shout, copies, spec_file, write_to, \
overwrite.\
"""),
        ),
    ],
)
async def test_an_answer_that_does_not_fit_is_told_in_the_words_of_the_spec(
    ask: Ask, content: dict[str, Any], message: str
) -> None:
    user = User("accept", content)
    async with ask(ModelSpec, user) as client:
        result = await client.call_tool("design_toy", {"parts": []})
    assert result.is_error
    assert said(result) == message
    assert len(user.asked) == 1


async def test_an_answer_without_content_is_an_error_and_no_crash(ask: Ask) -> None:
    user = User("accept")
    async with ask(ModelSpec, user) as client:
        result = await client.call_tool("design_toy", {"parts": []})
    assert result.is_error
    assert "Traceback" not in said(result)


async def test_what_no_form_can_ask_for_is_named_with_an_example_and_nobody_is_bothered(ask: Ask) -> None:
    user = User("accept", {"toy": "car"})
    async with ask(KitSpec, user) as client:
        result = await client.call_tool("design_toy", {"shout": True, "boxes": []})
    assert result.is_error
    assert said(result) == snapshot(
        'input: the keys "toy", "parts" are missing. For example: parts: [{"name": "wheel", "weight": 4}]'
    )
    assert user.asked == []


async def test_a_call_without_a_spec_that_no_form_could_hold_asks_for_its_file(ask: Ask, project: Path) -> None:
    (project / "kit.yaml").write_text("toy: car\nparts: [{name: wheel}]\nboxes: []\n")
    user, other = User("accept", {"spec_file": "kit.yaml"}), User("accept", {"spec_file": "../kit.yaml"})
    async with ask(KitSpec, user) as client:
        result = await client.call_tool("design_toy", {"shout": True})
        named = await client.call_tool("design_toy", {"shout": True, "spec_file": "kit.yaml"})
    async with ask(KitSpec, other) as client:
        outside = await client.call_tool("design_toy", {})
    assert user.asked[0].message == "Design a toy: no spec was given. Which file holds one?"
    assert user.asked[0].requested_schema["required"] == ["spec_file"]
    assert len(user.asked) == 1
    assert result.structured_content == named.structured_content
    # What a user types is held to the same folders.
    assert said(outside).startswith("input: spec_file: '../kit.yaml' climbs with '..'")


async def test_without_a_spec_the_error_names_all_that_it_needs(ask: Ask) -> None:
    async with ask(KitSpec, None) as client:
        result = await client.call_tool("design_toy", {})
    assert said(result) == snapshot("""\
input: no spec: give its keys inline, or its file as spec_file.
input: the keys "toy", "parts", "boxes" are missing. For example: parts: [{"name": "wheel", "weight": 4}]\
""")


@pytest.mark.parametrize(
    "arguments",
    [{"scale": 900}, {"colur": "red"}, {"parts": [{}]}, {"spec_file": "missing.yaml"}, {"copies": 1, "x": 1}],
)
async def test_nobody_is_asked_where_the_call_would_fail_for_something_else(
    ask: Ask, arguments: dict[str, Any]
) -> None:
    user = User("accept", ANSWERS)
    async with ask(ModelSpec, user) as client:
        result = await client.call_tool("design_toy", arguments)
    assert result.is_error
    assert user.asked == []


async def test_the_registered_capabilities_ask_for_what_they_need(era: str, project: Path) -> None:
    (project / "a.saga.yaml").write_text(
        "saga: a\nsteps: [{name: reserve, service: stock, action: Reserve, can_be_refused: true}]\n"
    )
    steps = [{"name": "reserve", "service": "stock", "action": "Reserve", "can_be_refused": True}]
    name, file = User("accept", {"saga": "a"}), User("accept", {"spec_file": "a.saga.yaml"})
    async with Client(build_server(), mode=era, elicitation_callback=name) as client:
        named = await client.call_tool("design_saga", {"steps": steps})
        without_steps = await client.call_tool("design_saga", {"saga": "a"})
    async with Client(build_server(), mode=era, elicitation_callback=file) as client:
        from_file = await client.call_tool("design_saga", {})
    assert named.structured_content["summary"] == from_file.structured_content["summary"]
    assert list(name.asked[0].requested_schema["properties"]) == ["saga"]
    assert len(name.asked) == len(file.asked) == 1
    assert without_steps.is_error
    assert said(without_steps).startswith('input: the key "steps" is missing. For example: steps: [{"action": ')
    example = json.loads(said(without_steps).partition("For example: steps: ")[2])
    async with Client(build_server(), mode=era) as client:
        shown = await client.call_tool("design_saga", {"saga": "a", "steps": example})
    assert shown.structured_content["outcome"] in {"pass", "warn"}


@contextmanager
def served(server: HalfopenServer, **how: bool) -> Iterator[str]:
    """The server's address over HTTP."""
    running = uvicorn.Server(uvicorn.Config(server.streamable_http_app(**how), port=0, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started and thread.is_alive():
            thread.join(0.05)
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        running.should_exit = True
        thread.join()


@pytest.mark.parametrize("stateless", [True, False])
@pytest.mark.parametrize("plain", [True, False])
async def test_over_http_a_client_is_asked_or_told_and_nothing_hangs(
    era: str,
    project: Path,  # noqa: ARG001 - the folder it works in
    *,
    stateless: bool,
    plain: bool,
) -> None:
    user = User("accept", ANSWERS)
    with served(build_server([made(ModelSpec)]), stateless_http=stateless, json_response=plain) as address:
        async with Client(address, mode=era, elicitation_callback=user) as client:
            result = await client.call_tool("design_toy", {"parts": []}, read_timeout_seconds=60)
    # Before 2026-07-28 a question needs a way back to the client, which only a session with a stream has.
    can_ask = era == "auto" or not (stateless or plain)
    assert len(user.asked) == int(can_ask)
    assert result.is_error != can_ask
    if not can_ask:
        assert said(result) == 'input: the keys "toy", "colour", "scale", "weight", "painted" are missing.'

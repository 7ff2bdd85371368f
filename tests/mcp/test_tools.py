"""What a client sees of any capability, in both protocol eras."""

from __future__ import annotations

import json
from typing import Any

import anyio
import jsonschema
import pytest
from inline_snapshot import snapshot
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from halfopen.explain import codes, explain
from halfopen.registry import capabilities
from halfopen.source import BadInput, Source, validate
from halfopen.vocabulary import (
    Counterexample,
    Decision,
    Evidence,
    Explored,
    Finding,
    Obligation,
    Outcome,
    Report,
    ReportOutcome,
    Severity,
    Verdict,
)
from halfopen_server.mcp import build_server
from halfopen_server.mcp_answers import Answer, ListedFinding, ListedRun, answer
from tests.mcp.conftest import Connect
from tests.mcp.toy import Bench, ToySpec

pytestmark = pytest.mark.anyio

CAR = {"toy": "car", "colour": "red", "parts": [{"name": "wheel", "weight": 4}]}


def said(result: Any) -> str:
    return str(result.content[0].text)


async def test_there_is_one_tool_for_each_registered_capability_and_three_for_all(era: str) -> None:
    async with Client(build_server(), mode=era) as client:
        tools = (await client.list_tools()).tools
    own = [capability.tool for capability in capabilities()]
    assert [tool.name for tool in tools] == [*own, "search_knowledge", "explain", "check_file"]
    for tool in tools:
        assert tool.title
        assert tool.description
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)


async def test_registered_capabilities_offer_their_spec_and_options_as_flat_arguments() -> None:
    async with Client(build_server()) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for capability in capabilities():
        properties = set(tools[capability.tool].input_schema["properties"])
        own = set(capability.spec.model_fields) | set(capability.options.model_fields)
        assert properties == own | {"spec_file", "write_to", "overwrite"}


async def test_the_input_schema_of_a_capability_is_brief(connect: Connect) -> None:
    async with connect() as client:
        tool = (await client.list_tools()).tools[0]
    assert tool.input_schema == snapshot(
        {
            "type": "object",
            "properties": {
                "toy": {"type": "string"},
                "colour": {"enum": ["red", "blue"], "type": "string"},
                "parts": {
                    "description": "What it is made of.",
                    "items": {
                        "properties": {"name": {"type": "string"}, "weight": {"default": 1, "type": "integer"}},
                        "required": ["name"],
                        "type": "object",
                    },
                    "type": "array",
                },
                "shout": {"description": "In capitals.", "type": "boolean"},
                "copies": {
                    "default": 1,
                    "description": "How many files.",
                    "type": "integer",
                },
                "spec_file": {
                    "type": "string",
                    "description": "YAML or JSON file with the spec, instead of inline keys.",
                },
                "write_to": {
                    "type": "string",
                    "description": "Folder for all artifacts; left out: nothing is written.",
                },
                "overwrite": {
                    "description": "Replace files in write_to even if changed by hand.",
                    "type": "boolean",
                },
            },
            "additionalProperties": False,
        }
    )


async def test_a_tool_that_can_write_says_so_and_one_that_can_not_says_so(connect: Connect) -> None:
    async with connect() as client:
        toy, *others = (await client.list_tools()).tools
    assert toy.annotations is not None
    assert (toy.annotations.read_only_hint, toy.annotations.destructive_hint) == (False, True)
    assert [tool.annotations and tool.annotations.read_only_hint for tool in others] == [True] * 3


async def test_the_reply_is_a_report_without_the_texts(connect: Connect) -> None:
    async with connect() as client:
        tool = (await client.list_tools()).tools[0]
        result = await client.call_tool("design_toy", CAR)
    assert not result.is_error
    jsonschema.validate(result.structured_content, tool.output_schema)
    identity = result.structured_content["report"].rpartition("/")[2]
    assert json.loads(said(result).replace(identity, "ID")) == snapshot(
        {
            "outcome": "pass",
            "summary": "car: 1 parts",
            "decisions": [{"about": "colour", "choice": "red", "because": "it was asked for"}],
            "artifacts": [
                {
                    "path": "docs/0/toy.md",
                    "size": 20,
                }
            ],
            "report": "halfopen://reports/ID",
        }
    )
    assert json.loads(said(result)) == result.structured_content


async def test_a_finding_says_where_in_the_arguments_it_stands(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", {"toy": "tank", "parts": [{"name": "gun", "weight": 80}]})
    assert result.structured_content["outcome"] == "fail"
    assert result.structured_content["findings"] == snapshot(
        [
            {
                "code": "TOY01",
                "severity": "error",
                "title": "too heavy",
                "message": "a child can't lift it",
                "evidence": [{"path": "parts[0].weight"}],
                "fix": "make it lighter",
                "counterexample": {"sentences": ["A child lifts it.", "It falls."], "replayed": True},
            }
        ]
    )


async def test_the_report_in_full_has_the_diagram_that_the_reply_leaves_out(connect: Connect) -> None:
    async with connect() as client:
        told = (await client.call_tool("design_toy", {"toy": "tank", "parts": [{"name": "gun", "weight": 80}]})).content
        uri = json.loads(told[0].text)["report"]
        whole = Report.model_validate_json((await client.read_resource(uri)).contents[0].text)
    assert whole.findings[0].counterexample is not None
    assert whole.findings[0].counterexample.diagram == "sequenceDiagram\n"


def test_what_a_report_says_many_times_is_said_once() -> None:
    def decided(about: str, choice: str) -> Decision:
        return Decision(about=about, choice=choice, because="it is usual", instead_of=("other",))

    def obliged(on: str, *, needed: bool) -> Obligation:
        return Obligation(on=on, guarantee="deduplicates", provided_by="code", needed=needed, because="so")

    run = ("It rises.", "It falls.")
    explored = Explored(states=1, transitions=1, depth=1)
    finding = Finding(
        code="TOY02",
        severity=Severity.ERROR,
        title="t",
        message="m",
        evidence=(Evidence(path="toy"),),
        fix="f",
        counterexample=Counterexample(sentences=run, diagram="d", replayed=True),
    )
    report = Report(
        summary="s",
        outcome=ReportOutcome.FAIL,
        findings=(finding,),
        decisions=(decided("a", "1"), decided("b", "2"), decided("c", "1")),
        obligations=(obliged("x", needed=True), obliged("y", needed=False), obliged("z", needed=True)),
        verdicts=tuple(
            Verdict(property=name, outcome=Outcome.VIOLATED, path=path, explored=explored)
            for name, path in (("stands", run), ("flies", ("It stays.",)))
        ),
    )
    told = answer("id", report, None)
    assert [(each.about, each.choice) for each in told.decisions] == [("a, c", "1"), ("b", "2")]
    assert [(each.on, each.needed) for each in told.obligations] == [("x, z", True), ("y", False)]
    assert [(each.property, each.path) for each in told.verdicts] == [("stands", ()), ("flies", ("It stays.",))]
    assert told.findings[0].counterexample is not None
    assert told.findings[0].counterexample.sentences == run


def test_the_reply_has_every_part_of_a_report() -> None:
    assert set(Answer.model_fields) == set(Report.model_fields) | {"report", "written", "note", "left_out"}
    assert set(ListedFinding.model_fields) == set(Finding.model_fields)
    assert set(ListedRun.model_fields) == set(Counterexample.model_fields) - {"diagram"}


async def test_explain_answers_with_a_page_and_refuses_what_is_no_code(connect: Connect) -> None:
    async with connect() as client:
        pages = [await client.call_tool("explain", {"code": code}) for code in codes()]
        refused = await client.call_tool("explain", {"code": "SAG"})
    assert pages
    assert all(said(page) == explain(code) for page, code in zip(pages, codes(), strict=True))
    assert refused.is_error
    with pytest.raises(BadInput) as expected:
        explain("SAG")
    assert said(refused) == str(expected.value)


async def test_bad_input_is_told_in_the_words_of_the_spec(connect: Connect) -> None:
    wrong = {"toy": "car", "colour": "rde", "parts": [{"name": "wheel", "wieght": 4}]}
    with pytest.raises(BadInput) as expected:
        validate(ToySpec, Source(wrong))
    async with connect() as client:
        result = await client.call_tool("design_toy", wrong)
    assert result.is_error
    assert result.structured_content is None
    assert said(result) == str(expected.value)
    assert said(result) == snapshot("""\
input: parts[0].wieght: unknown key "wieght". Did you mean weight? Legal: name, weight.
input: colour: "rde" is not a legal value. Did you mean red? Legal: red, blue.\
""")


@pytest.mark.parametrize(
    "arguments",
    [{"toy": "\ud800"}, {"toy": "car", "colour": "\ud800"}, {"spec_file": "\ud800"}, {"parts": [{"name": "\ud800"}]}],
)
async def test_half_a_character_is_refused(bench: Bench, arguments: dict[str, Any]) -> None:
    # Only the era of 2026-07-28 lets one through.
    async with Client(build_server([bench.capability()])) as client:
        result = await client.call_tool("design_toy", arguments)
    assert result.is_error
    assert said(result) == "input: arguments: hold half of a character (\\ud800), which is no text."


async def test_an_unknown_prompt_is_an_error_that_names_the_known_ones(era: str) -> None:
    async with Client(build_server(), mode=era) as client:
        with pytest.raises(MCPError, match=r"Unknown prompt: sago\. Legal: .*saga") as caught:
            await client.get_prompt("sago")
    assert caught.value.code == INVALID_PARAMS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {},
            snapshot("""\
input: no spec: give its keys inline, or its file as spec_file.
input: the key "toy" is missing.\
"""),
        ),
        (
            {"toy": "car", "colur": "red"},
            snapshot(
                "input: colur: unknown argument. Did you mean colour? "
                "Legal: toy, colour, parts, shout, copies, spec_file, write_to, overwrite."
            ),
        ),
        (
            {"toy": "car", "writeto": "out"},
            snapshot(
                "input: writeto: unknown argument. Did you mean write_to? "
                "Legal: toy, colour, parts, shout, copies, spec_file, write_to, overwrite."
            ),
        ),
        (
            {"toy": "car", "spec_file": "a.yaml"},
            snapshot("input: spec_file: takes the place of the inline keys (toy): give one or the other."),
        ),
        ({"toy": "car", "copies": 9}, snapshot("input: copies: 9 is out of range; it has to be 3 or less.")),
        (
            {"toy": "car", "overwrite": "maybe"},
            snapshot('input: overwrite: "maybe" is text; it has to be true or false.'),
        ),
        ({"toy": "car", "parts": "[1"}, snapshot('input: parts: "[1" is text; it has to be a list.')),
        (
            {"toy": "car", "parts": [{"name": "x", "weight": "heavy"}]},
            snapshot('input: parts[0].weight: "heavy" is text; it has to be a whole number.'),
        ),
    ],
)
async def test_what_is_wrong_with_a_call_is_said_in_one_message(
    connect: Connect, arguments: dict[str, Any], message: str
) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", arguments)
    assert result.is_error
    assert "Traceback" not in said(result)
    assert said(result) == message


async def test_a_missing_file_is_named_as_the_caller_named_it(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", {"spec_file": "specs/missing.yaml"})
    assert result.is_error
    assert said(result).startswith("specs/missing.yaml: ")


async def test_lists_sent_as_json_text_and_null_for_left_out_are_understood(connect: Connect) -> None:
    sent = {**CAR, "parts": json.dumps(CAR["parts"]), "shout": None, "write_to": None, "copies": None}
    async with connect() as client:
        result = await client.call_tool("design_toy", sent)
        same = await client.call_tool("design_toy", CAR)
    assert result.structured_content == same.structured_content


async def test_a_crash_tells_the_model_nothing_of_our_insides(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", {"toy": "broken"})
    assert result.is_error
    assert "secret" not in said(result)
    assert said(result) == "Error executing tool design_toy"


async def test_progress_is_passed_on_and_only_grows(connect: Connect) -> None:
    heard: list[tuple[float, str | None]] = []

    async def listen(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        heard.append((progress, message))

    async with connect() as client:
        await client.call_tool("design_toy", {"toy": "counting"}, progress_callback=listen)
        await client.list_tools()
    assert heard[-1][1] == "2 coats painted"
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})


async def test_cancelling_the_call_ends_the_run_and_writes_nothing(
    connect: Connect, bench: Bench, project: Any
) -> None:
    async with connect() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "design_toy", {"toy": "endless", "write_to": "out"})
            await anyio.to_thread.run_sync(bench.started.wait)
            group.cancel_scope.cancel()
        await anyio.to_thread.run_sync(bench.ended.wait)
        assert bench.saw_cancel
        assert (await client.call_tool("design_toy", CAR)).structured_content["outcome"] == "pass"
    assert list(project.iterdir()) == []


async def test_the_list_of_tools_answers_while_a_run_goes_on(connect: Connect, bench: Bench) -> None:
    async with connect() as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "design_toy", {"toy": "endless"})
        await anyio.to_thread.run_sync(bench.started.wait)
        assert (await client.list_tools()).tools
        group.cancel_scope.cancel()

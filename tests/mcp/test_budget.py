"""Context is a cost: what a session carries and what a call adds to it stay within their budgets."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from halfopen.explain import codes, explain
from halfopen.knowledge import knowledge
from halfopen.source import BadInput, Problem
from halfopen.vocabulary import (
    Certainty,
    Check,
    Counterexample,
    Decision,
    Evidence,
    Explored,
    Finding,
    Obligation,
    Outcome,
    Report,
    Severity,
    Status,
    Verdict,
    judge,
)
from halfopen_server.mcp import INSTRUCTIONS, build_server
from halfopen_server.mcp_answers import answer, refusal
from halfopen_server.mcp_budget import MOST, compact, lines_within, shortened
from tests.oracles import require

EXAMPLES = Path(__file__).parents[2] / "examples"
# Claude Code cuts descriptions at 4,096 characters and documents 2 KB.
LONGEST_DESCRIPTION = 2_000
# For the whole list of tools, and for one reply: in tokens, and in characters where nothing counts tokens.
LIST_TOKENS, LIST_CHARACTERS = 6_000, 24_000
REPLY_TOKENS = 3_000


@pytest.fixture(params=["o200k_base", "cl100k_base"])
def tokens(request: pytest.FixtureRequest) -> Callable[[str], int]:
    """How many tokens a public vocabulary makes of a text."""
    there = importlib.util.find_spec("bpe_openai") is not None
    require("bpe-openai", available=there, how_to_get="install bpe-openai from PyPI")
    import bpe_openai

    vocabulary = bpe_openai.get_encoding(request.param)
    return lambda text: len(vocabulary.encode(text))


def named(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": f"step-{n}", "service": f"service{n}", "action": f"DoThing{n}", **more} for n in range(count)]


LARGE = {
    # Sixty steps, each with three obligations and a decision.
    "long": {"saga": "long", "steps": [{**step, "compensation": f"Undo{n}"} for n, step in enumerate(named(60))]},
    # Sixty steps that nothing undoes: sixty errors, each with a run that is longer than the one before.
    "broken": {"saga": "broken", "steps": named(60, can_be_refused=True)},
    "chatty": {
        "saga": "chatty",
        "steps": [{**step, "compensation": f"Undo{n}", "request": {f"field_{m}": "string" for m in range(30)}}
                  for n, step in enumerate(named(40, timeout="1s", retry={"attempts": 9}))],
    },
}  # fmt: skip


@pytest.mark.anyio
class TestSession:
    async def test_what_every_session_carries(self, era: str) -> None:
        async with Client(build_server(), mode=era) as client:
            listed = await client.list_tools()
        assert len(listed.model_dump_json(by_alias=True, exclude_none=True)) < LIST_CHARACTERS
        for tool in listed.tools:
            assert len(tool.description or "") < LONGEST_DESCRIPTION
        assert len(INSTRUCTIONS) < LONGEST_DESCRIPTION

    @pytest.mark.oracle
    async def test_in_tokens(self, era: str, tokens: Callable[[str], int]) -> None:
        async with Client(build_server(), mode=era) as client:
            listed = await client.list_tools()
        assert tokens(listed.model_dump_json(by_alias=True, exclude_none=True)) < LIST_TOKENS


async def replied(specs: list[dict[str, Any]]) -> list[Any]:
    """What the saga tool says to each."""
    async with Client(build_server()) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "design_saga"]
        replies = []
        for spec in specs:
            result = await client.call_tool("design_saga", spec)
            assert not result.is_error, result.content
            jsonschema.validate(result.structured_content, tool.output_schema)
            assert compact(result.structured_content) == result.content[0].text
            replies.append(result.structured_content)
        return replies


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def examples(anyio_backend: str) -> list[Any]:  # noqa: ARG001 - it has to be there before
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLAUDE_PROJECT_DIR", str(EXAMPLES))
        return await replied([{"spec_file": path.name} for path in sorted(EXAMPLES.glob("*.saga.yaml"))])


@pytest.fixture(scope="module")
async def large(anyio_backend: str) -> dict[str, Any]:  # noqa: ARG001 - it has to be there before
    return dict(zip(LARGE, await replied(list(LARGE.values())), strict=True))


class TestReplies:
    def test_of_the_examples_nothing_is_left_out(self, examples: list[Any]) -> None:
        assert len(examples) >= 3
        for reply in examples:
            assert len(compact(reply)) <= MOST
            assert "left_out" not in reply
            assert "more, which the report tells" not in compact(reply)

    def test_of_large_specs_what_is_left_out_is_counted(self, large: dict[str, Any]) -> None:
        for reply in large.values():
            assert len(compact(reply)) <= MOST
            # It isn't cut to the bone either.
            assert len(compact(reply)) > MOST * 0.8
        broken = large["broken"]
        codes = [finding["code"] for finding in broken["findings"]]
        assert len(codes) >= 8
        assert len(codes) + broken["left_out"]["findings"] == 60
        assert "counterexample" in broken["findings"][0]
        assert broken["left_out"]["counterexamples"] == len(codes) - len(set(codes))
        assert len(broken["verdicts"]) == 7
        assert large["long"]["left_out"]["obligations"] + len(large["long"]["obligations"]) == 180

    @pytest.mark.oracle
    def test_in_tokens(self, examples: list[Any], large: dict[str, Any], tokens: Callable[[str], int]) -> None:
        for reply in (*examples, *large.values()):
            assert tokens(compact(reply)) < REPLY_TOKENS


class TestPages:
    def test_pages_on_codes(self) -> None:
        assert [code for code in codes() if len(explain(code)) > MOST] == []

    @pytest.mark.anyio
    async def test_what_a_search_finds(self) -> None:
        known = knowledge()
        titles = [*(pattern.title for pattern in known.patterns), *(law.title for law in known.laws)]
        async with Client(build_server()) as client:
            for title in titles:
                found = await client.call_tool("search_knowledge", {"query": title})
                assert 0 < len(found.content[0].text) <= MOST, title


def words(most: int) -> st.SearchStrategy[str]:
    return st.integers(0, most).map(lambda count: "word " * count)


EVIDENCE = (Evidence(path="toy"),)
EXPLORED = Explored(states=1, transitions=1, depth=1)
RUNS = st.lists(words(40), min_size=1, max_size=40)
FINDINGS = st.builds(
    lambda code, severity, message, run: Finding(
        code=code,
        severity=severity,
        title="t",
        message=message,
        evidence=EVIDENCE,
        fix="f",
        certainty=Certainty.PROVEN,
        counterexample=Counterexample(sentences=tuple(run), diagram="d", replayed=True) if run else None,
    ),
    st.sampled_from(["TOY01", "TOY02"]),
    st.sampled_from(Severity),
    words(300),
    st.none() | RUNS,
)
REPORTS = st.builds(
    lambda findings, verdicts, checks, obligations, decisions: Report(
        summary="s",
        outcome=judge(findings, checks, verdicts),
        findings=tuple(findings),
        verdicts=tuple(verdicts),
        checks=tuple(checks),
        # Each differs from all others, so that none are merged.
        obligations=tuple(each.model_copy(update={"guarantee": str(n)}) for n, each in enumerate(obligations)),
        decisions=tuple(each.model_copy(update={"choice": str(n)}) for n, each in enumerate(decisions)),
    ),
    st.lists(FINDINGS, max_size=20),
    st.lists(
        st.builds(lambda outcome, path: Verdict(property="p", outcome=outcome, path=tuple(path), explored=EXPLORED),
                  st.sampled_from(Outcome), RUNS), max_size=10),
    st.lists(st.builds(lambda status, detail: Check(name="n", tool="t", version="1", status=status, detail=detail),
                       st.sampled_from(Status), words(50)), max_size=10),
    st.lists(st.builds(lambda needed, because: Obligation(on="o", guarantee="", provided_by="p", needed=needed,
                                                          because=because),
                       st.sampled_from([True, False, None]), words(100)), max_size=60),
    st.lists(st.builds(lambda because: Decision(about="a", choice="", because=because), words(100)), max_size=60),
)  # fmt: skip
LISTS = ("findings", "verdicts", "checks", "obligations", "decisions", "artifacts")


def plain(each: dict[str, Any]) -> str:
    """An item without its run, which may have been shortened or taken."""
    return compact({name: value for name, value in each.items() if name not in {"counterexample", "path"}})


@given(REPORTS)
def test_whatever_a_report_holds_its_reply_is_short_and_honest(report: Report) -> None:
    told = answer("id", report, None)
    full = told.model_dump(mode="json", exclude_defaults=True)
    short = shortened(told)
    assert len(compact(short)) <= MOST
    assert short == shortened(told)
    left_out = short.get("left_out", {})
    if len(compact(full)) <= MOST:
        assert short == full
    for name in LISTS:
        before, after = full.get(name, []), short.get(name, [])
        assert len(after) + left_out.get(name, 0) == len(before)
        # What is shown stands there as it was, in its order.
        rest = iter(map(plain, before))
        assert all(any(plain(item) == other for other in rest) for item in after)
    ranks = [Severity(finding["severity"]).rank for finding in full.get("findings", [])]
    shown = [Severity(finding["severity"]).rank for finding in short.get("findings", [])]
    assert sorted(shown, reverse=True) == sorted(ranks, reverse=True)[: len(shown)]


def test_what_is_left_out_is_the_lightest_of_its_list() -> None:
    obligations = tuple(
        Obligation(on="o", guarantee=str(n), provided_by="p", needed=needed, because="word " * 50)
        for n, needed in zip(range(60), itertools.cycle([False, None, True]))
    )
    told = shortened(answer("id", Report(summary="s", outcome="pass", obligations=obligations), None))
    assert told["left_out"] == {"obligations": 60 - len(told["obligations"])}
    kinds = [each["needed"] for each in told["obligations"]]
    assert kinds.count(True) == 20
    assert kinds.count(None) > 0
    assert kinds.count(False) == 0


def test_one_thing_that_is_too_long_does_not_keep_the_rest_out() -> None:
    decisions = tuple(Decision(about="a", choice=str(n), because="b") for n in range(3))
    huge = Check(name="n", tool="t", version="1", status=Status.FAILED, detail="x" * MOST)
    told = shortened(answer("id", Report(summary="s", outcome="fail", decisions=decisions, checks=(huge,)), None))
    assert told["left_out"] == {"checks": 1}
    assert "checks" not in told
    assert len(told["decisions"]) == 3


def test_a_refusal_names_the_first_problems_and_counts_the_rest() -> None:
    text = str(refusal(BadInput(Problem("unknown key.", f"key{n}") for n in range(5000))).content[0].text)
    assert len(text) <= MOST + 100
    lines = text.splitlines()
    assert lines[0] == "input: key0: unknown key."
    assert lines[-1] == f"... and {5000 - len(lines) + 1} more."


def test_a_line_that_is_too_long_is_cut() -> None:
    assert lines_within("a\n" + "b" * 100_000) == "a\n" + "b" * 997 + "..."
    assert lines_within("a\nb\nc", most=5) == "a\nb\n... and 1 more."
    assert lines_within("") == ""

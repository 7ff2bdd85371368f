from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.explain import explain
from halfopen.progress import Silent
from halfopen.registry import Options, capability
from halfopen.source import Source, parse_source, validate
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import scenarios
from halfopen_generators.saga.spec import SagaSpec
from halfopen_generators.saga.targets import flow, step_functions
from halfopen_generators.saga.targets.asl import CANCELLED, COMMITTED, MOST_ATTEMPTS


def step(name: str, **more: Any) -> dict[str, Any]:
    words = "".join(word.capitalize() for word in name.split("-"))
    return {"name": name, "service": f"{name}-service", "action": words, "timeout": "2s", **more}


def undoable(name: str, **more: Any) -> dict[str, Any]:
    return step(name, compensation=f"Undo{name.replace('-', '').capitalize()}", kind="compensatable", **more)


CHECKOUT = [
    undoable(
        "reserve-stock", can_be_refused=True, retry={"attempts": 3, "backoff": "200ms"}, reply={"shelf": "string"}
    ),
    step("charge-card", kind="pivot", can_be_refused=True),
    step("create-shipment", kind="retriable", request={"shelf": "string"}),
]
DIAMOND = [
    undoable("a"),
    undoable("b", after=["a"], can_be_refused=True),
    undoable("c", after=["a"]),
    undoable("d", after=["c"]),
    step("e", after=["b", "d"], kind="pivot", can_be_refused=True),
    step("f", after=["e"], kind="retriable"),
]
# No way to put these one after the other or side by side: c waits for a, d for both.
CROSSED = [
    undoable("a", after=[]),
    undoable("c", after=["a"]),
    undoable("b", after=[], can_be_refused=True),
    undoable("d", after=["a", "b"]),
]
NO_PIVOT = [undoable("hold-room"), undoable("hold-flight", can_be_refused=True)]
ONE = [step("charge-card", kind="pivot", can_be_refused=True)]
SIX = [
    *(undoable(f"step-{number}", can_be_refused=number == 4) for number in range(1, 5)),
    step("decide", kind="pivot", can_be_refused=True),
    step("tell", kind="retriable", timeout="90s"),
]
DESIGNS = {
    "checkout": CHECKOUT, "diamond": DIAMOND, "crossed": CROSSED, "no-pivot": NO_PIVOT, "one": ONE, "six": SIX
}  # fmt: skip


def designed(steps: list[dict[str, Any]], **more: Any) -> SagaDesign:
    spec = {"saga": "checkout", "style": "orchestration", "correlation_key": "order_id", "steps": steps, **more}
    source = Source(spec)
    return design(validate(SagaSpec, source), source, Options())


def rendered(found: SagaDesign) -> dict[str, str]:
    return {each.path: each.text for each in step_functions.artifacts(found, scenarios(found))}


def machine(found: SagaDesign) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(rendered(found)[step_functions.DEFINITION])
    return definition


def scopes(definition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine and every branch in it."""
    yield definition
    for state in definition["States"].values():
        for branch in state.get("Branches", []):
            yield from scopes(branch)


def follows(state: dict[str, Any]) -> list[str]:
    """Where a state can lead."""
    found = [state[key] for key in ("Next", "Default") if key in state]
    return found + [each["Next"] for key in ("Catch", "Choices") for each in state.get(key, [])]


@pytest.mark.parametrize("name", DESIGNS)
def test_every_way_leads_to_a_state_and_every_state_is_reached(name: str) -> None:
    seen: list[str] = []
    for scope in scopes(machine(designed(DESIGNS[name]))):
        reached, todo = set(), [scope["StartAt"]]
        while todo:
            if (here := todo.pop()) not in reached:
                reached.add(here)
                todo.extend(follows(scope["States"][here]))
        # A join of its own may be the only way on; what is not reached is dead text.
        assert reached | {CANCELLED} == set(scope["States"]) | {CANCELLED}
        seen.extend(scope["States"])
        for state in scope["States"].values():
            assert follows(state) or state.get("End") is True
    assert len(seen) == len(set(seen)), "the language wants names unique over the whole machine"
    assert max(map(len, seen)) <= 80


@pytest.mark.parametrize("name", DESIGNS)
def test_what_is_rendered_is_the_same_each_time(name: str) -> None:
    found = designed(DESIGNS[name])
    assert rendered(found) == rendered(found)


def test_a_step_is_limited_retried_and_caught_by_itself() -> None:
    states = machine(designed(CHECKOUT))["States"]
    task = states["reserve-stock"]
    assert task["TimeoutSeconds"] == 2
    assert task["Retry"] == [
        {"ErrorEquals": ["Refused"], "MaxAttempts": 0},
        {
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": 1,
            "BackoffRate": 2.0,
            "MaxDelaySeconds": 30,
            "JitterStrategy": "FULL",
            "MaxAttempts": 2,
        },
    ]
    assert [(each["ErrorEquals"], each["Next"]) for each in task["Catch"]] == [
        (["Refused"], "reserve-stock was refused"),
        (["States.ALL"], "reserve-stock is unknown"),
    ]
    assert states["reserve-stock was refused"]["Next"] == CANCELLED
    assert states["reserve-stock is unknown"]["Next"] == "Undo reserve-stock"
    payload = task["Parameters"]["Payload"]
    assert payload["idempotency_key.$"] == "States.Format('{}/reserve-stock/action', $$.Execution.Name)"


def test_what_must_be_answered_is_sent_until_the_execution_could_no_longer_be_redriven() -> None:
    states = machine(designed(CHECKOUT))["States"]
    pivot, retriable, undo = states["charge-card"], states["create-shipment"], states["Undo reserve-stock"]
    # Nothing undoes the pivot: a refusal turns back, no answer does not.
    assert [each["ErrorEquals"] for each in pivot["Catch"]] == [["Refused"]]
    assert "Catch" not in retriable
    assert "Catch" not in undo
    assert [each["ErrorEquals"] for each in retriable["Retry"]] == [["States.ALL"]]
    attempts = {each["Retry"][-1]["MaxAttempts"] for each in (pivot, retriable, undo)}
    assert attempts == {2649}
    assert 3 * 3 * 2650 < 25_000 < 3 * MOST_ATTEMPTS


def test_compensations_are_chained_in_the_opposite_order() -> None:
    states = machine(designed(SIX))["States"]
    chain, here = [], states["decide was refused"]["Next"]
    while here != CANCELLED:
        chain.append(here)
        here = states[here]["Next"]
    assert chain == ["Undo step-4", "Undo step-3", "Undo step-2", "Undo step-1"]
    assert states["tell"]["Next"] == COMMITTED


def test_a_diamond_is_two_branches_that_never_fail() -> None:
    found = designed(DIAMOND)
    states = machine(found)["States"]
    branches = states["Beside 1"]["Branches"]
    assert [sorted(set(each["States"])) for each in branches] == [
        ["b", "b is unknown", "b was refused"],
        ["c", "c is unknown", "c was refused", "d", "d is unknown", "d was refused"],
    ]
    caught = [each for branch in branches for state in branch["States"].values() for each in state.get("Catch", [])]
    assert sorted({error for each in caught for error in each["ErrorEquals"]}) == ["Refused", "States.ALL"]
    assert states["Join 1"]["Default"] == "Was d sent"
    assert states["Was d sent"]["Choices"][0]["Next"] == "Was c sent"
    assert step_functions.unsupported(found, Source(None)) == ()


def test_an_order_that_does_not_nest_is_cut_into_levels_and_reported() -> None:
    found = designed(CROSSED)
    assert flow.cut(found)[1] == (flow.Wait("c", "b"),)
    (finding,) = step_functions.unsupported(found, Source(None))
    assert (finding.code, finding.evidence[0].path) == (step_functions.CODE, "steps[1].after")
    assert "c also waits for b" in finding.message


def test_what_the_target_says_otherwise_is_reported() -> None:
    found = designed(CHECKOUT, deadline="30s", style="event-sourced")
    findings = step_functions.unsupported(found, Source(None))
    assert [(each.title, each.evidence[0].path) for each in findings] == [
        ("The log is the engine's", "style"),
        ("The deadline is not watched", "deadline"),
        ("Times are whole seconds", "steps[0]"),
    ]
    text = rendered(found)["README.md"]
    assert [each.message for each in findings if f"- {each.message}" not in text] == []


def test_behind_the_pivot_a_refusal_is_asked_again_even_if_attempts_are_limited() -> None:
    steps = [*ONE, step("ship", kind="retriable", retry={"attempts": 2})]
    task = machine(designed(steps))["States"]["ship"]
    assert [(each["ErrorEquals"], each["Next"]) for each in task["Catch"]] == [
        (["Refused"], "ship"),
        (["States.ALL"], "ship is unknown"),
    ]
    assert [each["MaxAttempts"] > 1 for each in task["Retry"]] == [True, False]


@pytest.mark.parametrize(("asked", "said"), [("1ms", 1), ("1s", 1), ("1200ms", 2), ("2h", 7200), ("8760h", 31_536_000)])
def test_times_are_whole_seconds_within_the_limits_of_the_language(asked: str, said: int) -> None:
    found = designed([undoable("a", timeout="1s", retry={"backoff": "1ms", "max_backoff": asked})])
    retry = machine(found)["States"]["a"]["Retry"][-1]
    assert (retry["IntervalSeconds"], retry.get("MaxDelaySeconds", 1)) == (1, said)
    assert machine(designed([undoable("a", timeout=asked)]))["States"]["a"]["TimeoutSeconds"] == said


@st.composite
def orders(draw: st.DrawFn) -> SagaDesign:
    count = draw(st.integers(1, 9))
    steps = []
    for index in range(count):
        before = [f"s{other}" for other in range(index)]
        after = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
        steps.append(undoable(f"s{index}", after=after))
    return designed(steps)


def starts(found: flow.Flow, since: frozenset[str], ended: dict[str, frozenset[str]]) -> frozenset[str]:
    """What has ended when each step starts, written to `ended`; and what has when all of it has."""
    if isinstance(found, str):
        ended[found] = since
        return since | {found}
    if isinstance(found, flow.Series):
        for part in found.parts:
            since = starts(part, since, ended)
        return since
    return since.union(*(starts(branch, since, ended) for branch in found.branches))


@settings(max_examples=150, deadline=None)
@given(orders())
def test_whatever_the_order_no_step_starts_too_early_and_every_other_wait_is_told(found: SagaDesign) -> None:
    whole, waits = flow.cut(found)
    ended: dict[str, frozenset[str]] = {}
    assert starts(whole, frozenset(), ended) == set(found.by_name)
    asked = {(name, other) for name in ended for other in found.ancestors[name]}
    happens = {(name, other) for name, before in ended.items() for other in before}
    assert asked <= happens
    assert happens - asked == {(wait.step, wait.other) for wait in waits}


class Walk:
    """An interpreter of its own for what the definitions use: each step meets a fate."""

    def __init__(self, found: SagaDesign, fates: dict[str, str]) -> None:
        self.fates = fates
        self.status = dict.fromkeys(found.by_name, "not-sent")
        self.undone: list[str] = []
        self.end = self.through(machine(found))

    def through(self, scope: dict[str, Any]) -> str:
        name = str(scope["StartAt"])
        for _ in range(1000):
            following = self.enter(name, scope["States"][name])
            if following is None:
                return name
            name = following
        raise AssertionError("the walk does not end")

    def enter(self, name: str, state: dict[str, Any]) -> str | None:
        if name in self.fates:
            self.status[name] = self.fates[name]
            caught = {"refused": ["Refused"], "unknown": ["States.ALL"]}.get(self.fates[name])
            return next((each["Next"] for each in state["Catch"] if each["ErrorEquals"] == caught), state.get("Next"))
        if state["Type"] == "Task":
            self.undone.append(name.removeprefix("Undo "))
            self.status[self.undone[-1]] = "undone"
        for branch in state.get("Branches", []):
            self.through(branch)
        if state["Type"] == "Choice":
            return next((each["Next"] for each in state["Choices"] if self.holds(each)), state["Default"])
        return state.get("Next")

    def holds(self, test: dict[str, Any]) -> bool:
        if "And" in test:
            return all(map(self.holds, test["And"]))
        if "Or" in test:
            return any(map(self.holds, test["Or"]))
        return self.status[test["Variable"].split(".")[2]] == test["StringEquals"]


FATES = st.sampled_from(["done", "done", "done", "refused", "unknown"])


@settings(max_examples=150, deadline=None)
@given(orders(), st.data())
def test_whatever_the_order_all_that_was_sent_is_undone_once_and_in_order(
    found: SagaDesign, data: st.DataObject
) -> None:
    walk = Walk(found, {name: data.draw(FATES, name) for name in found.by_name})
    still = set(walk.status.values())
    if walk.end == COMMITTED:
        assert (still, walk.undone) == ({"done"}, [])
        return
    assert walk.end == CANCELLED
    assert still <= {"undone", "refused", "not-sent"}
    place = {name: index for index, name in enumerate(walk.undone)}
    assert len(place) == len(walk.undone)
    for name, at in place.items():
        # Whatever comes after it was undone before it, or never stood.
        later = [other for other in found.by_name if name in found.ancestors[other]]
        assert all(place.get(other, -1) < at for other in later)


def test_what_the_target_says_otherwise_stands_in_the_report() -> None:
    saga = capability("saga")
    page = explain(step_functions.CODE)
    for section, told in (("## Example", ["deadline", "steps[0]"]), ("## Fix", [])):
        text = page.split(section)[1].split("```yaml\n")[1].split("```")[0]
        source = parse_source(text)
        found = saga.design(validate(saga.spec, source), source, saga.options())
        asked = saga.check(found, saga.options(target="step-functions"), Silent()).findings
        assert sorted(each.evidence[0].path for each in asked if each.code == "TGT01") == told
        findings = saga.check(found, saga.options(), Silent()).findings
        assert [each for each in findings if each.code == "TGT01"] == []

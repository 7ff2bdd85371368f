"""What is decided where the spec is silent, with the reason; and what is refused because names don't meet."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.source import BadInput
from halfopen_generators.saga.design import compensation_name
from halfopen_generators.saga.static_rules import static_findings
from tests.saga.designs import designed


def steps(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"name": f"s{n}", "service": f"p{n}", "action": f"Do{n}x", **more} for n in range(count)]


def decided(spec: dict[str, Any], about: str) -> tuple[str, str]:
    found = next(decision for decision in designed({"saga": "x", **spec}).decisions if decision.about == about)
    return found.choice, found.because


TEAMS = {"p0": {"team": "red"}, "p1": {"team": "blue"}}


@pytest.mark.parametrize(
    ("spec", "style", "because"),
    [
        ({"steps": steps(2), "style": "event-sourced"}, "event-sourced", "The spec asks for it."),
        ({"steps": steps(5)}, "orchestration", "5 steps are more than the 4"),
        (
            {"steps": [*steps(2), {"name": "j", "service": "p0", "action": "Join", "after": ["s0", "s1"]}]},
            "orchestration",
            "join",
        ),
        ({"steps": steps(2), "visibility": "required"}, "orchestration", "ask where a run stands"),
        ({"steps": steps(2), "deadline": "9s"}, "orchestration", "watches the clock"),
        ({"steps": steps(2), "services": TEAMS, "visibility": "optional"}, "choreography", "2 teams"),
        ({"steps": steps(2), "services": TEAMS}, "orchestration", "Nothing speaks against a leader"),
        ({"steps": steps(1, consumes="Placed", emits="Done")}, "choreography", "which events they react to"),
    ],
)
def test_the_style_is_recommended_with_its_reason(spec: dict[str, Any], style: str, because: str) -> None:
    choice, reason = decided(spec, "style")
    assert choice == style
    assert because.lower() in reason.lower()


def kinds(*given: dict[str, Any]) -> list[str]:
    spec = {"saga": "x", "style": "orchestration", "steps": [a | b for a, b in zip(steps(9), given, strict=False)]}
    return [step.kind for step in designed(spec).steps]


UNDO = {"compensation": "Undo"}
REFUSED = {"can_be_refused": True}


@pytest.mark.parametrize(
    ("given", "kinds_inferred"),
    [
        ([UNDO, UNDO], ["compensatable", "compensatable"]),
        ([UNDO, {}, {}], ["compensatable", "pivot", "retriable"]),
        # What may be refused can't be behind the pivot.
        ([UNDO, {}, REFUSED, {}], ["compensatable", "compensatable", "pivot", "retriable"]),
        ([{"read_only": True}, UNDO, {}], ["compensatable", "compensatable", "pivot"]),
        ([UNDO, {"kind": "retriable"}, {}], ["compensatable", "retriable", "pivot"]),
        ([UNDO, {"kind": "pivot"}, UNDO], ["compensatable", "pivot", "retriable"]),
        ([{}], ["pivot"]),
    ],
)
def test_kinds_follow_from_what_can_be_undone_and_refused(
    given: list[dict[str, Any]], kinds_inferred: list[str]
) -> None:
    assert kinds(*given) == kinds_inferred


@pytest.mark.parametrize(
    ("action", "compensation"),
    [
        ("ReserveStock", "ReleaseStock"),
        ("ChargeCard", "RefundCard"),
        ("BookHTTPRoom", "CancelHttpRoom"),
        ("Frobnicate", "UndoFrobnicate"),
    ],
)
def test_a_compensation_is_named_by_its_verb(action: str, compensation: str) -> None:
    assert compensation_name(action) == compensation


def test_retries_follow_from_where_a_step_stands() -> None:
    spec = {
        "saga": "x",
        "style": "orchestration",
        "steps": [a | b for a, b in zip(steps(3), [UNDO, {}, {}], strict=True)],
    }
    assert [step.retry.attempts for step in designed(spec).steps] == snapshot([3, None, None])


def test_every_decision_has_a_reason_and_sees_nothing_but_the_spec() -> None:
    spec = {"saga": "x", "steps": steps(3)}
    one, other = designed(spec), designed(spec)
    assert one.decisions == other.decisions
    assert all(decision.because for decision in one.decisions)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": steps(1) + steps(1)}, "two steps bear the name 's0'"),
        (
            {"steps": [*steps(1), {"name": "S0", "service": "p", "action": "Other"}]},
            "in generated code it is the same as 's0'",
        ),
        ({"steps": steps(1, after=["s1"])}, "unknown step 's1'. Legal: s0."),
        ({"steps": steps(1, after=["s0"])}, "step 's0' waits for itself"),
        ({"steps": [{**steps(2)[0], "after": ["s1"]}, steps(2)[1]]}, "in a circle: s0 before s1 before s0"),
        ({"steps": steps(1, service="inventroy"), "services": {"inventory": {}}}, "Did you mean inventory?"),
        ({"steps": steps(1, reads=["a"], countermeasures={"b": "by-value"})}, "neither reads nor writes"),
        ({"steps": steps(1), "ends": {"Gone": "committed"}}, "no step emits the event 'Gone'"),
        ({"steps": steps(1, read_only=True, compensation="Undo")}, "nothing for a compensation to undo"),
        ({"steps": steps(1, read_only=True, writes=["stock"])}, "to write stock; leave out one of the two"),
        ({"steps": steps(1, read_only=True, irreversible=True)}, "its effect to be irreversible"),
        ({"steps": steps(1, action="Do", compensation="Do")}, "what undoes it is another operation"),
        ({"steps": steps(1, retry={"backoff": "2s", "max_backoff": "1s"})}, "is shorter than the first, backoff"),
    ],
)
def test_what_can_not_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        designed({"saga": "x", "style": "orchestration", **changes})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text", ["9" * 400 + "s", "8761h", "0s", "0.0001ms", "0.5ms", "1", "1 day", "-1s", "\u0663s", "1e3s", ""]
)
def test_a_duration_that_no_engine_can_wait_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadInput, match="a duration is") as refused:
        designed({"saga": "x", "deadline": text, "steps": steps(1)})
    assert "deadline" in str(refused.value)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(("text", "seconds"), [("1ms", 0.001), ("8760h", 31_536_000.0), ("1.5m", 90.0)])
def test_a_duration_within_the_bounds_is_read(text: str, seconds: float) -> None:
    assert designed({"saga": "x", "deadline": text, "steps": steps(1)}).deadline == seconds


def test_a_timeout_within_the_deadline_is_no_finding() -> None:
    within, beyond = (
        {"saga": "x", "style": "orchestration", "deadline": "10s", "steps": steps(1, timeout=timeout)}
        for timeout in ("9s", "10s")
    )
    found = [[finding.code for finding in static_findings(designed(spec))] for spec in (within, beyond)]
    assert [codes.count("SAG21") for codes in found] == [0, 1]

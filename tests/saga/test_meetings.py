"""Runs that meet: how the checker's anomalies become meetings, and which meetings generated code must keep apart."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import parse_source
from halfopen_generators.saga.counterexample import scenario
from halfopen_generators.saga.meetings import kept_apart
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.scenario import Delivery, Meeting, Scenario, Turn
from halfopen_generators.saga.verify import verify
from tests.saga.support_dbos import CHECKOUT, designed
from tests.saga.support_dbos import rendered as for_dbos
from tests.saga.support_meetings import BACK, BROKEN, IN_THE_WAY, LOCKED, REREAD, counterexamples
from tests.saga.support_temporal import rendered as for_temporal


def turns(meeting: Meeting) -> list[str]:
    """A meeting's turns in short: A.look, or B.look/held."""
    found = []
    for turn in meeting.turns:
        what = "" if turn.request == "action" else f" {turn.request}"
        how = "" if turn.reaction == "handled" else f" {turn.reaction}"
        found.append(f"{'ABC'[turn.run]} {turn.step or 'ends'}{what}{how}")
    return found


def anomaly(meeting: Meeting) -> str:
    """The one thing that is told of it."""
    (told,) = meeting.told
    return told.partition(" of ")[0]


def test_each_anomaly_becomes_a_meeting() -> None:
    assert {anomaly(meeting): turns(meeting) for meeting in counterexamples(BROKEN)} == snapshot(
        {
            "dirty read": ["A look", "A hold", "A pay", "B look", "A hold compensation"],
            "fuzzy read": ["A look", "B look", "A hold", "B hold"],
            "lost update": ["A look", "A hold", "A pay", "B look", "B hold", "A hold compensation"],
        }
    )


def test_a_meeting_tells_the_fates_of_each_run() -> None:
    (dirty,) = [meeting for meeting in counterexamples(BROKEN) if anomaly(meeting) == "dirty read"]
    assert dirty.runs == ((Delivery("pay", "action", "refused"),), ())
    assert (dirty.service, dirty.resource, dirty.at, dirty.breaks) == ("hall", "seats", ("hold",), "SAG12")


def test_three_runs_meet_in_the_same_way() -> None:
    found = counterexamples(BROKEN.replace("instances: 2", "instances: 3"))
    assert {anomaly(meeting) for meeting in found} == {"dirty read", "fuzzy read", "lost update"}
    assert {len(meeting.runs) for meeting in found} <= {2, 3}


def test_a_finding_names_the_test() -> None:
    names = {}
    for target in ("dbos", "temporal", "step-functions"):
        report = run(capability("saga"), parse_source(BROKEN), SagaOptions(target=target), Silent())
        told = [found.counterexample for found in report.findings if found.code == "SAG12"]
        names[target] = {run.test for run in told if run is not None}
    assert names["dbos"] == snapshot(
        {
            "pytest tests -k counterexample-sag-12-hold-seats-dirty-read",
            "pytest tests -k counterexample-sag-12-hold-seats-fuzzy-read",
            "pytest tests -k counterexample-sag-12-hold-seats-lost-update",
        }
    )
    assert names["dbos"] == names["temporal"] == names["step-functions"]


def test_runs_that_are_in_each_others_way_meet_as_it_is_told() -> None:
    found = {
        meeting.name: (turns(meeting), meeting.told)
        for broken, _ in IN_THE_WAY.values()
        for meeting in counterexamples(broken)
    }
    assert found == snapshot(
        {
            "counterexample-sag-09-meal-runs": (
                ["A pay", "A seat", "B pay", "B meal"],
                ("run A stands at meal: run B holds meals", "run B stands at seat: run A holds seats"),
            ),
            "counterexample-sag-03-hold-runs": (
                ["A look", "B look", "B pay", "B hold"],
                ("run A stands at hold: seats has changed since this run read it",),
            ),
            "counterexample-sag-02-hold-runs": (
                ["A look", "A pay", "B look", "A hold", "B pay", "B hold refused"],
                ("run B was cancelled, and pay stands",),
            ),
            "counterexample-sag-02-pay-runs": (
                ["A look", "A pay", "B look", "A hold", "B pay", "B hold refused"],
                ("run B was cancelled, and pay stands",),
            ),
        }
    )


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_runs_that_are_in_nobodys_way_have_nothing_told_of_them(name: str) -> None:
    assert counterexamples(IN_THE_WAY[name][1]) == ()


def test_who_is_refused_since_a_value_has_changed_is_not_refused_by_a_business_rule() -> None:
    for meeting in counterexamples(BACK):
        assert meeting.runs == ((), ())
        assert [turn.reaction for turn in meeting.turns][-1] == "refused"


def test_a_run_that_breaks_a_promise_alone_is_no_meeting() -> None:
    design = designed(
        BROKEN.replace("services: {hall: {}, bank: {}}", "services: {hall: {deduplicates: false}, bank: {}}")
    )
    told = [scenario(design, broken) for broken in verify(design, SagaOptions(), Silent()).breaks]
    alone = [each for each in told if isinstance(each, Scenario)]
    assert [each.breaks for each in alone] != []
    assert None not in told


def test_a_lock_is_waited_for_until_the_run_that_holds_it_has_ended_either_way() -> None:
    assert {meeting.name: turns(meeting) for meeting in kept_apart(designed(LOCKED))} == snapshot(
        {
            "kept-apart-look-seats-lock-committed": ["A look", "B look held", "A ends"],
            "kept-apart-look-seats-lock-cancelled": ["A look", "B look held", "A ends"],
        }
    )


def test_a_value_that_was_written_since_is_refused() -> None:
    assert {meeting.name: turns(meeting) for meeting in kept_apart(designed(REREAD))} == snapshot(
        {"kept-apart-hold-seats-reread": ["A look", "B look", "B hold", "A hold refused"]}
    )


def test_what_no_step_writes_needs_no_keeping_apart() -> None:
    only_read = LOCKED.replace("writes: seats", "writes: other").replace("{seats: semantic-lock}}", "{}}")
    assert kept_apart(designed(only_read)) == ()
    assert "tickets_saga/isolation.py" not in for_dbos(only_read)


def test_a_run_turns_back_by_its_own_step_where_no_later_one_can_fail() -> None:
    alone = CHECKOUT.replace("kind: pivot, can_be_refused: true", "kind: retriable")
    (committed, cancelled) = kept_apart(designed(alone))
    assert (committed.runs, committed.turns) == (((), ()), cancelled.turns)
    assert [each.fate for each in cancelled.runs[0]] == ["answer-lost", "lost", "lost"]
    assert cancelled.turns[-1] == Turn(0)


def test_nothing_is_generated_where_no_runs_meet() -> None:
    alone = CHECKOUT.replace("countermeasures: {stock: semantic-lock}", "").replace("writes: [stock]", "")
    for texts in (for_dbos(alone), for_temporal(alone)):
        assert not any("isolation" in path or "meeting" in path for path in texts)
        told = "\n".join(texts.values())
        assert [word for word in ('"release"', "saga_entities", "Held") if word in told] == []


def test_only_who_locks_is_told_that_a_run_has_ended() -> None:
    for texts in (for_dbos(REREAD), for_temporal(REREAD)):
        assert "tickets_saga/isolation.py" in texts
        assert "to_release" not in texts["tickets_saga/saga.py"] + texts["tickets_saga/workflow.py"]
    assert "to_release" in for_dbos(LOCKED)["tickets_saga/workflow.py"]

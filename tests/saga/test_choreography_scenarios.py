"""The runs that a choreographed saga is tested with: which there are, and what they say."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import parse_source
from halfopen.vocabulary import Severity
from halfopen_generators.saga.choreography_run import Handler, Heard, Run
from halfopen_generators.saga.choreography_scenario import choreography_scenarios, scenario_of
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import GUARANTEES, SagaDesign
from halfopen_generators.saga.verify import verify
from tests.saga.designs import designed
from tests.saga.support_choreography import (
    CHECKOUT,
    DIAMOND,
    HARMFUL,
    HASTY,
    LACKING,
    SPECS,
    TICKETS,
    TWO,
    meetings,
    rendered,
)


def test_the_example_has_a_run_for_every_failure() -> None:
    names = [scenario.name for scenario in choreography_scenarios(designed(CHECKOUT))]
    assert names == [
        "happy-path",
        "newest-first",
        "order-placed-to-reserve-stock-twice",
        "order-placed-to-reserve-stock-killed-before-publish",
        "order-placed-to-reserve-stock-killed-before-ack",
        "stock-reserved-to-charge-card-twice",
        "stock-reserved-to-charge-card-killed-before-publish",
        "stock-reserved-to-charge-card-killed-before-ack",
        "payment-charged-to-create-shipment-twice",
        "payment-charged-to-create-shipment-killed-before-publish",
        "payment-charged-to-create-shipment-killed-before-ack",
        "everything-again",
        "reserve-stock-refused",
        "reserve-stock-refused-order-placed-to-reserve-stock-twice",
        "reserve-stock-refused-everything-again",
        "charge-card-refused",
        "charge-card-refused-stock-reserved-to-charge-card-twice",
        "charge-card-refused-payment-failed-to-undo-reserve-stock-twice",
        "charge-card-refused-payment-failed-to-undo-reserve-stock-killed-before-publish",
        "charge-card-refused-payment-failed-to-undo-reserve-stock-killed-before-ack",
        "charge-card-refused-everything-again",
    ]


@pytest.mark.parametrize("name", SPECS)
def test_names_are_unique_and_the_saga_decides_them(name: str) -> None:
    design = designed(SPECS[name])
    first, second = choreography_scenarios(design), choreography_scenarios(design)
    assert first == second
    assert len({scenario.name for scenario in first}) == len(first) > 5


def test_a_refusal_undoes_what_was_done_and_ends_the_run_cancelled() -> None:
    found = {scenario.name: scenario for scenario in choreography_scenarios(designed(DIAMOND))}
    refused = found["check-risk-refused"]
    assert (refused.outcome, refused.standing, refused.undone) == ("cancelled", (), ("hold-hotel", "open-trip"))
    overtaken = found["check-risk-refused-hold-hotel-undone-early"]
    assert [heard.handler for heard in overtaken.schedule] == [
        Handler("open-trip", "action"),
        Handler("check-risk", "action"),
        Handler("hold-hotel", "compensation"),
        Handler("open-trip", "compensation"),
        Handler("hold-hotel", "action"),
    ]
    assert overtaken.undone == ("open-trip",)


@pytest.mark.parametrize(
    ("spec", "name", "code"),
    [
        (LACKING, "lacking-requested-to-reserve-killed-before-publish", "SAG10"),
        (LACKING, "reserve-stock-succeeded-to-authorize-twice", "SAG07"),
        (LACKING, "capture-refused-capture-card-refused-to-undo-authorize-twice", "SAG04"),
        (LACKING, "capture-card-succeeded-to-ship-twice", None),
        (HASTY, "check-risk-refused-hold-hotel-undone-early", "SAG06"),
        (HARMFUL, "check-risk-refused-hold-hotel-undone-early", "SAG18"),
        (DIAMOND, "check-risk-refused-hold-hotel-undone-early", None),
    ],
)
def test_a_missing_guarantee_breaks_the_runs_that_need_it(spec: str, name: str, code: str | None) -> None:
    found = {scenario.name: scenario for scenario in choreography_scenarios(designed(spec))}
    assert found[name].breaks == code


def test_an_unheard_refusal_leaves_the_run_hanging() -> None:
    design = designed(CHECKOUT.replace("consumes: [PaymentFailed]", "consumes: [PaymentLost]"))
    found = {scenario.name: scenario for scenario in choreography_scenarios(design)}
    assert found["charge-card-refused"].breaks == "SAG11"
    assert found["charge-card-refused"].outcome == "cancelled"


def test_a_step_behind_the_pivot_is_asked_again() -> None:
    found = {scenario.name: scenario for scenario in choreography_scenarios(designed(LACKING))}
    assert found["ship-refused-once"].outcome == "committed"
    assert "ship-refused" not in found


def test_nobody_hears_what_nobody_has_said() -> None:
    with pytest.raises(ValueError, match="StockReserved is not out when charge-card is to hear it"):
        Run(designed(CHECKOUT)).hear(Heard("StockReserved", "charge-card", "action"))


def test_a_counterexample_that_breaks_nothing_is_an_ordinary_run() -> None:
    design = designed(CHECKOUT)
    assert scenario_of(design, "x", "X.", (Heard("OrderPlaced", "reserve-stock", "action"),), "SAG09").breaks is None


def _without(design: SagaDesign, lacking: frozenset[tuple[str, str]]) -> SagaDesign:
    participants = {
        name: dataclasses.replace(
            plan, guarantees={each: "lacks" if (name, each) in lacking else "has" for each in GUARANTEES}
        )
        for name, plan in design.participants.items()
    }
    return dataclasses.replace(design, participants=participants)


def _any_guarantees(spec: str) -> st.SearchStrategy[SagaDesign]:
    design = designed(spec)
    every = [(name, guarantee) for name in design.participants for guarantee in GUARANTEES]
    return st.sets(st.sampled_from(every), max_size=4).map(lambda lacking: _without(design, frozenset(lacking)))


@settings(max_examples=30, deadline=None)
@given(design=st.one_of(_any_guarantees(CHECKOUT), _any_guarantees(DIAMOND), _any_guarantees(TWO)))
def test_what_a_run_breaks_the_checker_finds_too(design: SagaDesign) -> None:
    shown = {scenario.breaks for scenario in choreography_scenarios(design)} - {None}
    proven = {found.breach.code for found in verify(design, SagaOptions(), Silent()).breaks}
    assert shown <= proven
    assert bool(shown) == bool(proven)


LOCKED = TICKETS.replace("reads: seats", "reads: seats, countermeasures: {seats: semantic-lock}")
# A run is said to have ended before its hold is undone.
EARLY = (
    LOCKED.replace("steps:", "ends: {PayFailed: cancelled, HoldFailed: cancelled, Paid: committed}\nsteps:")
    .replace("action: Pay,", "action: Pay, emits: Paid, emits_on_refusal: PayFailed,")
    .replace("can_be_refused: true,\n", "can_be_refused: true, emits_on_refusal: HoldFailed,\n")
)


def found_in(text: str, *, exact: bool) -> list[tuple[str, str, str | None]]:
    breaks = verify(designed(text), SagaOptions(exact=exact), Silent()).breaks
    return sorted((broken.breach.code, broken.breach.step, broken.breach.resource) for broken in breaks)


@pytest.mark.parametrize("exact", [False, True])
def test_a_lock_is_free_once_an_event_that_ends_its_run_is_heard(*, exact: bool) -> None:
    assert found_in(LOCKED, exact=exact) == []
    assert {code for code, _, _ in found_in(TICKETS, exact=exact)} == {"SAG12"}


@pytest.mark.parametrize("exact", [False, True])
def test_an_end_that_comes_before_everything_is_undone_frees_the_lock_too_soon(*, exact: bool) -> None:
    assert {code for code, _, _ in found_in(EARLY, exact=exact)} == {"SAG12"}


def test_a_run_that_hears_its_end_is_told() -> None:
    breaks = verify(designed(EARLY), SagaOptions(), Silent()).breaks
    dirty = next(broken for broken in breaks if broken.breach.promise == "no dirty read")
    assert "Run A: hall hears that the run has ended, and frees its locks." in dirty.told.sentences


def test_each_anomaly_becomes_a_meeting_of_runs_in_the_told_order() -> None:
    told = {
        meeting.told: [f"{'AB'[run]} {heard.event}" for run, heard in meeting.schedule]
        for meeting in meetings(designed(TICKETS))
    }
    assert told == snapshot(
        {
            ("fuzzy read of seats at hold",): [
                "A TicketsRequested",
                "B TicketsRequested",
                "A LookAtSeatsSucceeded",
                "B LookAtSeatsSucceeded",
            ],
            ("dirty read of seats at hold",): [
                "A TicketsRequested",
                "A LookAtSeatsSucceeded",
                "A HoldSeatSucceeded",
                "B TicketsRequested",
                "A PayRefused",
            ],
            ("lost update of seats at hold",): [
                "A TicketsRequested",
                "A LookAtSeatsSucceeded",
                "A HoldSeatSucceeded",
                "B TicketsRequested",
                "B LookAtSeatsSucceeded",
                "A PayRefused",
            ],
        }
    )


def test_what_generated_code_does_not_keep_is_reported_and_stands_above_the_function() -> None:
    for text, measure in ((LOCKED, "semantic-lock"), (LOCKED.replace("semantic-lock", "reread-value"), "reread-value")):
        for target in (None, "nats", "kafka", "rabbitmq"):
            found = run(capability("saga"), parse_source(text), SagaOptions(target=target), Silent()).findings
            left = [finding for finding in found if finding.code == "TGT01"]
            assert [each.evidence[0].path for each in left] == [
                "steps[0].countermeasures.seats",
                "steps[1].countermeasures.seats",
            ]
            assert all(f"does not keep {measure} on seats" in each.message for each in left)
            assert all(each.severity is Severity.WARNING for each in left)
        business = rendered(text, "nats")["tickets_saga/business.py"]
        assert business.count("Yours to keep") == 2
    free = LOCKED.replace("semantic-lock", "commutative-update")
    found = run(capability("saga"), parse_source(free), SagaOptions(target="nats"), Silent()).findings
    assert [finding for finding in found if finding.code == "TGT01"] == []

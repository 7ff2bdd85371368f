"""Specs of choreographed sagas, and their generated code written down and put to the test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from halfopen.progress import Silent
from halfopen_generators.saga.choreography_scenario import (
    ChoreographyMeeting,
    ChoreographyScenario,
    choreography_scenarios,
)
from halfopen_generators.saga.counterexample import scenario
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.targets.choreography import artifacts
from halfopen_generators.saga.targets.choreography_brokers import BROKERS, Broker
from halfopen_generators.saga.verify import verify
from tests.saga.designs import designed

CHECKOUT = (Path(__file__).parents[2] / "examples" / "checkout-choreography.saga.yaml").read_text()

# Two branches that meet: the join needs both, and the news of a refusal may overtake what it is to undo.
DIAMOND = """
saga: booking
trigger: TripRequested
style: choreography
correlation_key: trip_id
steps:
  - name: open-trip
    service: trips
    consumes: TripRequested
    action: OpenTrip
    emits: TripOpened
    emits_on_refusal: TripRefused
    can_be_refused: true
    compensation: {consumes: HotelReleased, action: CloseTrip, emits: TripClosed}
  - name: check-risk
    service: risk
    after: open-trip
    consumes: TripOpened
    action: CheckRisk
    kind: pivot
    can_be_refused: true
    emits: RiskAccepted
    emits_on_refusal: RiskRefused
  - name: hold-hotel
    service: hotels
    after: open-trip
    consumes: TripOpened
    action: HoldHotel
    kind: compensatable
    emits: HotelHeld
    compensation: {consumes: RiskRefused, action: ReleaseHotel, emits: HotelReleased}
  - name: issue-ticket
    service: tickets
    after: [check-risk, hold-hotel]
    consumes: [RiskAccepted, HotelHeld]
    action: IssueTicket
    kind: retriable
    emits: TicketIssued
ends: {TicketIssued: committed, TripRefused: cancelled, TripClosed: cancelled}
"""

# No event is named: all are inferred. The saga's name is no legal name of an event.
TWO = """
saga: two-steps
style: choreography
steps:
  - {name: take-seat, service: seats, action: TakeSeat, compensation: FreeSeat}
  - {name: pay, service: tills, action: TakeFare, can_be_refused: true}
"""

# One participant has no outbox, another no inbox: the runs that show it must go wrong.
LACKING = """
saga: lacking
style: choreography
services:
  stock: {publishes_atomically: false}
  cards: {deduplicates: false}
  shipping: {}
steps:
  - {name: reserve, service: stock, action: ReserveStock, compensation: ReleaseStock, can_be_refused: true}
  - {name: authorize, service: cards, action: AuthorizeCard, compensation: VoidCard, can_be_refused: true}
  - {name: capture, service: cards, action: CaptureCard, can_be_refused: true}
  - {name: ship, service: shipping, action: ShipOrder, kind: retriable, can_be_refused: true}
"""

# As DIAMOND, with a hotel that keeps neither of the promises that an overtaken action needs.
HASTY = DIAMOND + "services: {trips: {}, risk: {}, tickets: {}, hotels: {refuses_late_actions: false}}\n"
HARMFUL = DIAMOND + "services: {trips: {}, risk: {}, tickets: {}, hotels: {accepts_empty_compensation: false}}\n"

# Names of the greatest length, and names that mean something in Python.
AWKWARD = f"""
saga: {"s" * 64}
style: choreography
correlation_key: event_id
steps:
  - name: import
    service: main
    action: {"A" + "b" * 63}
    emits: Event
    emits_on_refusal: Literal
    can_be_refused: true
    compensation: {{action: Return, emits: {"E" + "x" * 63}}}
  - {{name: {"n" * 64}, service: {"v" * 64}, action: Print, can_be_refused: true}}
  - {{name: twice, service: main, action: Print}}
"""

# Two runs that look for a seat, hold one and pay: each by itself is right.
TICKETS = """
saga: tickets
style: choreography
correlation_key: order_id
instances: 2
services: {hall: {}, bank: {}}
steps:
  - {name: look, service: hall, action: LookAtSeats, read_only: true, reads: seats}
  - {name: hold, service: hall, action: HoldSeat, compensation: FreeSeat, can_be_refused: true,
     reads: seats, writes: seats}
  - {name: pay, service: bank, action: Pay, kind: pivot, can_be_refused: true}
"""

SPECS = {
    "checkout": CHECKOUT,
    "diamond": DIAMOND,
    "two": TWO,
    "lacking": LACKING,
    "hasty": HASTY,
    "harmful": HARMFUL,
    "awkward": AWKWARD,
    "tickets": TICKETS,
}
ALL_BROKERS = tuple(BROKERS)


def meetings(design: SagaDesign) -> tuple[ChoreographyMeeting, ...]:
    """The anomalies that the checker finds where runs meet, each as a meeting."""
    if design.instances == 1:
        return ()
    breaks = verify(design, SagaOptions(), Silent()).breaks
    told = (scenario(design, broken) for broken in breaks)
    return tuple(meeting for meeting in told if isinstance(meeting, ChoreographyMeeting))


def rendered(spec: str | SagaDesign, broker: Broker) -> dict[str, str]:
    """The generated files by path."""
    design = designed(spec) if isinstance(spec, str) else spec
    found = artifacts(design, (*choreography_scenarios(design), *meetings(design)), broker)
    return {artifact.path: artifact.text for artifact in found}


def written(folder: Path, spec: str, broker: Broker) -> Path:
    """The generated files in that folder."""
    for path, text in rendered(spec, broker).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@dataclass(frozen=True)
class Replayed:
    """What the generated tests said, by scenario: passed, failed, xfailed or xpassed."""

    outcomes: dict[str, str]
    output: str

    def disagreeing(self, scenarios: tuple[ChoreographyScenario | ChoreographyMeeting, ...]) -> dict[str, str | None]:
        """The scenarios that did not go as expected: those that break something must fail, the others not."""
        expected = {each.name: "xfailed" if each.breaks else "passed" for each in scenarios}
        names = sorted(expected.keys() | self.outcomes.keys())
        return {name: self.outcomes.get(name) for name in names if expected.get(name) != self.outcomes.get(name)}


def replayed(folder: Path, *arguments: str, **environment: str) -> Replayed:
    """Run the generated tests."""
    command = [sys.executable, "-m", "pytest", "tests", "-rA", "-q", "-p", "no:cacheprovider", "--show-capture=no"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    test = r"(?:test_scenario|test_what_one_run_does_to_another)"
    found = re.findall(rf"^(PASSED|FAILED|XFAIL|XPASS|ERROR) \S+::{test}\[([^\]]+)\]", done.stdout, re.MULTILINE)
    words = {"PASSED": "passed", "FAILED": "failed", "XFAIL": "xfailed", "XPASS": "xpassed", "ERROR": "error"}
    return Replayed({name: words[word] for word, name in found}, done.stdout[-8000:] + done.stderr[-2000:])

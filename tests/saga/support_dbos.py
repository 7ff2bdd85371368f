"""Specs to render for DBOS, and ways to run what comes out."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from halfopen.registry import Options
from halfopen.source import parse_source, validate
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Scenario, scenarios
from halfopen_generators.saga.spec import SagaSpec
from halfopen_generators.saga.targets import dbos
from tests.oracles import require

DRIVER = Path(__file__).with_name("support_dbos_driver.py")

CHECKOUT = """
saga: checkout
trigger: PlaceOrder
style: orchestration
correlation_key: order_id
deadline: 30s
services:
  inventory: {deduplicates: true, refuses_late_actions: true, accepts_empty_compensation: true}
  payment:   {external: true, deduplicates: true}
  shipping:  {}
steps:
  - name: reserve-stock
    service: inventory
    action: ReserveStock
    compensation: ReleaseStock
    kind: compensatable
    can_be_refused: true
    timeout: 2s
    retry: {attempts: 3, backoff: 200ms, factor: 2, jitter: full}
    reads: [stock]
    writes: [stock]
    countermeasures: {stock: semantic-lock}
    request: {order_id: string, lines: repeated OrderLine}
    reply: {reservation_id: string}
  - {name: charge-card, service: payment, action: ChargeCard, kind: pivot, can_be_refused: true, timeout: 5s}
  - {name: create-shipment, service: shipping, action: CreateShipment, kind: retriable, timeout: 5s}
"""

TRIP = """
saga: trip
trigger: BookTrip
correlation_key: trip_id
services:
  flights: {}
  hotels: {}
  cars: {deduplicates: true}
  payment: {external: true, deduplicates: true, refuses_late_actions: true, accepts_empty_compensation: true}
  mail: {}
steps:
  - {name: check-trip, service: flights, action: CheckTrip, after: [], read_only: true,
     request: {trip_id: string, when: timestamp}, reply: {price: int64, blob: bytes}}
  - {name: book-flight, service: flights, action: BookFlight, compensation: CancelFlight, after: [check-trip],
     can_be_refused: true, retry: {attempts: 2, jitter: none},
     request: {trip_id: string, when: timestamp, seats: "map<string, int32>", price: int64, class: string},
     reply: {flight_id: string, when: timestamp}}
  - {name: book-hotel, service: hotels, action: BookHotel, compensation: CancelHotel, after: [check-trip],
     can_be_refused: true, request: {trip_id: string, rooms: repeated Room}, reply: {hotel_id: string}}
  - {name: book-car, service: cars, action: Book, compensation: Cancel, after: [book-hotel], retry: {attempts: 2}}
  - {name: pay, service: payment, action: Pay, kind: pivot, after: [book-flight, book-car], can_be_refused: true,
     request: {trip_id: string, flight_id: string, hotel_id: string, price: double}}
  - {name: send-mail, service: mail, action: Send, kind: retriable, irreversible: true, after: [pay]}
"""

# Every step can be undone; the last one's names are Python's own words.
TRANSFER = """
saga: zoo-transfer
deadline: 5s
steps:
  - {name: debit, service: bank-a, action: Debit, compensation: Credit, can_be_refused: true}
  - {name: credit, service: bank-b, action: Credit, compensation: Debit, can_be_refused: true}
  - {name: class, service: class, action: import, compensation: None, can_be_refused: true}
"""

ONE = "{saga: one, steps: [{name: only, service: s, action: ReserveIt, compensation: ReleaseIt, can_be_refused: true}]}"

SIX = """
saga: onboarding
steps:
  - {name: create-account, service: accounts, action: CreateAccount, compensation: DeleteAccount, can_be_refused: true}
  - {name: check-name, service: screening, action: CheckName, read_only: true, can_be_refused: true}
  - {name: reserve-number, service: numbers, action: ReserveNumber, compensation: ReleaseNumber}
  - {name: sign-contract, service: contracts, action: SignContract, kind: pivot, can_be_refused: true}
  - {name: send-card, service: cards, action: SendCard, kind: retriable}
  - {name: send-welcome, service: mail, action: SendWelcome, kind: retriable}
"""

LACKING = """
saga: lacking
services: {a: {deduplicates: false}, b: {external: true}, c: {refuses_late_actions: false}}
steps:
  - {name: s1, service: a, action: DoA, compensation: UndoA, can_be_refused: true}
  - {name: s2, service: b, action: DoB, compensation: UndoB, can_be_refused: true}
  - {name: s3, service: c, action: DoC, compensation: UndoC, can_be_refused: true}
"""

# A step behind the pivot that may be refused for good, and one that is given up.
STUCK = """
saga: stuck
steps:
  - {name: reserve, service: inventory, action: ReserveStock, compensation: ReleaseStock}
  - {name: charge, service: payment, action: ChargeCard, kind: pivot}
  - {name: ship, service: shipping, action: CreateShipment, kind: retriable, can_be_refused: true}
  - {name: tell, service: mail, action: SendMail, kind: retriable, retry: {attempts: 2}}
"""


def _long(start: str, length: int, step: int = 0) -> str:
    return (start + "x" * length)[: length - 1] + str(step)


# Every name as long as the schema lets it be.
LONG = json.dumps(
    {
        "saga": _long("Saga", 64),
        "trigger": _long("Trigger", 64),
        "correlation_key": _long("key", 64),
        "services": {_long("Service", 64): {"external": True}},
        "steps": [
            {
                "name": _long("step", 64, step),
                "service": _long("Service", 64),
                "action": _long("Action", 64, step),
                "compensation": _long("Compensation", 64, step),
                "can_be_refused": True,
                "request": {_long("asked", 64): f"repeated {_long('Type', 64)}", _long("reply", 64, 0): "string"},
                "reply": {_long("reply", 64, step): "string"},
            }
            for step in range(3)
        ],
    }
)

SPECS = {
    "checkout": CHECKOUT,
    "trip": TRIP,
    "transfer": TRANSFER,
    "one": ONE,
    "six": SIX,
    "lacking": LACKING,
    "stuck": STUCK,
    "long": LONG,
}


def designed(text: str) -> SagaDesign:
    source = parse_source(text, "test.saga.yaml")
    return design(validate(SagaSpec, source), source, Options())


def rendered(text: str, more: Iterable[Scenario] = ()) -> dict[str, str]:
    saga = designed(text)
    return {artifact.path: artifact.text for artifact in dbos.artifacts(saga, (*scenarios(saga), *more))}


def written(text: str, folder: Path, more: Iterable[Scenario] = ()) -> Path:
    for path, content in rendered(text, more).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    return folder


def need_dbos() -> None:
    found = importlib.util.find_spec("dbos") is not None and importlib.util.find_spec("psycopg") is not None
    require("DBOS", available=found, how_to_get="install halfopen[oracles]")


def python(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the generated folder, in an environment that holds nothing of ours but the interpreter."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def drive(folder: Path, plan: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the driver over the generated package; it prints what came of the plan as JSON."""
    (package,) = (path.name for path in folder.glob("*_saga"))
    return python(folder, DRIVER, package, json.dumps(plan))

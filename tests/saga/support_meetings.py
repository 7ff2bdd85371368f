"""Sagas whose runs meet on a resource: broken, and mended in two ways; and what the checker makes of them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from halfopen.progress import Silent
from halfopen_generators.saga.counterexample import scenario
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.scenario import Meeting
from halfopen_generators.saga.verify import verify
from tests.saga.support_dbos import designed

# Two runs that look for a seat, hold one and pay: each by itself is right.
BROKEN = """
saga: tickets
style: orchestration
trigger: BuySeat
correlation_key: order_id
deadline: 30s
instances: 2
services: {hall: {}, bank: {}}
steps:
  - {name: look, service: hall, action: LookAtSeats, read_only: true, reads: seats}
  - {name: hold, service: hall, action: HoldSeat, compensation: FreeSeat, can_be_refused: true,
     reads: seats, writes: seats}
  - {name: pay, service: bank, action: Pay, kind: pivot, can_be_refused: true}
"""
LOCKED = BROKEN.replace("reads: seats", "reads: seats, countermeasures: {seats: semantic-lock}")
REREAD = BROKEN.replace("writes: seats", "writes: seats, countermeasures: {seats: reread-value}")

HEAD = """
saga: tickets
style: orchestration
trigger: BuySeat
correlation_key: order_id
deadline: 30s
instances: 2
faults: {lost_messages: 0, duplicated_messages: 0, crashes: 0, late_messages: false}
steps:
"""
# Two runs take two locks crosswise, behind the pivot where nobody turns back.
CROSSWISE = f"""{HEAD}
  - {{name: pay, service: bank, action: Pay, kind: pivot}}
  - {{name: seat, service: hall, action: TakeSeat, kind: retriable, after: pay, writes: seats,
     countermeasures: {{seats: semantic-lock}}}}
  - {{name: meal, service: cook, action: OrderMeal, kind: retriable, after: pay, writes: meals,
     countermeasures: {{meals: semantic-lock}}}}
"""
IN_ONE_ORDER = CROSSWISE.replace("OrderMeal, kind: retriable, after: pay", "OrderMeal, kind: retriable, after: seat")
# What has to go through is refused, since another run has changed what this one has read.
STALE = f"""{HEAD}
  - {{name: look, service: hall, action: LookAtSeats, read_only: true, reads: seats}}
  - {{name: pay, service: bank, action: Pay, kind: pivot}}
  - {{name: hold, service: hall, action: HoldSeat, kind: retriable, reads: seats, writes: seats,
     countermeasures: {{seats: reread-value}}}}
"""
IN_TURN = STALE.replace("reads: seats}", "reads: seats, countermeasures: {seats: semantic-lock}}").replace(
    "reread-value", "semantic-lock"
)
# Only what another run changes turns this run back, and that is behind its pivot.
BACK = f"""{HEAD}
  - {{name: look, service: hall, action: LookAtSeats, read_only: true, reads: seats}}
  - {{name: pay, service: bank, action: Pay, kind: pivot}}
  - {{name: hold, service: hall, action: HoldSeat, kind: compensatable, compensation: FreeSeat,
     reads: seats, writes: seats, countermeasures: {{seats: reread-value}}}}
"""
BEFORE = BACK.replace("kind: pivot", "kind: pivot, after: hold").replace("FreeSeat,\n", "FreeSeat, after: look,\n")
# A spec whose runs are in each other's way, and the same one mended.
IN_THE_WAY = {"locks": (CROSSWISE, IN_ONE_ORDER), "values": (STALE, IN_TURN), "effects": (BACK, BEFORE)}

# What a participant that keeps all promises by itself does about requests that are late.
ITSELF = LOCKED.replace(
    "hall: {}", "hall: {deduplicates: true, refuses_late_actions: true, accepts_empty_compensation: true}"
)


def counterexamples(text: str) -> tuple[Meeting, ...]:
    """The meetings that the checker finds something wrong with."""
    design = designed(text)
    breaks = verify(design, SagaOptions(), Silent()).breaks
    told = (scenario(design, broken) for broken in breaks)
    return tuple(meeting for meeting in told if isinstance(meeting, Meeting))


def modules(folder: Path, package: str) -> Any:
    """The generated package, imported here with the modules that a participant is made of."""
    sys.path.insert(0, str(folder))
    try:
        for name in ("isolation", "ledger", "messages", "participants", "store"):
            importlib.import_module(f"{package}.{name}")
    finally:
        sys.path.remove(str(folder))
    return sys.modules[package]

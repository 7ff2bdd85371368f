"""The two events of a join reach two replicas of its participant at the same moment."""

from __future__ import annotations

import asyncio
import sys

from booking_saga import contract, fakes
from booking_saga.contract import Event
from booking_saga.participant import Worker
from booking_saga.participants.tickets import ISSUE_TICKET, PARTICIPANT
from booking_saga.store import Store
from databases import new_database

JOINS = 40


async def main() -> None:
    """Say how many joins there were, if each was applied once and told once."""
    url = new_database(sys.argv[1])
    told: list[str] = []

    async def publish(event: Event) -> None:
        told.append(event.run_id)

    replicas = [Worker(PARTICIPANT, Store(url), publish) for _ in range(2)]
    runs = [f"trip-{number}" for number in range(JOINS)]
    for run in runs:
        events = [contract.make(name, run, None, {}) for name in ("RiskAccepted", "HotelHeld")]
        await asyncio.gather(
            *(replica.act(ISSUE_TICKET, event) for replica, event in zip(replicas, events, strict=True))
        )
    for replica in replicas:
        await replica.flush()
    applied = [len(fakes.ledger(replicas[0].store, run)) for run in runs]
    if applied != [1] * JOINS or sorted(told) != sorted(runs):
        raise SystemExit(f"applied {applied}, told {sorted(told)}")
    sys.stdout.write(f"{JOINS} joins, each applied once and told once\n")


asyncio.run(main())

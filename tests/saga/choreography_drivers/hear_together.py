"""One event reaches two replicas of its participant at the same moment: both hear it, one applies it."""

from __future__ import annotations

import asyncio
import sys

from checkout_saga import contract, fakes
from checkout_saga.contract import Event
from checkout_saga.participant import Worker
from checkout_saga.participants.payment import CHARGE_CARD, PARTICIPANT
from checkout_saga.store import Store
from databases import new_database

EVENTS = 40


async def main() -> None:
    """Say how many events there were, if each was applied once and told once."""
    url = new_database(sys.argv[1])
    told: list[str] = []

    async def publish(event: Event) -> None:
        told.append(event.run_id)

    replicas = [Worker(PARTICIPANT, Store(url), publish) for _ in range(2)]
    runs = [f"order-{number}" for number in range(EVENTS)]
    for run in runs:
        event = contract.make("StockReserved", run, None, {})
        await asyncio.gather(*(replica.act(CHARGE_CARD, event) for replica in replicas))
    for replica in replicas:
        await replica.flush()
    applied = [len(fakes.ledger(replicas[0].store, run)) for run in runs]
    if applied != [1] * EVENTS or sorted(told) != sorted(runs):
        raise SystemExit(f"applied {applied}, told {sorted(told)}")
    sys.stdout.write(f"{EVENTS} events, each applied once and told once\n")


asyncio.run(main())

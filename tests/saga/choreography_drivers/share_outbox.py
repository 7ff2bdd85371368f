"""Four workers of one participant, each with connections of its own, empty one outbox at the same time."""

from __future__ import annotations

import asyncio
import sys

from checkout_saga import contract
from checkout_saga.contract import Event
from checkout_saga.participant import Worker
from checkout_saga.participants.payment import PARTICIPANT
from checkout_saga.store import Store
from databases import new_database

EVENTS, WORKERS = 60, 4


async def main() -> None:
    """Say how many events there were, and how often they were published in all."""
    url = new_database(sys.argv[1])
    store = Store(url)
    expected = set()
    with store.transaction() as transaction:
        for number in range(EVENTS):
            event = contract.make("PaymentCharged", f"order-{number}", None, {})
            expected.add(event.event_id)
            store.post(transaction, event)
    published: list[str] = []

    async def publish(event: Event) -> None:
        await asyncio.sleep(0.005)  # as long as a broker takes to confirm
        published.append(event.event_id)

    await asyncio.gather(*(Worker(PARTICIPANT, Store(url), publish).flush() for _ in range(WORKERS)))
    found = len(expected & set(published))
    sys.stdout.write(f"{WORKERS} workers published {found} of {EVENTS} events, {len(published)} times\n")


asyncio.run(main())

"""A replica is killed between saving and publishing, while it holds the event's row; another goes on at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from checkout_saga import contract
from checkout_saga.contract import Event
from checkout_saga.participant import Worker
from checkout_saga.participants.payment import PARTICIPANT
from checkout_saga.store import Store
from databases import new_database


async def _killed(_event: Event) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _take_over(store: Store) -> list[str]:
    published: list[str] = []

    async def publish(event: Event) -> None:
        published.append(event.name)

    worker = Worker(PARTICIPANT, store, publish)
    # The server lets go of the row as soon as it sees that the connection is gone.
    async with asyncio.timeout(30):
        while not published:
            await worker.flush()
            await asyncio.sleep(0.02)
    await worker.flush()
    return published


def main() -> None:
    """Be the one that dies, or the one that goes on."""
    if len(sys.argv) == 3:
        asyncio.run(Worker(PARTICIPANT, Store(sys.argv[2]), _killed).flush())
        return
    url = new_database(sys.argv[1])
    store = Store(url)
    with store.transaction() as transaction:
        store.post(transaction, contract.make("PaymentCharged", "order", None, {}))
    done = subprocess.run([sys.executable, __file__, sys.argv[1], url], check=False)
    sys.stdout.write(f"died by signal {-done.returncode} while it published\n")
    published = asyncio.run(_take_over(store))
    sys.stdout.write("the other published it\n" if published == ["PaymentCharged"] else f"{published}\n")


if __name__ == "__main__":
    main()

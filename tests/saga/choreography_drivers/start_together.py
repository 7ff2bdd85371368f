"""Four processes make a Store on one new database at the same moment, three times over."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.synchronize import Barrier

from databases import new_database

REPLICAS, TIMES = 4, 3


def start(url: str, together: Barrier) -> None:
    """Make the Store once all the others are about to."""
    from checkout_saga.store import Store

    together.wait()
    Store(url).close()


def main() -> None:
    """Fail if any of them fails."""
    spawn = multiprocessing.get_context("spawn")
    for _ in range(TIMES):
        url, together = new_database(sys.argv[1]), spawn.Barrier(REPLICAS)
        replicas = [spawn.Process(target=start, args=(url, together)) for _ in range(REPLICAS)]
        for replica in replicas:
            replica.start()
        for replica in replicas:
            replica.join()
        if [replica.exitcode for replica in replicas] != [0] * REPLICAS:
            raise SystemExit("a replica could not start")
    sys.stdout.write(f"{REPLICAS} stores on each of {TIMES} new databases\n")


if __name__ == "__main__":
    main()

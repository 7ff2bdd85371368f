"""A second replica starts on a new database when the first has made its tables but not committed them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import psycopg
import sqlalchemy as sa
from checkout_saga.store import METADATA, Store
from databases import new_database

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def main() -> None:
    """Say that both started, or fail as the second does."""
    if len(sys.argv) == 3:
        Store(sys.argv[2]).close()
        return
    url = new_database(sys.argv[1])
    seconds: list[subprocess.Popen[bytes]] = []

    def start_second(*_made: object, **_options: Any) -> None:
        seconds.append(subprocess.Popen([sys.executable, __file__, sys.argv[1], url]))
        _until_it_waits(url, seconds[0])

    sa.event.listen(METADATA, "after_create", start_second)
    Store(url).close()
    sys.stdout.write(f"the second waited, and ended with {seconds[0].wait()}\n")


def _until_it_waits(url: str, second: subprocess.Popen[bytes]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while second.poll() is None:
            row = connection.execute(WAITING).fetchone()
            if row and row[0]:
                return
            time.sleep(0.02)
    raise SystemExit("the second did not wait")


if __name__ == "__main__":
    main()

"""The generated participants on PostgreSQL: their runs, kills, duplicates, and two replicas at the same rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from halfopen_generators.saga.choreography_scenario import choreography_scenarios
from tests.saga.designs import designed
from tests.saga.support_brokers import nats_server, require_client, require_server
from tests.saga.support_choreography import CHECKOUT, SPECS, replayed, written
from tests.saga.support_postgres import private_postgres

pytestmark = pytest.mark.oracle

DRIVERS = Path(__file__).parent / "choreography_drivers"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    require_client("nats")
    with private_postgres() as url:
        yield url


@pytest.mark.parametrize("name", ["checkout", "diamond", "lacking", "harmful"])
def test_every_run_goes_as_expected_in_memory(name: str, postgres: str, tmp_path: Path) -> None:
    design = designed(SPECS[name])
    setting = {f"{design.name.upper()}_TEST_DATABASE_URL": postgres}
    found = replayed(written(tmp_path, SPECS[name], "nats"), **setting)
    assert found.disagreeing(choreography_scenarios(design)) == {}, found.output


def test_every_run_goes_as_expected_on_a_real_nats_with_real_kills(postgres: str, tmp_path: Path) -> None:
    require_server("nats")
    folder = written(tmp_path / "checkout", CHECKOUT, "nats")
    with nats_server(tmp_path / "server") as url:
        found = replayed(folder, CHECKOUT_TEST_BROKER=url, CHECKOUT_TEST_DATABASE_URL=postgres)
    assert found.disagreeing(choreography_scenarios(designed(CHECKOUT))) == {}, found.output
    assert _databases(postgres) == []


def test_replicas_that_start_at_the_same_moment_make_their_tables_once(postgres: str, tmp_path: Path) -> None:
    assert _driven("start_together.py", postgres, tmp_path) == "the second waited, and ended with 0"


def test_replicas_share_the_outbox_and_publish_each_event_once(postgres: str, tmp_path: Path) -> None:
    assert _driven("share_outbox.py", postgres, tmp_path) == "4 workers published 60 of 60 events, 60 times"


def test_what_a_replica_was_publishing_when_it_died_is_published_by_another(postgres: str, tmp_path: Path) -> None:
    said = _driven("die_publishing.py", postgres, tmp_path)
    assert said.splitlines() == ["died by signal 9 while it published", "the other published it"]


def test_a_join_whose_events_reach_two_replicas_at_once_runs_once(postgres: str, tmp_path: Path) -> None:
    assert _driven("join_together.py", postgres, tmp_path, "diamond") == "40 joins, each applied once and told once"


def test_one_event_that_reaches_two_replicas_at_once_is_applied_once(postgres: str, tmp_path: Path) -> None:
    assert _driven("hear_together.py", postgres, tmp_path) == "40 events, each applied once and told once"


def _driven(driver: str, postgres: str, folder: Path, spec: str = "checkout") -> str:
    """What a program that uses the generated package says, with the URL of a server as its argument."""
    written(folder, SPECS[spec], "nats")
    command = [sys.executable, str(DRIVERS / driver), postgres]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(DRIVERS)])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _databases(postgres: str) -> list[str]:
    """What tests have left on the server."""
    import psycopg

    with psycopg.connect(postgres) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'saga_test_%'").fetchall()
    return [name for (name,) in rows]

"""Several processes keep reports in one place, and some of them are killed in the middle."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from halfopen.vocabulary import Report
from halfopen_server.databases import NotKept, Postgres
from halfopen_server.reports import SCHEME, Reports, pack, upgrade
from tests.reports.support import at, report
from tests.saga.support_postgres import private_postgres

ROOT = Path(__file__).parents[2]
SIZE = len(pack(report("a-0", 3000)))
ALL = 10**9


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.oracle)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where nothing was yet, tables neither."""
    if request.param == "sqlite":
        return str(tmp_path / "reports" / "reports.db")
    url: str = request.getfixturevalue("server")
    for table in ("halfopen_reports", "halfopen_reports_version"):
        Postgres(url, lambda execute: None).run(lambda execute: execute(f"DROP TABLE IF EXISTS {table}"), writes=True)  # noqa: ARG005, B023
    return url


def keeper(place: str, worker: str, count: int, most: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.reports.support", place, worker, str(count), str(most)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(reports: Reports) -> set[str]:
    return {kept.uri.removeprefix(SCHEME) for kept in reports.latest(ALL)}


def whole(reports: Reports) -> bool:
    """Whether each one is as it was kept."""
    return all(
        Report.model_validate_json(reports.read(SCHEME + name)[0]) == report(name, 3000) for name in names(reports)
    )


def test_processes_that_start_at_once_lose_nothing(place: str) -> None:
    # They also make the tables at once.
    running = [keeper(place, worker, 25, ALL) for worker in "abcd"]
    for process in running:
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        assert len(output.splitlines()) == 25
    reports = at(place, ALL)
    assert names(reports) == {f"{worker}-{number}" for worker in "abcd" for number in range(25)}
    assert whole(reports)


def test_processes_together_keep_no_more_than_may_be(place: str) -> None:
    most = 10 * SIZE
    running = [keeper(place, worker, 25, most) for worker in "abc"]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    reports = at(place, most)
    assert 9 <= reports.usage().reports <= 10
    assert reports.usage().size <= most
    # Nobody's last one was the oldest.
    assert any(f"{worker}-24" in names(reports) for worker in "abc")
    assert whole(reports)


def test_a_process_killed_in_the_middle_leaves_whole_reports(place: str) -> None:
    rng = random.Random(7)  # noqa: S311 - any moments will do
    told: set[str] = set()
    for life in range(8):
        process = keeper(place, str(life), 10_000, ALL)
        assert process.stdout is not None
        for _ in range(rng.randint(1, 30)):
            told.add(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        rest, errors = process.communicate(timeout=60)
        assert errors == ""
        told |= set(rest.split("\n")[:-1])
    reports = at(place, ALL)
    # What was said to be kept is; of each life at most the one that was not yet told besides.
    assert told <= names(reports)
    assert len(names(reports) - told) <= 8
    assert whole(reports)
    if "://" not in place:
        with closing(sqlite3.connect(place)) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.oracle
def test_a_database_that_is_down_is_told_at_once_and_left_alone(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    up, down = server, server.replace("test@127.0.0.1:", "test:s3cret@127.0.0.1:1")
    reports = Reports(Postgres(down, upgrade))
    with pytest.raises(NotKept, match=r"refused|invalid") as failed:
        reports.keep("a", report("a"))
    assert "s3cret" not in str(failed.value)
    assert "s3cret" not in reports._database.place
    asked: list[str] = []
    connect = psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda url, **settings: asked.append(url) or connect(up, **settings))  # type: ignore[func-returns-value]
    with pytest.raises(NotKept, match="left alone for a while"):
        reports.keep("a", report("a"))
    assert asked == []
    monkeypatch.setattr(reports._database, "_asked_again_at", 0.0)
    reports.keep("a", report("a"))
    assert asked
    assert names(reports) >= {"a"}

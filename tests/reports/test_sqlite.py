"""What befalls a file: it is private, it may be damaged, foreign, gone, locked or not to be written."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from halfopen_server import databases
from halfopen_server.databases import NotKept
from halfopen_server.reports import SCHEME, Reports
from tests.reports.support import in_file, report


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "reports" / "reports.db"


def held(reports: Reports) -> list[str]:
    return [kept.uri.removeprefix(SCHEME) for kept in reports.latest(99)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == databases.__name__]


def test_designs_are_for_their_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        reports = in_file(path)
        reports.keep("a", report("a"))
    finally:
        os.umask(before)
    with closing(sqlite3.connect(path)) as reader:
        # As long as somebody reads, the files beside it are there too.
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM halfopen_reports").fetchall()
        reports.keep("b", report("b"))
        beside = sorted(each.name for each in path.parent.iterdir())
        assert beside == ["reports.db", "reports.db-shm", "reports.db-wal", "reports.db.lock"]
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_threads_of_one_process_wait_for_their_turn_however_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's own waiting is not fair: who is passed over for seconds would lose its report."""
    monkeypatch.setattr(databases, "patience", lambda: 0.001)
    reports = in_file(path)
    names = [f"report-{number}" for number in range(200)]
    with ThreadPoolExecutor(40) as threads:
        list(threads.map(lambda name: reports.keep(name, report(name)), names))
    assert sorted(reports.read(SCHEME + name)[1] for name in names) == ["application/json"] * len(names)


def test_a_reader_does_not_wait_for_a_writer(path: Path) -> None:
    reports = in_file(path)
    reports.keep("a", report("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM halfopen_reports")
        assert held(reports) == ["a"]


def test_a_file_that_stays_locked_is_told_and_nothing_is_set_aside(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reports = in_file(path)
    reports.keep("a", report("a"))
    monkeypatch.setattr(databases, "patience", lambda: 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(NotKept, match="locked"):
            reports.keep("b", report("b"))
        with pytest.raises(NotKept, match="locked"):
            in_file(path).keep("b", report("b"))
    reports.keep("b", report("b"))
    assert held(reports) == ["b", "a"]
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read", b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_is_set_aside(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    reports = in_file(path)
    reports.keep("a", report("a"))
    assert held(in_file(path)) == ["a"]
    assert path.with_name("reports.db.unusable").read_bytes() == content
    (told,) = warnings(caplog)
    assert told.startswith(f"Reports start anew: {path} can't be used and was set aside as {path}.unusable: ")


def test_a_file_of_another_program_is_set_aside_as_it_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")
    reports = in_file(path)
    reports.keep("a", report("a"))
    assert held(reports) == ["a"]
    with closing(sqlite3.connect(f"{path}.unusable")) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("cookies",)]
    assert "no file of ours: it holds cookies" in warnings(caplog)[0]


def test_damage_while_it_runs_costs_what_was_kept_but_not_the_next_report(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reports = in_file(path)
    for number in range(20):
        reports.keep(str(number), report(str(number), 5000))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    reports.keep("a", report("a"))
    assert held(reports) == ["a"]
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_what_is_taken_away_while_it_runs_is_made_again(
    path: Path, gone: str, caplog: pytest.LogCaptureFixture
) -> None:
    reports = in_file(path)
    reports.keep("a", report("a"))
    for each in path.parent.iterdir():
        each.unlink()
    if gone == "folder":
        path.parent.rmdir()
    assert held(reports) == []
    reports.keep("b", report("b"))
    assert held(in_file(path)) == ["b"]
    assert warnings(caplog) == []


def test_where_nothing_can_be_written_memory_serves_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A read-only folder would not stop root, who may run this.
    (tmp_path / "file").write_text("in the way")
    reports = in_file(tmp_path / "file" / "reports.db")
    reports.keep("a", report("a"))
    reports.keep("b", report("b"))
    assert held(reports) == ["b", "a"]
    assert reports.usage().place == "memory, until the process ends"
    (told,) = warnings(caplog)
    assert told.startswith("Reports are kept in memory only: ")


def test_a_full_disk_is_told_and_what_was_kept_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = in_file(path)
    reports.keep("a", report("a"))
    connect = sqlite3.connect

    def narrow(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **settings)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(sqlite3, "connect", narrow)
    with pytest.raises(NotKept, match="full"):
        reports.keep("b", report("b", 100_000))
    assert held(reports) == ["a"]
    monkeypatch.undo()
    reports.keep("b", report("b", 100_000))
    assert held(reports) == ["b", "a"]


def test_one_process_at_a_time_makes_or_sets_aside_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged, as the other process is about to see as well")
    monkeypatch.setattr(databases, "patience", lambda: 0)
    with closing(sqlite3.connect(f"{path}.lock", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotKept, match="locked"):
            in_file(path).keep("a", report("a"))
        assert path.read_bytes().startswith(b"damaged")
    in_file(path).keep("a", report("a"))
    assert held(in_file(path)) == ["a"]

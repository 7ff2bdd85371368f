"""What every place for reports promises, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from halfopen.source import BadInput
from halfopen.vocabulary import Report
from halfopen_server import databases, reports
from halfopen_server.databases import Memory, NotKept, Postgres, SqliteFile
from halfopen_server.reports import SCHEME, Kept, Reports, identify, open_reports, pack, upgrade
from tests.reports.support import report
from tests.saga.support_postgres import private_postgres

Open = Callable[..., Reports]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.oracle)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same reports again and again; those in memory are new each time."""
    if request.param == "memory":
        return lambda most=1_000_000: Reports(Memory(upgrade), most)
    if request.param == "sqlite":
        return lambda most=1_000_000: Reports(SqliteFile(tmp_path / "new" / "reports.db", upgrade), most)
    url = request.getfixturevalue("server")
    Postgres(url, upgrade).run(lambda execute: execute("DELETE FROM halfopen_reports"), writes=True)
    return lambda most=1_000_000: Reports(Postgres(url, upgrade), most)


def test_what_is_kept_is_read_as_it_was(opened: Open) -> None:
    kept = opened()
    kept.keep("a", report("a"))
    text, media_type = kept.read(SCHEME + "a")
    assert media_type == "application/json"
    assert Report.model_validate_json(text) == report("a")
    assert kept.read(SCHEME + "a/docs/text.md") == (report("a").artifacts[0].text, "text/markdown")
    assert kept.latest(9) == (Kept(SCHEME + "a", "the report on a"),)


def test_the_oldest_make_room_and_one_that_is_kept_again_is_young(opened: Open) -> None:
    size = len(pack(report("a", 2000)))
    kept = opened(most=3 * size + size // 2)
    for name in ("a", "b", "c", "a", "d"):
        kept.keep(name, report(name, 2000))
    assert [each.uri.removeprefix(SCHEME) for each in kept.latest(9)] == ["d", "a", "c"]
    assert kept.usage().reports == 3
    assert kept.usage().size <= kept.usage().most == 3 * size + size // 2
    with pytest.raises(KeyError, match="call the tool again"):
        kept.read(SCHEME + "b")


def test_one_that_is_larger_than_all_may_be_pushes_nothing_out(opened: Open) -> None:
    kept = opened(most=5000)
    kept.keep("a", report("a"))
    with pytest.raises(NotKept, match="may have 5,000"):
        kept.keep("b", report("b", 20_000))
    assert [each.uri for each in kept.latest(9)] == [SCHEME + "a"]


def test_only_as_many_are_listed_as_are_asked_for(opened: Open) -> None:
    kept = opened()
    for number in range(5):
        kept.keep(str(number), report(str(number)))
    assert [each.uri for each in kept.latest(2)] == [SCHEME + "4", SCHEME + "3"]


@pytest.mark.parametrize("address", ["b", "", "\0", "a'; DROP TABLE halfopen_reports; --", "%s", "/docs/text.md"])
def test_what_is_not_kept_is_no_fault_of_the_database(opened: Open, address: str) -> None:
    kept = opened()
    kept.keep("a", report("a"))
    with pytest.raises(KeyError, match="is kept any more"):
        kept.read(SCHEME + address)
    with pytest.raises(KeyError, match=r"has no artifact 'x'. It has: docs/text.md"):
        kept.read(SCHEME + "a/x")


def test_a_summary_may_hold_what_a_database_does_not(opened: Open) -> None:
    kept = opened()
    odd = report("a").model_copy(update={"summary": "a\0b %s ? ☃ " + "long" * 200})
    kept.keep("a", odd)
    assert kept.latest(1)[0].title == ("ab %s ? ☃ " + "long" * 200)[:200]
    assert Report.model_validate_json(kept.read(SCHEME + "a")[0]) == odd


def test_work_that_fails_leaves_nothing_behind(opened: Open) -> None:
    kept = opened()
    kept.keep("a", report("a"))

    def work(execute: Any) -> None:
        execute("DELETE FROM halfopen_reports")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        kept._database.run(work, writes=True)
    assert kept.usage().reports == 1


def test_a_damaged_body_is_told_as_such(opened: Open) -> None:
    kept = opened()
    kept.keep("a", report("a"))
    kept._database.run(lambda execute: execute("UPDATE halfopen_reports SET body = %s", b"x"), writes=True)
    with pytest.raises(NotKept, match="damaged"):
        kept.read(SCHEME + "a")


def test_older_tables_are_brought_up_to_date_and_keep_what_they_hold(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened()
    before.keep("a", report("a"))
    more = ("ALTER TABLE halfopen_reports ADD COLUMN mark TEXT NOT NULL DEFAULT 'new'",)
    monkeypatch.setattr(reports, "UPGRADES", (*reports.UPGRADES, more))
    after = before if isinstance(before._database, Memory) else opened()
    after._database._ready = False
    marks = after._database.run(lambda execute: execute("SELECT mark FROM halfopen_reports"), writes=False)
    assert [mark for (mark,) in marks] == ["new"]
    assert after.read(SCHEME + "a")
    # A process of the older version, which had opened them before, goes on.
    before.keep("b", report("b"))
    assert after.usage().reports == 2
    after._database.run(lambda execute: execute("ALTER TABLE halfopen_reports DROP COLUMN mark"), writes=True)
    after._database.run(lambda execute: execute("UPDATE halfopen_reports_version SET version = 1"), writes=True)


def test_tables_of_a_newer_version_are_left_alone(opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    newer = opened()
    newer.keep("a", report("a"))
    newer._database.run(lambda execute: execute("UPDATE halfopen_reports_version SET version = 99"), writes=True)
    older = newer if isinstance(newer._database, Memory) else opened()
    older._database._ready = False
    if isinstance(older._database, SqliteFile):
        older.keep("b", report("b"))
        assert "version 99" in caplog.text
        assert older.usage().place == Memory.place
    else:
        with pytest.raises(NotKept, match="version 99"):
            older.keep("b", report("b"))
    newer._database._ready = True
    assert [each.uri for each in newer.latest(9)] == [SCHEME + "a"]
    newer._database.run(lambda execute: execute("UPDATE halfopen_reports_version SET version = 1"), writes=True)


def test_an_identity_rests_on_all_that_was_asked() -> None:
    asked = ("0.1.0", "design_saga", "a.yaml", "text", {"b": 1, "a": [2]}, {"target": "dbos"})
    assert identify(*asked) == identify(*asked[:4], {"a": [2], "b": 1}, asked[5])
    others = [(*asked[:place], "other", *asked[place + 1 :]) for place in range(len(asked))]
    assert len({identify(*each) for each in (asked, *others)}) == len(asked) + 1
    assert identify("a", "b") != identify("ab")
    # Half a character is legal in JSON; whoever checks the spec may say what is wrong with it.
    assert identify("\ud800") != identify("\ud801")


@pytest.mark.parametrize("where", ["mysql://me:secret@host/db", "/a/folder", "postgres", "sqlite:///a.db"])
def test_no_place_for_reports_is_told_without_its_password(where: str) -> None:
    with pytest.raises(
        BadInput, match=r"can't be kept there \(--reports or HALFOPEN_REPORTS\). Legal: postgres"
    ) as told:
        open_reports(where, {})
    assert "secret" not in str(told.value)


def test_a_missing_driver_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "find_spec", lambda name: None)  # noqa: ARG005 - called with the name
    with pytest.raises(BadInput, match=r"pip install 'halfopen\[postgres\]'"):
        open_reports("postgresql://host/db", {})


def test_the_folder_is_the_plugin_s_or_what_the_system_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    plugin = open_reports("", {"CLAUDE_PLUGIN_DATA": str(tmp_path / "plugin")}).usage()
    assert plugin.place == str(tmp_path / "plugin/reports/reports.db")
    for told in ({}, {"CLAUDE_PLUGIN_DATA": ""}, {"CLAUDE_PLUGIN_DATA": "${CLAUDE_PLUGIN_DATA}"}):
        usage = open_reports(None, told).usage()
        assert "halfopen" in usage.place
        assert Path(usage.place).is_absolute()
        assert (usage.reports, usage.size) == (0, 0)
    # Only to ask makes nothing.
    assert list(tmp_path.iterdir()) == []

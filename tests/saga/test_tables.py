from __future__ import annotations

import importlib.util
import threading
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from halfopen.registry import Options
from halfopen.source import Source, validate
from halfopen_generators.saga import tables
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import SagaSpec
from tests.oracles import require
from tests.saga.support_postgres import private_postgres

if TYPE_CHECKING:
    import psycopg

STYLES = ("orchestration", "event-sourced", "choreography")
KEY, UNDO = "run-1/reserve-stock/action", "run-1/reserve-stock/compensation"


# A step that keeps runs apart on a resource.
KEPT = {"reads": ["stock"], "writes": ["stock"], "countermeasures": {"stock": "semantic-lock"}}


def designed(style: str) -> SagaDesign:
    style, _, kept = style.partition(" ")
    spec = {
        "saga": "checkout",
        "style": style,
        "description": "Two lines;\nDROP TABLE nothing",
        "correlation_key": "order_id",
        "steps": [
            {"name": "reserve-stock", "service": "inventory", "action": "ReserveStock", **(KEPT if kept else {})},
        ],
    }
    source = Source(spec)
    return design(validate(SagaSpec, source), source, Options())


def rendered(style: str) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in tables.artifacts(designed(style))}


@pytest.mark.parametrize("style", STYLES)
def test_each_style_gets_its_tables(style: str) -> None:
    texts = rendered(style)
    assert list(texts) == ["sql/postgres.sql", "sql/statements.sql"]
    schema = texts["sql/postgres.sql"]
    names = [line.split()[5] for line in schema.splitlines() if line.startswith("CREATE TABLE IF NOT EXISTS")]
    leading = {
        "orchestration": ["saga_idempotency", "saga_run", "saga_log"],
        "event-sourced": ["saga_idempotency", "saga_event", "saga_snapshot", "saga_open_run"],
        "choreography": ["saga_idempotency", "saga_arrival"],
    }
    assert names == ["saga_inbox", "saga_tombstone", "saga_outbox", *leading[style]]
    assert [name for name in names if f"COMMENT ON TABLE {name} IS" not in schema] == []
    assert "-- Two lines; DROP TABLE nothing\n" in schema
    assert texts == rendered(style)


def test_where_runs_are_kept_apart_there_are_tables_for_it() -> None:
    schema, statements = rendered("orchestration kept").values()
    for table in ("saga_entity", "saga_touch", "saga_visit"):
        assert f"CREATE TABLE IF NOT EXISTS {table} " in schema
        assert f"COMMENT ON TABLE {table} IS" in schema
        assert table in statements


@pytest.mark.oracle
@pytest.mark.parametrize("style", [*STYLES, "orchestration kept"])
def test_a_real_parser_takes_every_statement(style: str) -> None:
    parser = importlib.util.find_spec("pglast") is not None
    require("pglast", available=parser, how_to_get="install pglast from PyPI")
    import pglast

    schema, statements = rendered(style).values()
    kinds = {type(part.stmt).__name__ for part in pglast.parse_sql(schema)}
    assert {"CreateStmt", "IndexStmt", "CommentStmt", "TransactionStmt"} <= kinds
    assert {type(part.stmt).__name__ for part in pglast.parse_sql(statements)} == {"PrepareStmt"}


# ---- on a real server --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield f"host=127.0.0.1 port={urlsplit(url).port} user=test"


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of its own, with the tables of the style that the test asks for."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    style = getattr(request, "param", "orchestration")
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    address = f"{server} dbname={name}"
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(rendered(style)["sql/postgres.sql"])
    yield f"{style} {address}"
    with psycopg.connect(f"{server} dbname=postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Session:
    """One connection with the statements prepared, each called by its name."""

    def __init__(self, database: str) -> None:
        import psycopg

        style, address = database.split(" host=", 1)
        address = f"host={address}"
        self.connection: psycopg.Connection[Any] = psycopg.connect(address, autocommit=True)
        self.connection.execute(rendered(style)["sql/statements.sql"])
        self.connection.autocommit = False

    def __call__(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        import psycopg

        arguments = psycopg.sql.SQL(", ").join(psycopg.sql.Literal(value) for value in values)
        call = psycopg.sql.SQL("EXECUTE {}").format(psycopg.sql.Identifier(statement))
        if values:
            call = psycopg.sql.SQL("{} ({})").format(call, arguments)
        cursor = self.connection.execute(call)
        return cursor.fetchall() if cursor.description else []

    def commit(self) -> None:
        self.connection.commit()

    def crash(self) -> None:
        """The process dies: its session ends without a commit."""
        self.connection.close()


@pytest.fixture
def sessions(database: str) -> Iterator[list[Session]]:
    import psycopg
    import psycopg.sql  # noqa: F401 - not loaded by the package itself

    found = [Session(database), Session(database)]
    yield found
    for session in found:
        session.connection.close()


def handle(session: Session, key: str, request: str, *, action_key: str = KEY) -> str:
    """A participant's whole transaction, as statements.sql tells it; the answer's outcome."""
    session("take_turns", action_key)
    if not session("claim_request", key, "order-1", "reserve-stock", request):
        ((outcome, _),) = session("first_answer", key)
        session.connection.rollback()
        return str(outcome)
    outcome = "done"
    if request == "compensation":
        ((applied,),) = session("was_applied", action_key)
        session("bury_action", action_key, "order-1", "reserve-stock", applied)
        if applied:
            session.connection.execute("INSERT INTO effects VALUES ('undone')")
    elif session("is_buried", action_key) == [(True,)]:
        outcome = "refused"
    else:
        session.connection.execute("INSERT INTO effects VALUES ('applied')")
    session("remember_answer", key, outcome, "{}")
    session("write_outbox", f"{key}/answer", "order-1", "answers", "{}")
    session.commit()
    return outcome


def effects(session: Session) -> list[str]:
    found = [row[0] for row in session.connection.execute("SELECT what FROM effects ORDER BY at").fetchall()]
    session.commit()
    return found


def business(session: Session) -> None:
    session.connection.execute("CREATE TABLE effects (what text, at serial)")
    session.commit()


@pytest.mark.oracle
@pytest.mark.parametrize("database", STYLES, indirect=True)
def test_the_tables_may_be_applied_again_and_keep_their_rows(sessions: list[Session], database: str) -> None:
    session = sessions[0]
    session("write_outbox", "m-1", "order-1", "answers", "{}")
    session.commit()
    session.connection.autocommit = True
    session.connection.execute(rendered(database.split(" host=", 1)[0])["sql/postgres.sql"])
    assert session("outbox_lag")[0][0] == 1


def held_up(session: Session, run: str) -> str:
    """A step that reads, writes and locks, as statements.sql tells it: done, ended, or who is in the way."""
    ((ended,),) = session("visit", run)
    if ended:
        session.connection.rollback()
        return "ended"
    ((version, held_by),) = session("find_entity", "stock", "book")
    if held_by not in (None, run):
        session.connection.rollback()
        return str(held_by)
    ((after,),) = session("touch_entity", "stock", "book", 1, run)
    session("keep_up", run, "stock", "book", version, after)
    session("write_touch", run, "reserve-stock", "stock", "book", after)
    session.commit()
    return "done"


def released(session: Session, run: str) -> None:
    for statement in ("end_visit", "free_entities", "forget_run"):
        session(statement, run)
    session.commit()


@pytest.mark.oracle
@pytest.mark.parametrize("database", ["orchestration kept"], indirect=True)
def test_an_entity_belongs_to_the_run_that_locks_it_until_that_has_ended(sessions: list[Session]) -> None:
    session, other = sessions
    assert [held_up(session, "a"), held_up(other, "b")] == ["done", "a"]
    assert session("version_seen", "a", "stock", "book") == [(1,)]
    assert session("touched", "a", "reserve-stock") == [("stock", "book")]
    session.commit()
    for _ in range(2):
        released(session, "a")
    assert [held_up(session, "a"), held_up(other, "b")] == ["ended", "done"]
    assert other("touched", "a", "reserve-stock") == []


@pytest.mark.oracle
@pytest.mark.parametrize("database", ["orchestration kept"], indirect=True)
def test_two_steps_that_touch_an_entity_at_once_take_turns(sessions: list[Session]) -> None:
    first, second = sessions
    first("visit", "a")
    first("find_entity", "stock", "book")
    got: list[str] = []
    other = threading.Thread(target=lambda: got.append(held_up(second, "b")))
    other.start()
    other.join(0.3)
    assert got == []
    first("touch_entity", "stock", "book", 1, "a")
    first.commit()
    other.join()
    assert got == ["a"]


@pytest.mark.oracle
def test_a_request_is_applied_once_and_answered_the_same(sessions: list[Session]) -> None:
    session = sessions[0]
    business(session)
    assert [handle(session, KEY, "action") for _ in range(3)] == ["done", "done", "done"]
    assert effects(session) == ["applied"]


@pytest.mark.oracle
@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_sessions_that_claim_at_once_one_gets_it(sessions: list[Session], *, first_commits: bool) -> None:
    first, second = sessions
    claim = ("claim_request", KEY, "order-1", "reserve-stock", "action")
    assert first(*claim) == [(KEY,)]
    got: list[list[tuple[Any, ...]]] = []
    other = threading.Thread(target=lambda: got.append(second(*claim)))
    other.start()
    other.join(0.5)
    assert other.is_alive(), "the second claim did not wait for the first"
    if first_commits:
        first("remember_answer", KEY, "done", '{"n": 1}')
        first.commit()
    else:
        first.crash()
    other.join(30)
    assert got == ([[]] if first_commits else [[(KEY,)]])
    if first_commits:
        assert second("first_answer", KEY) == [("done", {"n": 1})]


@pytest.mark.oracle
def test_a_late_action_is_refused_and_an_empty_compensation_is_answered(sessions: list[Session]) -> None:
    session = sessions[0]
    business(session)
    assert handle(session, UNDO, "compensation") == "done"
    assert handle(session, KEY, "action") == "refused"
    assert handle(session, UNDO, "compensation") == "done"
    assert effects(session) == []


@pytest.mark.oracle
def test_an_action_and_its_compensation_at_once_take_turns(sessions: list[Session]) -> None:
    first, second = sessions
    business(first)
    # The action is under way: its effect is written and not committed when the compensation comes.
    first("take_turns", KEY)
    first("claim_request", KEY, "order-1", "reserve-stock", "action")
    first.connection.execute("INSERT INTO effects VALUES ('applied')")
    first("remember_answer", KEY, "done", "{}")
    other = threading.Thread(target=lambda: handle(second, UNDO, "compensation"))
    other.start()
    other.join(0.5)
    assert other.is_alive(), "the compensation did not wait for the action"
    first.commit()
    other.join(30)
    assert effects(first) == ["applied", "undone"]


@pytest.mark.oracle
def test_a_crash_before_the_commit_leaves_nothing_and_after_it_the_relay_sends(sessions: list[Session]) -> None:
    first, relay = sessions
    first("write_outbox", "lost", "order-1", "answers", "{}")
    first.crash()
    assert relay("take_messages", 10) == []
    relay.commit()
    relay("write_outbox", "kept", "order-1", "answers", "{}")
    relay.commit()
    ((position, message, *_),) = relay("take_messages", 10)
    assert message == "kept"
    relay("mark_published", position)
    # The relay dies after the broker's acknowledgement and before its commit: the message goes out again.
    relay.connection.rollback()
    assert [row[1] for row in relay("take_messages", 10)] == ["kept"]
    relay("mark_published", position)
    relay.commit()
    assert relay("take_messages", 10) == []


@pytest.mark.oracle
def test_two_relays_share_the_work_and_a_refused_message_waits(sessions: list[Session]) -> None:
    first, second = sessions
    for number in range(4):
        first("write_outbox", f"m-{number}", "order-1", "answers", "{}")
    first.commit()
    mine = first("take_messages", 2)
    theirs = second("take_messages", 10)
    assert [row[1] for row in mine] == ["m-0", "m-1"]
    assert [row[1] for row in theirs] == ["m-2", "m-3"]
    first("put_back", mine[0][0])
    first.commit()
    second.commit()
    assert [row[1] for row in second("take_messages", 10)] == ["m-1", "m-2", "m-3"]


@pytest.mark.oracle
def test_the_relay_polls_by_its_index(sessions: list[Session]) -> None:
    session = sessions[0]
    session.connection.execute(
        "INSERT INTO saga_outbox (message_id, correlation_id, topic, payload, published_at)"
        " SELECT i, 'order-1', 'answers', '{}', now() FROM generate_series(1, 20000) AS i"
    )
    session.commit()
    session.connection.autocommit = True
    session.connection.execute("ANALYZE saga_outbox")
    plan = "\n".join(row[0] for row in session.connection.execute("EXPLAIN EXECUTE take_messages (10)").fetchall())
    assert "saga_outbox_to_publish" in plan


@pytest.mark.oracle
def test_the_log_moves_on_for_who_saw_it_last_and_open_runs_are_found(sessions: list[Session]) -> None:
    first, second = sessions
    assert first("start_run", "checkout", "order-1", "{}", None) == [("order-1",)]
    first.commit()
    assert second("start_run", "checkout", "order-1", "{}", None) == []
    second.commit()
    assert first("move_on", "checkout", "order-1", 0, "running") == [(1,)]
    first("write_log", "checkout", "order-1", 1, "reserve-stock", "action", "sent", None)
    first.commit()
    assert second("move_on", "checkout", "order-1", 0, "running") == []
    assert second("open_runs", "checkout", 10) == [("order-1", "running", 1, {})]
    # Another one that recovers at the same time gets other runs.
    assert first("open_runs", "checkout", 10) == []
    second.commit()
    first.commit()
    assert first("move_on", "checkout", "order-1", 1, "cancelled") == [(2,)]
    first.commit()
    assert first("move_on", "checkout", "order-1", 2, "running") == []
    assert first("open_runs", "checkout", 10) == []
    assert first("read_log", "checkout", "order-1") == [(1, "reserve-stock", "action", "sent", None)]


@pytest.mark.oracle
@pytest.mark.parametrize("database", ["event-sourced"], indirect=True)
def test_events_are_only_added_and_by_who_saw_the_last(sessions: list[Session]) -> None:
    import psycopg

    first, second = sessions
    assert first("append_event", "checkout/1", 0, "e-1", "Started", "{}") == [(1,)]
    first.commit()
    assert second("append_event", "checkout/1", 0, "e-2", "Started", "{}") == []
    assert second("append_event", "checkout/1", 7, "e-2", "Started", "{}") == []
    second.commit()
    # Two who have seen the same version at the same moment: one of them gets a unique violation.
    assert first("append_event", "checkout/1", 1, "e-3", "Done", "{}") == [(2,)]
    caught: list[type[BaseException]] = []

    def append() -> None:
        try:
            second("append_event", "checkout/1", 1, "e-4", "Refused", "{}")
        except psycopg.errors.UniqueViolation as error:
            caught.append(type(error))

    other = threading.Thread(target=append)
    other.start()
    other.join(0.5)
    first.commit()
    other.join(30)
    assert caught == [psycopg.errors.UniqueViolation]
    assert [row[:3] for row in first("read_stream", "checkout/1", 0)] == [(1, "e-1", "Started"), (2, "e-3", "Done")]
    for forbidden in ("UPDATE saga_event SET version = 9", "DELETE FROM saga_event", "TRUNCATE saga_event"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            first.connection.execute(forbidden)
        first.connection.rollback()


@pytest.mark.oracle
@pytest.mark.parametrize("database", ["choreography"], indirect=True)
def test_a_join_runs_once_all_events_are_in(sessions: list[Session]) -> None:
    session = sessions[0]
    wanted = ["Paid", "Packed"]
    session("note_arrival", "ship", "order-1", "Paid", "e-1", "{}")
    session("note_arrival", "ship", "order-1", "Paid", "e-9", "{}")
    assert session("all_in", "ship", "order-1", wanted) == [(False,)]
    session("note_arrival", "ship", "order-1", "Packed", "e-2", "{}")
    assert session("all_in", "ship", "order-1", wanted) == [(True,)]
    assert session("all_in", "ship", "order-2", wanted) == [(False,)]


@pytest.mark.oracle
def test_a_caller_who_asks_twice_starts_one_run(sessions: list[Session]) -> None:
    session = sessions[0]
    assert session("claim_start", "shop", "k", "hash", "order-1") == [("order-1",)]
    assert session("claim_start", "shop", "k", "other hash", "order-2") == []
    assert session("started_before", "shop", "k") == [("hash", "order-1", None)]
    assert session("claim_start", "another shop", "k", "hash", "order-3") == [("order-3",)]


@pytest.mark.oracle
def test_what_is_old_can_be_purged(sessions: list[Session]) -> None:
    session = sessions[0]
    business(session)
    handle(session, KEY, "action")
    ((position, *_),) = session("take_messages", 1)
    session("mark_published", position)
    session.commit()
    session("purge_inbox", "1 hour", 100)
    session("purge_outbox", "1 hour", 100)
    assert session("first_answer", KEY) == [("done", {})]
    session("purge_inbox", "-1 hour", 100)
    session("purge_outbox", "-1 hour", 100)
    assert session("first_answer", KEY) == []
    assert session.connection.execute("SELECT count(*) FROM saga_outbox").fetchall() == [(0,)]

"""The databases that reports can be kept in: what differs between SQLite, PostgreSQL and memory.

All speak the same SQL, with %s where a value goes. A piece of work is handed to `run` and happens whole or not at all.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from halfopen.source import BadInput, Problem

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Any number will do, as long as nobody else locks by it: "halfopen" in ASCII.
_LOCK = 0x68616C666F70656E
# Connections of one process to PostgreSQL at once, which by default lets in 100 of all.
_CONNECTIONS = 4


class NotKept(Exception):  # noqa: N818 - it names what became of the report
    """The database can't be used now. Its text is for whoever runs the server: it may name hosts and files."""


class Execute(Protocol):
    """Runs one statement and gives its rows, none if it has none."""

    def __call__(self, statement: str, *values: Any) -> list[Any]: ...  # noqa: D102 - the class says it


class Database(ABC):
    """A place for tables that are made, or brought to this version, on first use."""

    place: str

    def __init__(self, upgrade: Callable[[Execute], None]) -> None:
        self._upgrade = upgrade
        self._ready = False

    def there(self) -> bool:
        """Whether there is anything to ask without making it first."""
        return True

    def run(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        """What that work gives, in one transaction; where it writes, no other that writes runs beside it.

        Raises:
            NotKept: it can't be done now.
        """
        if not self._ready:
            self._transact(self._upgrade, writes=True)
            self._ready = True
        return self._transact(work, writes=writes)

    @abstractmethod
    def _transact(self, work: Callable[[Execute], T], *, writes: bool) -> T: ...


class Memory(Database):
    """Nothing outlives the process."""

    place = "memory, until the process ends"

    def __init__(self, upgrade: Callable[[Execute], None]) -> None:
        super().__init__(upgrade)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def _transact(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        with self._lock:
            if self._connection is None:
                self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            return _in_sqlite(self._connection, work, writes=writes)


class SqliteFile(Database):
    """A file in the user's own folder, for all processes of that user.

    A file that can't be used is set aside. Where none can be written, reports are kept in memory, and that is logged
    once.
    """

    def __init__(self, path: Path, upgrade: Callable[[Execute], None]) -> None:
        super().__init__(upgrade)
        self.place = str(path)
        self._path = path
        self._preparing = threading.Lock()
        self._writing = threading.Lock()
        self._instead: Memory | None = None

    def there(self) -> bool:
        """Whether the file is."""
        return self._path.exists()

    def run(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        """As everywhere; what a damaged file held is lost, the work isn't.

        Raises:
            NotKept: the disk is full, or others keep the file locked.
        """
        self._prepare()
        if self._instead is not None:
            return self._instead.run(work, writes=writes)
        try:
            return self._transact(work, writes=writes)
        except (sqlite3.Error, OSError) as error:
            if _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}:
                raise NotKept(f"{self._path}: {error}") from None
        # Damaged, or taken away or replaced while we ran: look at it closely, and try once more.
        self._ready = False
        self._prepare(closely=True)
        if self._instead is not None:
            return self._instead.run(work, writes=writes)
        try:
            return self._transact(work, writes=writes)
        except (sqlite3.Error, OSError) as error:
            raise NotKept(f"{self._path}: {error}") from None

    def _transact(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        # The file's own waiting knows no queue: with a thousand calls at once one could be passed over for too long.
        with self._writing if writes else nullcontext(), closing(self._connect()) as connection:
            return _in_sqlite(connection, work, writes=writes)

    def _connect(self) -> sqlite3.Connection:
        """A connection for one piece of work: none is left over to a file that was replaced meanwhile."""
        # SQLite would let others read it; the files that it puts beside it get the same rights.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, timeout=patience(), isolation_level=None)
        # A report that a crash of the machine loses can be made again; one that is there must be whole.
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _prepare(self, *, closely: bool = False) -> None:
        with self._preparing:
            if self._ready or self._instead is not None:
                return
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._path.parent.chmod(0o700)
                with self._alone():
                    self._make_usable(closely=closely)
            except (sqlite3.Error, OSError, NotKept) as error:
                if _code(error) == sqlite3.SQLITE_BUSY:
                    raise NotKept(f"{self._path}: {error}") from None
                logger.warning("Reports are kept in memory only: %s can't be used: %s", self._path, error)
                self._instead = Memory(self._upgrade)
                self.place = self._instead.place
            self._ready = True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process makes, upgrades or sets aside the file meanwhile. SQLite's locks work on every system."""
        lock = self._path.with_name(f"{self._path.name}.lock")
        os.close(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(lock, timeout=patience(), isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield

    def _make_usable(self, *, closely: bool) -> None:
        try:
            fault = self._set_up(closely=closely)
        except sqlite3.DatabaseError as error:
            if _code(error) not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise
            fault = str(error)
        if fault:
            self._set_aside(fault)
            self._set_up(closely=False)

    def _set_up(self, *, closely: bool) -> str | None:
        """What is wrong with the file; None if it is ready."""
        with closing(self._connect()) as connection:
            if closely and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                return str(found)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and not any(name.startswith("halfopen_") for name in tables):
                return f"it is no file of ours: it holds {', '.join(sorted(tables))[:200]}"
            # Readers don't wait for a writer then.
            connection.execute("PRAGMA journal_mode = WAL")
            _in_sqlite(connection, self._upgrade, writes=True)
        return None

    def _set_aside(self, fault: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.unusable")
        # The log of an old file would be taken for one of the new file: it goes first.
        for end in ("-shm", "-wal", ""):
            part = self._path.with_name(self._path.name + end)
            if part.exists():
                part.replace(aside.with_name(aside.name + end))
        logger.warning("Reports start anew: %s can't be used and was set aside as %s: %s", self._path, aside, fault)


class Postgres(Database):
    """A database that replicas share. Where it can't be reached, it is left alone for a while, whoever calls."""

    def __init__(self, url: str, upgrade: Callable[[Execute], None]) -> None:
        if find_spec("psycopg") is None:
            raise BadInput(
                [Problem("to keep reports in PostgreSQL, install its driver: pip install 'halfopen[postgres]'.")]
            )
        super().__init__(upgrade)
        self._url = url
        parts = urlsplit(url)
        # What stands behind the @ and before the ? holds no password.
        self.place = f"PostgreSQL at {parts.netloc.rpartition('@')[2]}{parts.path}"
        self._few = threading.BoundedSemaphore(_CONNECTIONS)
        self._asked_again_at = 0.0

    def _transact(self, work: Callable[[Execute], T], *, writes: bool) -> T:
        import psycopg  # noqa: PLC0415 - an extra, and only here

        with self._few:
            if time.monotonic() < self._asked_again_at:
                raise NotKept(f"{self.place} could not be reached and is left alone for a while")
            try:
                # Poolers that hand out connections by the transaction keep no prepared statements.
                with psycopg.connect(self._url, connect_timeout=patience(), prepare_threshold=None) as connection:

                    def execute(statement: str, *values: Any) -> list[Any]:
                        cursor = connection.execute(statement, values)
                        return cursor.fetchall() if cursor.description else []

                    execute("SELECT set_config('statement_timeout', %s, true)", f"{patience()}s")
                    if writes:
                        execute("SELECT pg_advisory_xact_lock(%s)", _LOCK)
                    return work(execute)
            except psycopg.Error as error:
                if isinstance(error, psycopg.OperationalError):
                    self._asked_again_at = time.monotonic() + _rest()
                raise NotKept(f"{self.place}: {self._harmless(error)}") from None

    def _harmless(self, error: Exception) -> str:
        text = " ".join(str(error).split())
        password = urlsplit(self._url).password
        for secret in filter(None, (password, unquote(password or ""))):
            text = text.replace(secret, "***")
        return text


def data_folder(environment: Mapping[str, str]) -> Path:
    """Where this user's data lie: the plugin's own folder, which Claude Code names, else what the system has for it."""
    import platformdirs  # noqa: PLC0415 - as above

    plugin = environment.get("CLAUDE_PLUGIN_DATA", "")
    # Another client might hand on the name of the variable instead of its value.
    base = Path(plugin) if os.path.isabs(plugin) else Path(platformdirs.user_data_dir("halfopen", appauthor=False))  # noqa: PTH117 - a Path of nothing is the current folder
    return base / "reports"


def patience() -> int:
    """Seconds to wait for a database."""
    from halfopen.thresholds import thresholds  # noqa: PLC0415 - reads files

    return int(thresholds()["timeout-service-call"].value or 0)


def _rest() -> float:
    from halfopen.thresholds import thresholds  # noqa: PLC0415 - reads files

    return thresholds()["breaker-open-time"].value or 0


def _in_sqlite(connection: sqlite3.Connection, work: Callable[[Execute], T], *, writes: bool) -> T:
    def execute(statement: str, *values: Any) -> list[Any]:
        return connection.execute(statement.replace("%s", "?"), values).fetchall()

    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        done = work(execute)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done


def _code(error: Exception) -> int:
    """SQLite's word for the kind of failure; 0 if it is none of SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF

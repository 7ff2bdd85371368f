"""Reports that outlive the process that made them, by identity: in SQLite, in PostgreSQL, or in memory.

A report is kept whole, as compressed JSON, so that one which an older version wrote can still be read. Where the sum of
all sizes passes a limit, the one that was kept longest ago goes first. Everything here blocks: an event loop calls it
in a thread.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfopen.source import BadInput, Problem
from halfopen.vocabulary import Report
from halfopen_server.databases import Database, Execute, Memory, NotKept, Postgres, SqliteFile, data_folder

SCHEME = "halfopen://reports/"
VARIABLE = "HALFOPEN_REPORTS"
MEMORY = "memory"
# Compressed; a report with generated code has about 25 kB.
MOST_BYTES = 64_000_000
_LONGEST_TITLE = 200

# Each entry brings the tables from one version to the next, in SQLite and PostgreSQL alike; what was released is never
# changed. While replicas are replaced one by one the older ones go on with the newer tables: add, and drop nothing.
UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        # The body stands last: what looks at the other columns doesn't read past it.
        """CREATE TABLE halfopen_reports (
          id TEXT PRIMARY KEY, kept BIGINT NOT NULL, size BIGINT NOT NULL, title TEXT NOT NULL, body BYTEA NOT NULL
        )""",
        "CREATE INDEX halfopen_reports_kept ON halfopen_reports (kept, size)",
    ),
)
_KEEP = """
INSERT INTO halfopen_reports (id, kept, size, title, body)
VALUES (%s, (SELECT COALESCE(MAX(kept), 0) + 1 FROM halfopen_reports), %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET kept = excluded.kept, size = excluded.size, title = excluded.title, body = excluded.body
"""
_MAKE_ROOM = """
DELETE FROM halfopen_reports WHERE id IN (
  SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY kept DESC) AS total FROM halfopen_reports) AS aged
  WHERE total > %s
)
"""


@dataclass(frozen=True)
class Kept:
    """A report that can be read, by its address."""

    uri: str
    title: str


@dataclass(frozen=True)
class Usage:
    """How much is kept, and where; sizes in bytes."""

    place: str
    reports: int
    size: int
    most: int


def identify(*parts: Any) -> str:
    """The same name for the same call and answer, in every process: a hash of them."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Reports:
    """The latest reports, by identity; those kept longest ago make room."""

    def __init__(self, database: Database | None = None, most: int = MOST_BYTES) -> None:
        self._database = Memory(upgrade) if database is None else database
        self._most = most

    def keep(self, identity: str, report: Report) -> None:
        """Keep that report as the latest, in place of what was kept by that name.

        Raises:
            NotKept: it is larger than all that may be kept, or the database can't take it now.
        """
        body = pack(report)
        if len(body) > self._most:
            raise NotKept(f"the report has {len(body):,} bytes, and all together may have {self._most:,}")
        # PostgreSQL has no NUL in a text.
        title = report.summary.replace("\0", "")[:_LONGEST_TITLE]

        def work(execute: Execute) -> None:
            execute(_KEEP, identity, len(body), title, body)
            execute(_MAKE_ROOM, self._most)

        self._database.run(work, writes=True)

    def latest(self, most: int) -> tuple[Kept, ...]:
        """The latest that many, the last one first.

        Raises:
            NotKept: the database can't be asked now.
        """
        select = "SELECT id, title FROM halfopen_reports ORDER BY kept DESC LIMIT %s"
        rows = self._database.run(lambda execute: execute(select, most), writes=False)
        return tuple(Kept(SCHEME + identity, title) for identity, title in rows)

    def read(self, uri: str) -> tuple[str, str]:
        """Text and media type of a report or one of its artifacts.

        Raises:
            KeyError: nothing of that name is kept; its text says what to do.
            NotKept: the database can't be asked now.
        """
        identity, _, path = uri.removeprefix(SCHEME).partition("/")
        select = "SELECT body FROM halfopen_reports WHERE id = %s"
        # No identity holds a NUL, and PostgreSQL takes no text with one.
        rows = [] if "\0" in identity else self._database.run(lambda execute: execute(select, identity), writes=False)
        if not rows:
            raise KeyError(f"No report {identity!r} is kept any more: call the tool again with the same arguments.")
        text = _unpacked(rows[0][0])
        if not path:
            return text, "application/json"
        artifacts = json.loads(text)["artifacts"]
        for artifact in artifacts:
            if artifact["path"] == path:
                return artifact["text"], artifact["media_type"]
        paths = ", ".join(artifact["path"] for artifact in artifacts)
        raise KeyError(f"Report {identity!r} has no artifact {path!r}. It has: {paths}.")

    def usage(self) -> Usage:
        """How much is kept; nothing is made where nothing is there yet.

        Raises:
            NotKept: the database can't be asked now.
        """
        select = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM halfopen_reports"
        there = self._database.there()
        rows = self._database.run(lambda execute: execute(select), writes=False) if there else [(0, 0)]
        return Usage(self._database.place, int(rows[0][0]), int(rows[0][1]), self._most)


def pack(report: Report) -> bytes:
    """The report as it is stored."""
    return zlib.compress(report.model_dump_json(indent=2).encode())


def _unpacked(body: bytes) -> str:
    try:
        return zlib.decompress(body).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise NotKept(f"what is stored of the report is damaged: {error}") from None


def upgrade(execute: Execute) -> None:
    """Make the tables, or bring them to this version.

    Raises:
        NotKept: a newer version made them.
    """
    execute("CREATE TABLE IF NOT EXISTS halfopen_reports_version (version INTEGER NOT NULL)")
    rows = execute("SELECT version FROM halfopen_reports_version")
    version = int(rows[0][0]) if rows else 0
    if version > len(UPGRADES):
        raise NotKept(f"a newer Halfopen made these tables (version {version}; this one knows {len(UPGRADES)})")
    if version < len(UPGRADES):
        for statement in (statement for statements in UPGRADES[version:] for statement in statements):
            execute(statement)
        execute("DELETE FROM halfopen_reports_version")
        execute("INSERT INTO halfopen_reports_version VALUES (%s)", len(UPGRADES))


def open_reports(where: str | None, environment: Mapping[str, str]) -> Reports:
    """The reports at that place. Nothing is opened or made before the first one is kept or asked for.

    Args:
        where: The URL of a PostgreSQL database, `memory`, or None or nothing for a file in the user's folder.
        environment: Tells which folder that is.

    Raises:
        BadInput: it is no such place, or the driver for it is missing.
    """
    if not where:
        return Reports(SqliteFile(data_folder(environment) / "reports.db", upgrade))
    if where == MEMORY:
        return Reports()
    if where.startswith(("postgresql://", "postgres://")):
        return Reports(Postgres(where, upgrade))
    # A URL may hold a password: no part of it is repeated.
    legal = "postgresql://USER@HOST/DATABASE, memory, or nothing for a file in your data folder"
    raise BadInput([Problem(f"reports can't be kept there (--reports or {VARIABLE}). Legal: {legal}.")])

"""Reports to keep, and processes that keep them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from halfopen.vocabulary import Artifact, Report, ReportOutcome
from halfopen_server.databases import SqliteFile
from halfopen_server.reports import Reports, open_reports, upgrade


def report(name: str, size: int = 100) -> Report:
    """A report whose text doesn't compress, and which tells whether it is whole."""
    text = "".join(hashlib.sha256(f"{name} {part}".encode()).hexdigest() for part in range(size // 64 + 1))
    artifact = Artifact(path="docs/text.md", media_type="text/markdown", text=text[:size])
    return Report(summary=f"the report on {name}", outcome=ReportOutcome.PASS, artifacts=(artifact,))


def in_file(path: Path, most: int = 1_000_000) -> Reports:
    return Reports(SqliteFile(path, upgrade), most)


def at(place: str, most: int) -> Reports:
    """A file's, or a PostgreSQL database's."""
    if place.startswith("postgresql:"):
        return Reports(open_reports(place, {})._database, most)
    return in_file(Path(place), most)


def keep_many(place: str, worker: str, count: str, most: str) -> None:
    """What a process of its own does: keep that many, say each, and read each back."""
    reports = at(place, int(most))
    for number in range(int(count)):
        name = f"{worker}-{number}"
        reports.keep(name, report(name, 3000))
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    keep_many(*sys.argv[1:])

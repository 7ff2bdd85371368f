"""What buf's linter says of a package that compiled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from halfopen.checkers import programs
from halfopen.vocabulary import Check, Status

_IMAGE = "image.binpb"
_FOUND = 100  # buf's exit status where rules are broken


@dataclass(frozen=True)
class Place:
    """One place where a lint rule is broken; the line is counted from 1."""

    file: str
    line: int
    column: int
    message: str
    rule: str

    def told(self, start: str = "") -> str:
        """The place as compilers tell it. `start` comes before the file's name."""
        return f"{start}{self.file}:{self.line}:{self.column}: {self.message} ({self.rule})"


@dataclass(frozen=True)
class Linted:
    """The places, in order; or why there is no answer, if buf is missing or failed."""

    places: tuple[Place, ...] = ()
    missing: str = ""
    failed: str = ""

    def check(self, name: str, places: Iterable[str], detail: str) -> Check:
        """The answer as a check, in which those places count."""
        if self.missing:
            return Check(name=name, tool="buf", version="none", status=Status.SKIPPED, detail=self.missing)
        told = "\n".join(places) or self.failed or None
        return programs.answer(name, "buf", programs.version_of(programs.BUF), told, detail)


def lint(image: bytes, files: Iterable[str], config: Mapping[str, Any]) -> Linted:
    """Lint those files of a FileDescriptorSet by that configuration."""
    executable = programs.find(programs.BUF)
    if executable is None:
        return Linted(missing=f"buf is not installed: {programs.BUF.how_to_get}.")
    arguments = ["lint", _IMAGE, *(f"--path={name}" for name in files), "--config", json.dumps(config)]
    with programs.written({_IMAGE: image}) as folder:
        ran = programs.run(executable, [*arguments, "--error-format=json"], folder=folder)
    if ran.status not in {0, _FOUND}:
        return Linted(failed=(ran.stderr.strip() or f"exit status {ran.status}")[:1_000])
    rows = (json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{"))
    return Linted(
        tuple(
            Place(row["path"], row.get("start_line", 1), row.get("start_column", 1), row["message"], row["type"])
            for row in rows
        )
    )

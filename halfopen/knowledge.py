"""What the engineer knows: laws, mantras, patterns, figures and the notes beside them, typed.

The claims stand in `knowledge/` in their own words and are never edited; what has to be said about one of them
today is a note beside it. A claim is referred to by kind and id: `laws/idempotency`,
`mantras/async-first-sync-when`, and for a pattern's statement `circuit-breaker/setting-1`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache, cached_property
from typing import Literal

from halfopen.data import root
from halfopen.thresholds import FOLDER, Id, KnowledgeData, Threshold, read, thresholds

Kind = Literal[
    "what", "why", "problem", "solution", "how", "states", "rule", "setting", "option", "where", "example",
    "anti-pattern", "pro", "con", "trade-off", "when", "when-not", "rollback", "libraries", "tools",
]  # fmt: skip


class Law(KnowledgeData):
    """One of the ten laws. It is spoken of by its id or its number."""

    id: Id
    number: int
    title: str
    text: str

    @property
    def ref(self) -> str:
        """How notes and figures refer to it."""
        return f"laws/{self.id}"


class Mantra(KnowledgeData):
    """A sentence to remember."""

    id: Id
    text: str
    law: int | None = None  # the number of the law it follows from
    patterns: tuple[Id, ...] = ()

    @property
    def ref(self) -> str:
        """How notes and figures refer to it."""
        return f"mantras/{self.id}"


class Statement(KnowledgeData):
    """One claim about a pattern, as Markdown in its own words."""

    id: Id
    kind: Kind
    text: str


class Part(KnowledgeData):
    """Statements that stand together: the section, heading and group that they stand under."""

    section: int
    heading: str
    group: str | None = None
    says: tuple[Statement, ...]


class Pattern(KnowledgeData):
    """What is known of one thing by name, such as the circuit breaker."""

    name: Id
    title: str
    laws: tuple[int, ...]
    capabilities: tuple[str, ...]  # the names of those that act on it, registered yet or not
    also: tuple[str, ...]  # what else people call it, and what they call what it is for
    part: tuple[Part, ...]

    def statements(self) -> Iterator[tuple[str, Statement]]:
        """All statements, each with how notes and figures refer to it."""
        return ((f"{self.name}/{statement.id}", statement) for part in self.part for statement in part.says)


class Note(KnowledgeData):
    """What a careful engineer adds to a claim, with the day and the sources."""

    id: Id
    about: tuple[str, ...]
    status: Literal["holds", "heuristic", "dated", "contested", "corrected"]
    date: date
    text: str
    instead: str | None = None
    sources: tuple[str, ...]


class Knowledge(KnowledgeData):
    """All of it."""

    laws: tuple[Law, ...]
    mantras: tuple[Mantra, ...]
    patterns: tuple[Pattern, ...]
    thresholds: tuple[Threshold, ...]
    notes: tuple[Note, ...]

    @cached_property
    def claims(self) -> Mapping[str, str]:
        """The text of every claim, by how it is referred to."""
        laws = {law.ref: f"{law.title}. {law.text}" for law in self.laws}
        mantras = {mantra.ref: mantra.text for mantra in self.mantras}
        statements = {ref: said.text for pattern in self.patterns for ref, said in pattern.statements()}
        return laws | mantras | statements

    @cached_property
    def _by_claim(self) -> Mapping[str, tuple[Note, ...]]:
        refs = {ref for note in self.notes for ref in note.about}
        return {ref: tuple(note for note in self.notes if ref in note.about) for ref in refs}

    def notes_on(self, ref: str) -> tuple[Note, ...]:
        """The notes beside a claim."""
        return self._by_claim.get(ref, ())

    def law(self, number: int) -> Law:
        """The law of that number.

        Raises:
            KeyError: there is none.
        """
        return {law.number: law for law in self.laws}[number]


@cache
def knowledge() -> Knowledge:
    """The knowledge that ships with this version."""
    patterns = root().joinpath(FOLDER, "patterns").iterdir()
    names = sorted(file.name.removesuffix(".toml") for file in patterns if file.name.endswith(".toml"))
    return Knowledge(
        laws=read("laws")["law"],
        mantras=read("mantras")["mantra"],
        patterns=tuple(Pattern(name=name, **read(f"patterns/{name}")) for name in names),
        thresholds=tuple(thresholds().values()),
        notes=read("notes")["note"],
    )

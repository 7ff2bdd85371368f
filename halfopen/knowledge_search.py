"""Finding what the engineer knows: full text over laws, mantras, patterns and rule pages, ranked.

SQLite's FTS5 does it, with Porter stemming and BM25, in memory: a few hundred short texts are indexed in
milliseconds. Words that people type and the claims do not use are spelled out first (`knowledge/synonyms.toml`).
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Literal

from halfopen.data import read_text
from halfopen.explain import codes
from halfopen.explain import explain as rule_page
from halfopen.knowledge import Note, Pattern, knowledge
from halfopen.registry import MODULES, capability
from halfopen.source import BadInput, Problem

EntryKind = Literal["laws", "mantras", "patterns", "rules"]
LONGEST_QUERY = 400
# How much a word counts by where it stands: in what a thing is called, in what else people call it, in its text.
_WEIGHTS = "8.0, 5.0, 1.0"
# A word of the notes beside it finds an entry too, but seldom comes before one that is about that word.
_NOTES_COUNT = 0.1
# A pattern answers more of a question than a sentence does.
# A rule's page is long and names much; it answers best who names the fault.
_RULES_COUNT = 0.7
_PATTERNS_COUNT = 1.2
# Said of everything, so it finds nothing.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a about across an and any are as at be been but by can could do does for from get give has have how i if
        in into is it its long make many me more most much my need of on or our should so some tell than that the
        their them then there these they this to too us use used using versus vs want was way we what when where
        which who why will with would you your""",
    )
)
# Nothing of a user's is in this text: the weights are ours, the query and the limit are bound.
_RANKED = f"""
    SELECT kind, id FROM (
        SELECT kind, id, rowid AS place, bm25(entry, 0, 0, {_WEIGHTS})
            * CASE kind WHEN 'patterns' THEN {_PATTERNS_COUNT} WHEN 'rules' THEN {_RULES_COUNT} ELSE 1 END AS rank
            FROM entry WHERE entry MATCH ?1
        UNION ALL
        SELECT kind, id, rowid, bm25(noted) * {_NOTES_COUNT} FROM noted WHERE noted MATCH ?1
    ) GROUP BY kind, id ORDER BY sum(rank), min(place) LIMIT ?2
"""  # noqa: S608 - as said
_STATEMENTS = f"""
    SELECT ref FROM statement WHERE statement MATCH ? AND pattern = ?
    ORDER BY bm25(statement, 0, 0, 1, {_NOTES_COUNT}), rowid LIMIT ?
"""  # noqa: S608 - as said
_TOKENS = "tokenize = 'porter unicode61'"
# How long a word must be, and how alike another (1 is equal), to be taken for that other one misspelt.
# Words of the field of which nothing is said here: they are meant as they stand.
_NOT_MISSPELT = frozenset({"election"})
_SHORTEST_MISSPELT = 5
_LETTERS_TOO_MANY = 2
_ALIKE = 0.84
_WORD = re.compile(r"[a-z0-9][a-z0-9_]*")
_MOST_STATEMENTS = 3


@dataclass(frozen=True)
class Hit:
    """One entry that was found: what it says to the question, and what a careful engineer adds."""

    kind: EntryKind
    id: str
    title: str
    says: tuple[str, ...]  # Markdown, in the entry's own words; of a pattern the statements that fit best
    notes: tuple[Note, ...]
    laws: tuple[str, ...]  # the titles of the laws it follows from
    tools: tuple[str, ...]  # the tools that act on it

    @property
    def uri(self) -> str:
        """Where to read all of it."""
        return f"halfopen://{self.kind}/{self.id}"


def search(query: str, limit: int = 5) -> tuple[Hit, ...]:
    """The entries that answer the query best, best first; none if no word of it is known.

    Args:
        query: Words or a question.
        limit: The most entries to give back.

    Raises:
        BadInput: the query is empty or longer than 400 characters.
    """
    if not query.strip() or len(query) > LONGEST_QUERY:
        message = f"a query is some words, {LONGEST_QUERY} characters at most."
        raise BadInput([Problem(message, file="query", value=query[:40])])
    wanted = _expression(query.lower())
    if wanted is None:
        return ()
    rows = _index().execute(_RANKED, (wanted, limit))
    return tuple(_hit(kind, name, wanted) for kind, name in rows.fetchall())


def _expression(query: str) -> str | None:
    """The query for FTS5: its telling words or what they stand for, any of them."""
    asked = [word if word in _STOP else _spelled(word) for word in _WORD.findall(query)]
    words = [word for word in asked if word not in _STOP]
    padded = f" {' '.join(asked)} "
    for said, meant in _synonyms().items():
        if f" {said} " in padded:
            words += _WORD.findall(meant)
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(words)) or None


def _spelled(word: str) -> str:
    """That word or, if nothing is known by it, the one that it was probably meant to be."""
    if len(word) < _SHORTEST_MISSPELT or word in _NOT_MISSPELT or word in _vocabulary() or _is_known(word):
        return word
    # Few mistype the first letter, and without it `election` would find what is said of selection.
    alike = [
        known for known in _vocabulary() if known[0] == word[0] and abs(len(known) - len(word)) <= _LETTERS_TOO_MANY
    ]
    return next(iter(get_close_matches(word, sorted(alike), n=1, cutoff=_ALIKE)), word)


def _is_known(word: str) -> bool:
    # The index knows stems, so it also knows forms that stand nowhere.
    return _index().execute(_RANKED, (f'"{word}"', 1)).fetchone() is not None


@cache
def _vocabulary() -> frozenset[str]:
    said = (text.lower() for _, _, *texts in (*_entries(), *_noted()) for text in texts)
    return frozenset(word for text in (*said, *_synonyms()) for word in _WORD.findall(text))


@cache
def _synonyms() -> Mapping[str, str]:
    words: Mapping[str, str] = tomllib.loads(read_text("knowledge/synonyms.toml"))["words"]
    return words


@cache
def _index() -> sqlite3.Connection:
    # Built once and only read after that, so any thread may ask.
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute(f"CREATE VIRTUAL TABLE entry USING fts5(kind UNINDEXED, id UNINDEXED, title, also, text, {_TOKENS})")
    index.execute(f"CREATE VIRTUAL TABLE noted USING fts5(kind UNINDEXED, id UNINDEXED, text, {_TOKENS})")
    index.execute(
        f"CREATE VIRTUAL TABLE statement USING fts5(pattern UNINDEXED, ref UNINDEXED, text, notes, {_TOKENS})"
    )
    index.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", _entries())
    index.executemany("INSERT INTO noted VALUES (?, ?, ?)", _noted())
    said = (
        (each.name, ref, statement.text, _notes_text([ref]))
        for each in knowledge().patterns
        for ref, statement in each.statements()
    )
    index.executemany("INSERT INTO statement VALUES (?, ?, ?, ?)", said)
    return index


def _entries() -> Iterator[tuple[EntryKind, str, str, str, str]]:
    known = knowledge()
    for pattern in known.patterns:
        text = "\n".join(statement.text for _, statement in pattern.statements())
        yield "patterns", pattern.name, pattern.title, ", ".join(pattern.also), text
    for law in known.laws:
        yield "laws", law.id, law.title, "", law.text
    for mantra in known.mantras:
        yield "mantras", mantra.id, "", "", mantra.text
    for code in codes():
        title, _, text = rule_page(code).partition("\n")
        yield "rules", code, title.lstrip("# "), "", text


def _noted() -> Iterator[tuple[EntryKind, str, str]]:
    """What the notes beside the claims of an entry say."""
    known = knowledge()
    for pattern in known.patterns:
        yield "patterns", pattern.name, _notes_text(ref for ref, _ in pattern.statements())
    for law in known.laws:
        yield "laws", law.id, _notes_text([law.ref])
    for mantra in known.mantras:
        yield "mantras", mantra.id, _notes_text([mantra.ref])


def _notes_text(refs: Iterable[str]) -> str:
    notes = dict.fromkeys(note for ref in refs for note in knowledge().notes_on(ref))
    return "\n".join(f"{note.text} {note.instead or ''}" for note in notes)


def _hit(kind: EntryKind, name: str, wanted: str) -> Hit:
    known = knowledge()
    if kind == "patterns":
        pattern = next(each for each in known.patterns if each.name == name)
        return _pattern_hit(pattern, wanted)
    if kind == "rules":
        title, what, *_ = (part for part in rule_page(name).split("\n\n") if not part.startswith("## "))
        return Hit(kind, name, title.lstrip("# "), (what,), (), (), ("explain",))
    if kind == "laws":
        law = next(each for each in known.laws if each.id == name)
        return Hit(kind, name, law.title, (law.text,), known.notes_on(law.ref), (law.title,), ())
    mantra = next(each for each in known.mantras if each.id == name)
    laws = (known.law(mantra.law).title,) if mantra.law else ()
    behind = (each for each in known.patterns if each.name in mantra.patterns)
    tools = dict.fromkeys(tool for pattern in behind for tool in tools_for(pattern))
    return Hit(kind, name, mantra.text, (), known.notes_on(mantra.ref), laws, tuple(tools))


def _pattern_hit(pattern: Pattern, wanted: str) -> Hit:
    known = knowledge()
    found = _index().execute(_STATEMENTS, (wanted, pattern.name, _MOST_STATEMENTS))
    # What fits, then the figures, then the rest: a question for a limit rarely names it.
    others = sorted(pattern.statements(), key=lambda each: each[1].kind != "setting")
    refs = list(dict.fromkeys([ref for (ref,) in found] + [ref for ref, _ in others]))[:_MOST_STATEMENTS]
    notes = dict.fromkeys(note for ref in refs for note in known.notes_on(ref))
    return Hit(
        "patterns",
        pattern.name,
        pattern.title,
        tuple(known.claims[ref] for ref in refs),
        tuple(notes),
        tuple(known.law(number).title for number in pattern.laws),
        tools_for(pattern),
    )


def tools_for(pattern: Pattern) -> tuple[str, ...]:
    """The tools that act on a pattern: those of its capabilities that are there."""
    return tuple(capability(name).tool for name in pattern.capabilities if name in MODULES)

"""What is known as Markdown: the page on one entry, and what a search found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

from halfopen.explain import codes, explain
from halfopen.knowledge import Law, Mantra, Note, Pattern, knowledge
from halfopen.knowledge_search import EntryKind, Hit, tools_for
from halfopen.source import BadInput, Problem
from halfopen.thresholds import Threshold

KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
_UNITS = {"ratio": "", "seconds": " s", "count": "", "factor": " times", "per-second": " per second"}


def entries(kind: EntryKind) -> tuple[str, ...]:
    """The ids of all entries of a kind."""
    known = knowledge()
    ids: Mapping[EntryKind, Iterable[str]] = {
        "laws": (law.id for law in known.laws),
        "mantras": (mantra.id for mantra in known.mantras),
        "patterns": (pattern.name for pattern in known.patterns),
        "rules": codes(),
    }
    return tuple(ids[kind])


def page(kind: str, name: str) -> str:
    """The page on one entry. A law may also be asked for by its number.

    Raises:
        BadInput: there is no such kind or entry; names the nearest and the legal ones.
    """
    if kind == "rules":
        return explain(name)
    known = knowledge()
    pages = {
        "laws": {name: _law(law) for law in known.laws for name in (law.id, str(law.number))},
        "mantras": {mantra.id: _mantra(mantra) for mantra in known.mantras},
        "patterns": {pattern.name: _pattern(pattern) for pattern in known.patterns},
    }
    if kind not in pages:
        raise BadInput([Problem("nothing of that kind is known.", file=kind, value=kind, legal=KINDS)])
    if name not in pages[kind]:
        raise BadInput(
            [Problem(f"none of the {kind} is called that.", file=name, value=name, legal=tuple(pages[kind]))]
        )
    return "\n".join(pages[kind][name]) + "\n"


def results(query: str, hits: Sequence[Hit]) -> str:
    """What a search found, best first; what to try if that is nothing."""
    if not hits:
        return f"Nothing is known of {query!r}. Ask for the thing by its name, such as: timeout, saga, partition key.\n"
    told: dict[str, str] = {}  # the notes by id, each with the title of the hit that tells it
    return "\n\n".join("\n".join(_hit(hit, told)) for hit in hits) + "\n"


def _hit(hit: Hit, told: dict[str, str]) -> Iterator[str]:
    yield f"## {hit.title}"
    yield from (f"> {line}" for line in hit.says)
    for note in hit.notes:
        # One note often stands beside a pattern's claim and the mantra that repeats it.
        yield (
            f"- **{note.status.capitalize()}**: see {told[note.id]!r} above" if note.id in told else f"- {_note(note)}"
        )
        told.setdefault(note.id, hit.title)
    laws = f"Follows from: {'; '.join(hit.laws)}. " if hit.laws and hit.kind != "laws" else ""
    tools = f"Acts on it: {', '.join(hit.tools)}. " if hit.tools else ""
    yield f"\n{laws}{tools}All of it: {hit.uri}"


def _law(law: Law) -> Iterator[str]:
    yield f"# Law {law.number}: {law.title}\n\n{law.text}"
    yield from _notes([law.ref])
    yield from _figures([law.ref])
    mantras = [f"- {mantra.text}" for mantra in knowledge().mantras if mantra.law == law.number]
    if mantras:
        yield "\n## Mantras\n"
        yield from mantras


def _mantra(mantra: Mantra) -> Iterator[str]:
    yield f"# {mantra.text}"
    yield from _notes([mantra.ref])
    yield from _figures([mantra.ref])
    if mantra.law:
        yield f"\nFollows from law {mantra.law}: {knowledge().law(mantra.law).title}."
    if mantra.patterns:
        yield f"\nMore: {', '.join(f'halfopen://patterns/{name}' for name in mantra.patterns)}"


def _pattern(pattern: Pattern) -> Iterator[str]:
    yield f"# {pattern.title}"
    for part in pattern.part:
        yield f"\n## {part.heading}{' - ' + part.group.rstrip(':') if part.group else ''}\n"
        # A line that is no item of a list is a paragraph of its own.
        yield from (
            text.text if text.text[:2] in {"- ", "1.", "2.", "3.", "4."} else text.text + "\n" for text in part.says
        )
    refs = [ref for ref, _ in pattern.statements()]
    yield from _notes(refs)
    yield from _figures(refs)
    mantras = [f"- {mantra.text}" for mantra in knowledge().mantras if pattern.name in mantra.patterns]
    if mantras:
        yield "\n## Mantras\n"
        yield from mantras
    laws = [f"law {number}, {knowledge().law(number).title}" for number in pattern.laws]
    tools = tools_for(pattern)
    if laws:
        yield f"\nFollows from: {'; '.join(laws)}."
    if tools:
        yield f"\nActs on it: {', '.join(tools)}."


def _notes(refs: Iterable[str]) -> Iterator[str]:
    notes = dict.fromkeys(note for ref in refs for note in knowledge().notes_on(ref))
    if notes:
        yield "\n## Said of it today\n"
        yield from (f"- {_note(note)}" for note in notes)


def _note(note: Note) -> str:
    instead = f" Instead: {note.instead}" if note.instead else ""
    return f"**{note.status.capitalize()}** ({note.date}): {note.text}{instead} [{', '.join(note.sources)}]"


def _figures(refs: Sequence[str]) -> Iterator[str]:
    figures = [figure for figure in knowledge().thresholds if set(figure.said_in) & set(refs)]
    if figures:
        yield "\n## Figures\n"
        yield from (f"- {figure.title}: {_value(figure)} (`{figure.id}`)" for figure in figures)


def _value(figure: Threshold) -> str:
    unit = _UNITS[figure.unit]
    if figure.value is None:
        return f"{figure.least:g} to {figure.most:g}{unit}"
    return f"{figure.value:.0%}" if figure.unit == "ratio" else f"{figure.value:g}{unit}"

"""What holds for every library's dialect: what is said is what is read back, and nothing is changed unseen."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan, HedgePlan, LimitPlan, RetryPlan
from halfopen_generators.breaker.reading import Reading, differences
from halfopen_generators.breaker.spec import Stack
from tests.breaker.plans import LAYERS, RETRY, call

# A line that is a comment in one of these languages.
_COMMENT = re.compile(r'\s*(#|//|/\*|\*|""")')
_FIGURE = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?![\w.]*\w\")")


def everything(**changes: object) -> CallPlan:
    """A policy with all parts that there are."""
    found = call(
        retry=RetryPlan(4, 0.1, 1.5, 0.2, "full", 0.25, ("unreached", "unavailable", "timeout")),
        limit=LimitPlan(50),
        hedge=HedgePlan(0.3),
    )
    found = dataclasses.replace(
        found,
        breaker=dataclasses.replace(found.breaker, slow_ratio=0.8, slow_after=0.7) if found.breaker else None,
        fallback="cache",
        layers=LAYERS,
    )
    return dataclasses.replace(found, **changes)  # type: ignore[arg-type]


# Each part played alone: what others would import isn't there.
ALONE = [everything().only(frozenset({part})) for part in LAYERS]


def retrying_rejections() -> CallPlan:
    """What nobody should ask for, but may have."""
    return call(retry=dataclasses.replace(RETRY, on_open=True))


def files(stack: Stack, plan: CallPlan) -> dict[str, str]:
    """The texts by path."""
    found = {artifact.path: artifact.text for artifact in dialect(stack).says(plan)}
    assert found
    assert all(path.startswith(f"{stack}/") for path in found)
    return found


def in_one(stack: Stack) -> str:
    """All that a library has to say, in one text."""
    return "\n".join(f"{path}\n{text}" for path, text in files(stack, everything()).items())


def left_out(stack: Stack, plan: CallPlan) -> set[str]:
    """The terms that are told as unsaid."""
    return {term for unsaid in dialect(stack).unsaid(plan) for term in unsaid.terms}


def wrong(stack: Stack, plan: CallPlan, texts: Mapping[str, str] | None = None) -> list[str]:
    """Where the files, or these texts in their place, mean something else."""
    told = texts or files(stack, plan)
    return list(differences(plan, dialect(stack).read(told), left_out(stack, plan)))


def replaced(texts: Mapping[str, str], *changes: tuple[str, str]) -> dict[str, str]:
    """The texts with each of these put for what it is put for, which has to be there."""
    found = dict(texts)
    for old, new in changes:
        assert any(old in text for text in found.values()), old
        found = {path: text.replace(old, new) for path, text in found.items()}
    return found


def unnoticed(stack: Stack, plan: CallPlan) -> set[str]:
    """The lines of code with a figure that may be changed and nothing else is read."""
    texts = files(stack, plan)
    before = dialect(stack).read(texts)
    return {line for line, altered in _each_figure_changed(texts) if _read(stack, altered) == before}


def _read(stack: Stack, texts: Mapping[str, str]) -> Reading | None:
    """What is read; nothing, where the reader says that it can't be."""
    try:
        return dialect(stack).read(texts)
    except ValueError:
        return None


def _each_figure_changed(texts: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    for path, text in texts.items():
        if path.endswith((".json", ".txt", ".mod", ".csproj")):
            continue
        place = 0
        for line in text.splitlines(keepends=True):
            for figure in () if _COMMENT.match(line) else _FIGURE.finditer(line):
                start, end = place + figure.start(), place + figure.end()
                other = f"{float(figure[0].replace('_', '')) + 3:g}"
                yield line.strip(), {**texts, path: text[:start] + other + text[end:]}
            place += len(line)

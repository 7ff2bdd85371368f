"""What every channel and mesh has to keep: its files mean the plan, and no figure in them can change unseen."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from halfopen_generators.breaker.dialects import Dialect
from halfopen_generators.breaker.plan import CallPlan
from halfopen_generators.breaker.reading import Reading, differences
from tests.breaker.plans import LAYERS, calls

Path = tuple[str | int, ...]
_FIGURE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|%)?")


def texts(dialect: Dialect, call: CallPlan) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in dialect.says(call)}


def reading(dialect: Dialect, call: CallPlan) -> Reading:
    return dialect.read(texts(dialect, call))


def told(dialect: Dialect, call: CallPlan) -> set[str]:
    return {term for unsaid in dialect.unsaid(call) for term in unsaid.terms}


def wrong(dialect: Dialect, call: CallPlan) -> list[str]:
    """Where the files mean something else than the plan and nobody said so."""
    return list(differences(call, reading(dialect, call), told(dialect, call)))


@st.composite
def shares(draw: st.DrawFn) -> CallPlan:
    """Any policy, or what one stack of several has of it to play."""
    call = draw(calls())
    parts = draw(st.sets(st.sampled_from(LAYERS)))
    return draw(st.sampled_from([call, call.only(frozenset(parts))]))


def figures(tree: Any, path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """The place of every figure, and what else could stand there: twice as much, and half as much."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from figures(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from figures(value, (*path, index))
    elif isinstance(tree, bool):
        yield path, [not tree]
    elif isinstance(tree, int | float):
        yield path, [tree * 2 + 1, tree // 2 if isinstance(tree, int) else tree / 2]
    elif isinstance(tree, str) and (found := _FIGURE.fullmatch(tree)):
        number, unit = float(found[1]), found[2] or ""
        yield path, [f"{number * 2 + 1:g}{unit}", f"{int(number // 2) if unit == '' else f'{number / 2:g}'}{unit}"]


def changed(tree: Any, path: Path, value: Any) -> Any:
    """A copy of the tree with that value at that place."""
    found = copy.deepcopy(tree)
    place = found
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return found


def unseen(tree: Any, read: Callable[[Any], Reading]) -> set[Path]:
    """The figures that can be changed, up and down, and are read as before."""
    before = read(tree)
    return {path for path, others in figures(tree) if all(same(before, tree, path, other, read) for other in others)}


def same(before: Reading, tree: Any, path: Path, other: Any, read: Callable[[Any], Reading]) -> bool:
    try:
        return dict(read(changed(tree, path, other))) == dict(before)
    except ValueError:
        return False  # it is seen that it is wrong

"""A saga's order as nested sequences and parallel parts, for engines that have no other way to say it.

Every order of steps that arises by putting parts one after the other or side by side is found exactly. Any
other is cut into levels, so that a step waits for the whole level before its own: more waiting than was asked
for, and never less. Such waits are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from halfopen_generators.saga.plan import SagaDesign


@dataclass(frozen=True)
class Series:
    """Parts that run one after the other. `exact` is False for levels, which add waits of their own."""

    parts: tuple[Flow, ...]
    exact: bool = True


@dataclass(frozen=True)
class Beside:
    """Parts that run side by side; what follows waits for all of them. Numbered from 1 within the saga."""

    number: int
    branches: tuple[Flow, ...]


# A step by its name, or parts put together.
Flow = str | Series | Beside


@dataclass(frozen=True)
class Wait:
    """A wait that the spec doesn't ask for: `step` starts once `other` has ended, too."""

    step: str
    other: str


@dataclass
class _Cutter:
    design: SagaDesign
    waits: list[Wait] = field(default_factory=list)
    numbered: int = 0

    def cut(self, names: tuple[str, ...]) -> Flow:
        if len(names) == 1:
            return names[0]
        groups = _components(names, self._ordered)
        if len(groups) > 1:
            self.numbered += 1
            return Beside(self.numbered, tuple(self.cut(group) for group in groups))
        groups = _components(names, lambda one, other: not self._ordered(one, other))
        if len(groups) == 1:
            return Series(tuple(self.cut(group) for group in self._levels(names)), exact=False)
        # Every step of one group comes before every step of the next.
        return Series(tuple(self.cut(group) for group in groups))

    def _ordered(self, one: str, other: str) -> bool:
        ancestors = self.design.ancestors
        return one in ancestors[other] or other in ancestors[one]

    def _levels(self, names: tuple[str, ...]) -> list[tuple[str, ...]]:
        level: dict[str, int] = {}
        for name in names:
            before = [level[other] for other in names if other in self.design.ancestors[name]]
            level[name] = max(before, default=-1) + 1
        for name in names:
            for other in names:
                if level[other] < level[name] and other not in self.design.ancestors[name]:
                    self.waits.append(Wait(name, other))
        return [tuple(name for name in names if level[name] == depth) for depth in sorted(set(level.values()))]


def cut(design: SagaDesign) -> tuple[Flow, tuple[Wait, ...]]:
    """The saga's order, and the waits that it has beyond those of the spec."""
    cutter = _Cutter(design)
    flow = cutter.cut(tuple(step.name for step in design.steps))
    return flow, tuple(cutter.waits)


def parts(flow: Flow) -> tuple[Flow, ...]:
    """What runs one after the other at the top, each part wholly before the next in the saga's order."""
    return flow.parts if isinstance(flow, Series) and flow.exact else (flow,)


def steps_of(flow: Flow) -> Iterator[str]:
    """The names of all steps in it."""
    if isinstance(flow, str):
        yield flow
    else:
        for part in flow.parts if isinstance(flow, Series) else flow.branches:
            yield from steps_of(part)


def beside(design: SagaDesign, names: Iterable[str]) -> tuple[str, ...]:
    """The steps that may be under way while one of those is: neither before it nor after it."""
    chosen = set(names)
    return tuple(
        step.name
        for step in design.steps
        if step.name not in chosen
        and any(step.name not in design.ancestors[name] and name not in design.ancestors[step.name] for name in chosen)
    )


def _components(names: tuple[str, ...], linked: Callable[[str, str], bool]) -> list[tuple[str, ...]]:
    """The groups that hang together by those links, each in the order given, ordered by their first."""
    group = {name: name for name in names}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for index, one in enumerate(names):
        for other in names[:index]:
            if linked(one, other):
                group[root(one)] = root(other)
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(root(name), []).append(name)
    return [tuple(members) for members in found.values()]

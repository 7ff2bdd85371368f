"""Several runs at once over shared resources: what one does to another, and the anomalies that follow.

Each run remembers, for each resource that it touches: `seen` (it has read it), `stale` (another run wrote it
since), `dirty` (it wrote it and may yet undo that), `over` (another run wrote it since), `exposed` (another run
read what it wrote) and `lock`. Runs are alike, so nobody needs to remember which other run it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.builder import Builder
from halfopen_generators.saga.protocol.promises import NO_DIRTY_READ, NO_FUZZY_READ, NO_LOST_UPDATE, Breach

# In this order, side by side: what another run does moves a bit to its neighbour.
BITS = ("seen", "stale", "dirty", "over", "exposed", "lock")
_ORDER_FREE = {"commutative-update", "version-file"}
Resource = tuple[str, str]  # service, name


@dataclass(frozen=True)
class Touch:
    """What a command does to resources that other runs share."""

    reads: frozenset[Resource] = frozenset()
    writes: frozenset[Resource] = frozenset()
    locks: frozenset[Resource] = frozenset()

    def __or__(self, other: Touch) -> Touch:
        return Touch(self.reads | other.reads, self.writes | other.writes, self.locks | other.locks)

    def __bool__(self) -> bool:
        return bool(self.reads or self.writes or self.locks)


@dataclass(frozen=True)
class Variation:
    """One way in which a local transaction can go, by what other runs did to its resources before."""

    when: Mapping[str, int] = field(default_factory=dict)
    then: Mapping[str, int] = field(default_factory=dict)
    breach: Breach | None = None
    refused: bool = False
    touch: Touch | None = None


def over_another(kind: str, breach: Breach | None) -> str:
    """What a transaction is called: by itself, or with the anomaly that it completes."""
    if breach is None:
        return kind
    return f"{kind}-{breach.promise.removeprefix('no ').replace(' ', '-')}"


class Resources:
    """The resources that runs of a saga share, and how each step behaves towards them."""

    def __init__(self, shared: Iterable[Resource]) -> None:
        self.shared = tuple(shared)

    @classmethod
    def none(cls) -> Resources:
        """Nothing is shared: one run alone."""
        return cls(())

    @classmethod
    def of(cls, design: SagaDesign) -> Resources:
        """All that the steps read or write; a resource that nobody writes needs no watching."""
        written = {(step.service, name) for step in design.steps for name in step.writes}
        return cls(sorted(written))

    def declare(self, builder: Builder) -> None:
        """The variables of one run."""
        for resource in self.shared:
            for bit in BITS:
                builder.variable(bit_of(bit, resource), 1)

    def at_end(self) -> dict[str, int]:
        """A run that has ended holds no lock, and what it wrote stays."""
        return {bit_of(bit, resource): 0 for resource in self.shared for bit in BITS}

    def unlocked(self, service: str) -> dict[str, int]:
        """A run that holds no lock at that participant."""
        return {bit_of("lock", resource): 0 for resource in self.shared if resource[0] == service}

    def acting(self, step: StepPlan) -> Iterator[Variation]:
        """How the step's action can go."""
        touched = [r for r in self._touched(step) if step.countermeasures.get(r[1]) != "by-value"]
        return _combined([list(self._acting_on(step, resource)) for resource in touched])

    def asking(self, step: StepPlan) -> Touch | None:
        """What the step's business rule waits for: it is asked only once the locks are free. A refusal takes none."""
        locks = frozenset(r for r in self._touched(step) if step.countermeasures.get(r[1]) == "semantic-lock")
        return Touch(locks=locks) if locks else None

    def undoing(self, step: StepPlan) -> Iterator[Variation]:
        """How the step's compensation can go: it writes what the action wrote."""
        written = [r for r in self._touched(step) if r[1] in step.writes]
        written = [r for r in written if step.countermeasures.get(r[1]) != "by-value"]
        return _combined([list(self._undoing_on(step, resource)) for resource in written])

    def _touched(self, step: StepPlan) -> list[Resource]:
        return [r for r in self.shared if r[0] == step.service and (r[1] in step.reads or r[1] in step.writes)]

    def _acting_on(self, step: StepPlan, resource: Resource) -> Iterator[Variation]:
        measure = step.countermeasures.get(resource[1])
        reads, writes = resource[1] in step.reads, resource[1] in step.writes
        stale = {bit_of("stale", resource): 1}
        as_found = {} if not reads and measure in _ORDER_FREE else {bit_of("stale", resource): 0}
        then: dict[str, int] = {}
        if reads:
            then |= {bit_of("seen", resource): 1, bit_of("stale", resource): 0}
        if writes and step.compensation is not None:
            then |= {bit_of("dirty", resource): 1, bit_of("over", resource): 0}
        locks = frozenset[Resource]()
        if measure == "semantic-lock":
            then[bit_of("lock", resource)] = 1
            locks = frozenset([resource])
        mine = frozenset([resource])
        touch = Touch(mine if reads else frozenset(), mine if writes else frozenset(), locks)
        yield Variation(as_found, then, touch=touch)
        if measure == "reread-value":
            yield Variation(stale, refused=True)
        elif as_found:
            promise = NO_FUZZY_READ if reads else NO_LOST_UPDATE
            breach = Breach(promise, "SAG12", step.name, resource=resource[1])
            yield Variation(stale, then, breach, touch=touch)

    def _undoing_on(self, step: StepPlan, resource: Resource) -> Iterator[Variation]:
        order_free = step.countermeasures.get(resource[1]) in _ORDER_FREE
        over, exposed = {bit_of("over", resource): 1}, {bit_of("exposed", resource): 1}
        clean = {bit_of("exposed", resource): 0} | ({} if order_free else {bit_of("over", resource): 0})
        touch = Touch(writes=frozenset([resource]))
        yield Variation(clean, touch=touch)
        dirty = Breach(NO_DIRTY_READ, "SAG12", step.name, resource=resource[1])
        yield Variation(exposed, {}, dirty, touch=touch)
        if not order_free:
            lost = Breach(NO_LOST_UPDATE, "SAG12", step.name, resource=resource[1])
            yield Variation(over, {}, lost, touch=touch)


def bit_of(bit: str, resource: Resource) -> str:
    """The variable that is this bit of the resource."""
    return f"{bit}.{resource[0]}/{resource[1]}"


def _combined(ways: list[list[Variation]]) -> Iterator[Variation]:
    """The ways of a transaction that touches several resources: on each it goes one way."""
    for chosen in itertools.product(*ways):
        touch = Touch()
        for variation in chosen:
            touch |= variation.touch or Touch()
        breaches = [variation.breach for variation in chosen if variation.breach]
        yield Variation(
            {key: value for variation in chosen for key, value in variation.when.items()},
            {key: value for variation in chosen for key, value in variation.then.items()},
            breaches[0] if breaches else None,
            refused=any(variation.refused for variation in chosen),
            touch=touch or None,
        )

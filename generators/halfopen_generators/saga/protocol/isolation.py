"""Several runs at once over shared resources: what one does to another, and the anomalies that follow.

Each run remembers, for each resource that it touches: `seen` (it has read it), `stale` (another run wrote it
since), `dirty` (it wrote it and may yet undo that), `over` (another run wrote it since), `exposed` (another run
read what it wrote) and `lock`. Runs are alike, so nobody needs to remember which other run it was, and two
states that differ only in which run is which are one (symmetry).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from halfopen.checkers.commands import Command, CommandModel, Layout
from halfopen.checkers.explore import Model
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
                builder.variable(_name(bit, resource), 1)

    def at_end(self) -> dict[str, int]:
        """A run that has ended holds no lock, and what it wrote stays."""
        return {_name(bit, resource): 0 for resource in self.shared for bit in BITS}

    def unlocked(self, service: str) -> dict[str, int]:
        """A run that holds no lock at that participant."""
        return {_name("lock", resource): 0 for resource in self.shared if resource[0] == service}

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
        stale = {_name("stale", resource): 1}
        as_found = {} if not reads and measure in _ORDER_FREE else {_name("stale", resource): 0}
        then: dict[str, int] = {}
        if reads:
            then |= {_name("seen", resource): 1, _name("stale", resource): 0}
        if writes and step.compensation is not None:
            then |= {_name("dirty", resource): 1, _name("over", resource): 0}
        locks = frozenset[Resource]()
        if measure == "semantic-lock":
            then[_name("lock", resource)] = 1
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
        over, exposed = {_name("over", resource): 1}, {_name("exposed", resource): 1}
        clean = {_name("exposed", resource): 0} | ({} if order_free else {_name("over", resource): 0})
        touch = Touch(writes=frozenset([resource]))
        yield Variation(clean, touch=touch)
        dirty = Breach(NO_DIRTY_READ, "SAG12", step.name, resource=resource[1])
        yield Variation(exposed, {}, dirty, touch=touch)
        if not order_free:
            lost = Breach(NO_LOST_UPDATE, "SAG12", step.name, resource=resource[1])
            yield Variation(over, {}, lost, touch=touch)


def _name(bit: str, resource: Resource) -> str:
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


Chunks = tuple[int, ...]
Action = tuple[int, Command]


@dataclass(frozen=True)
class _Effect:
    """A touch as masks over a chunk: who must not hold a lock, and which bits move to which neighbour."""

    locked: int
    seen: int
    dirty_by_write: int
    dirty_by_read: int

    def on(self, chunk: int) -> int:
        """Another run's chunk after the touch."""
        return (
            chunk
            | (chunk & self.seen) << 1  # seen -> stale
            | (chunk & self.dirty_by_write) << 1  # dirty -> over
            | (chunk & self.dirty_by_read) << 2  # dirty -> exposed
        )


class Instances(Model[Chunks, Action]):
    """Several runs of one saga side by side. A state is a tuple of the runs' states.

    Two reductions, both sound here and both to be switched off. *Symmetry*: runs are alike and every property
    speaks of each run in the same way, so states that are permutations of each other are one. *Partial order*:
    where everything that one run can do next, now or after anything the others do, touches no shared resource,
    it commutes with all that the others do, and doing it first loses no outcome; the state graph of a run over
    the growing network has no cycle, so nothing is put off for ever (ample sets; Clarke, Grumberg and Peled,
    Model Checking, chapter 10).
    """

    def __init__(self, run: CommandModel, count: int, *, symmetry: bool = True, partial_order: bool = True) -> None:
        self.run = run
        self.count = count
        self.symmetry = symmetry
        self.partial_order = partial_order
        self._moves: dict[int, tuple[tuple[tuple[Command, int], ...], bool]] = {}
        self._effects: dict[Touch, _Effect] = {}
        one_ended = run.ended
        if one_ended is not None:
            self.ended = lambda state: all(one_ended(chunk) for chunk in state)

    def initial(self) -> Iterable[Chunks]:
        """All runs at their start."""
        return [tuple(itertools.chain.from_iterable(self.run.initial() for _ in range(self.count)))]

    def steps(self, state: Chunks) -> Iterator[tuple[Action, Chunks]]:
        """What any run can do, or only what one can whose moves concern nobody else."""
        alone = [chunk for chunk in state if self._concerns_nobody(chunk)] if self.partial_order else []
        chosen = min(alone) if alone else None
        for index, chunk in enumerate(state):
            if chosen is not None and chunk != chosen:
                continue
            yield from self._steps_of(state, index)
            if chosen is not None:
                return

    def _steps_of(self, state: Chunks, index: int) -> Iterator[tuple[Action, Chunks]]:
        for command, successor in self._of(state[index])[0]:
            if command.breaks:
                # Nothing is explored beyond, so what the other runs are at does not matter.
                yield (index, command), tuple(successor if i == index else 0 for i in range(self.count))
                continue
            if command.note is None:
                yield (index, command), (*state[:index], successor, *state[index + 1 :])
                continue
            effect = self._effect(command.note)
            before, after = state[:index], state[index + 1 :]
            if any(chunk & effect.locked for chunk in (*before, *after)):
                continue
            others_before, others_after = map(effect.on, before), map(effect.on, after)
            yield (index, command), (*others_before, successor, *others_after)

    def canonical(self, state: Chunks) -> Chunks:
        """The runs in the order of their states."""
        return tuple(sorted(state)) if self.symmetry else state

    def broken(self, state: Chunks) -> tuple[str, ...]:
        """What any run has broken."""
        return tuple(name for chunk in state for name in self.run.broken(chunk))

    def is_fault(self, action: Action) -> bool:
        """What the command says of itself."""
        return action[1].fault

    def _of(self, chunk: int) -> tuple[tuple[tuple[Command, int], ...], bool]:
        known = self._moves.get(chunk)
        if known is None:
            moves = tuple(self.run.steps(chunk))
            # A move that breaks a promise leads nowhere, so nothing may be put off behind it.
            alone = bool(moves) and all(command.note is None and not command.breaks for command, _ in moves)
            known = self._moves[chunk] = (moves, alone)
        return known

    def _concerns_nobody(self, chunk: int) -> bool:
        return self._of(chunk)[1]

    def _effect(self, touch: object) -> _Effect:
        if not isinstance(touch, Touch):
            raise TypeError(f"{touch!r} is no Touch")
        known = self._effects.get(touch)
        if known is None:
            layout = self.run.layout
            known = self._effects[touch] = _Effect(
                locked=_mask(layout, "lock", touch.locks),
                seen=_mask(layout, "seen", touch.writes),
                dirty_by_write=_mask(layout, "dirty", touch.writes),
                dirty_by_read=_mask(layout, "dirty", touch.reads),
            )
        return known


def _mask(layout: Layout, bit: str, resources: Iterable[Resource]) -> int:
    return layout.mask_of(_name(bit, resource) for resource in resources)

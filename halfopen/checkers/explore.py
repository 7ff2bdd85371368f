"""An explicit-state explorer. It knows no saga: a model brings states, actions and named properties.

Breadth first, so that every path it gives back is a shortest one. Three answers, never blurred: a property
`holds` (every reachable state was seen, with exact counts), is `violated` (with the path), or the search is
`incomplete` (with the bound that was hit).

Liveness is "every fair run ends", where fair means that what can happen again and again happens in the end
and that faults cease. In a finite graph that is the same as: from every reachable state an end can be reached
without a fault. (A strongly fair run settles in a bottom component of the fault-free graph and visits all of
it; Baier and Katoen, Principles of Model Checking, section 10.2.) So one backward sweep decides it, and finds
deadlock and livelock alike.
"""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from halfopen.progress import Progress, Silent
from halfopen.vocabulary import Explored, Outcome

S = TypeVar("S", bound=Hashable)
A = TypeVar("A")

EVERY_RUN_ENDS = "every fair run ends"
_LOOK_UP_EVERY = 4096  # states between two looks at the clock


class Model(Generic[S, A]):
    """What is explored. Give `initial` and `steps`; the rest has a meaning to fall back on."""

    # Safety: by name, what must be true of every state.
    always: Mapping[str, Callable[[S], bool]] = {}
    # Liveness: what a state at which a run may end looks like; None if runs need not end.
    ended: Callable[[S], bool] | None = None

    def initial(self) -> Iterable[S]:
        """The states in which a run may start."""
        raise NotImplementedError(type(self).__name__)

    def steps(self, state: S) -> Iterable[tuple[A, S]]:
        """Every action possible in that state, with the state it leads to."""
        raise NotImplementedError(type(self).__name__)

    def broken(self, state: S) -> Iterable[str]:
        """The names of the safety properties that this state breaks."""
        return [name for name, holds in self.always.items() if not holds(state)]

    def is_fault(self, action: A) -> bool:
        """True for an action that no run may count on, such as a lost message."""
        del action
        return False

    # Whether a reduction rests on there being no cycle; then the explorer looks, and says in its result.
    needs_no_cycle = False

    def every_step(self, state: S) -> Iterable[tuple[A, S]]:
        """All that is possible, where `steps` leaves out what can wait. Paths are retold by it."""
        return self.steps(state)

    def canonical(self, state: S) -> S:
        """The one state that stands for all that are like this one (symmetry). Must not change what is true."""
        return state


@dataclass(frozen=True)
class Budget:
    """When to stop looking."""

    states: int = 2_000_000
    seconds: float = 120.0


@dataclass(frozen=True)
class Path(Generic[S, A]):
    """A run from an initial state: `states` has one more entry than `actions`."""

    states: tuple[S, ...]
    actions: tuple[A, ...]


@dataclass(frozen=True)
class Result(Generic[S, A]):
    """What was found. `violations` holds the shortest path to each property that is broken, by name."""

    violations: Mapping[str, Path[S, A]]
    states: int
    transitions: int
    initial: int
    depth: int
    bound: str | None = None
    # Whether the graph has a cycle; looked up only where the model asks for it.
    cyclic: bool = False

    def with_violations(self, violations: Mapping[str, Path[S, A]]) -> Result[S, A]:
        """The same search, having found these."""
        return replace(self, violations=violations)

    @property
    def generated(self) -> int:
        """Initial states and all successors computed, repeats included: what TLC calls states generated."""
        return self.initial + self.transitions

    @property
    def explored(self) -> Explored:
        """The counts, in the vocabulary of reports."""
        return Explored(states=self.states, transitions=self.transitions, depth=self.depth, bound=self.bound)

    def outcome(self, name: str) -> Outcome:
        """The answer to the property of that name."""
        if name in self.violations:
            return Outcome.VIOLATED
        return Outcome.HOLDS if self.bound is None else Outcome.INCOMPLETE


@dataclass
class _Graph(Generic[S]):
    """The states seen, numbered in the order they were found, and what ties them."""

    number: dict[S, int] = field(default_factory=dict)
    states: list[S] = field(default_factory=list)
    parent: array[int] = field(default_factory=lambda: array("q"))
    sources: array[int] = field(default_factory=lambda: array("q"))
    targets: array[int] = field(default_factory=lambda: array("q"))

    def add(self, state: S, parent: int) -> int:
        new = len(self.states)
        self.number[state] = new
        self.states.append(state)
        self.parent.append(parent)
        return new


def explore(
    model: Model[S, A],
    *,
    budget: Budget | None = None,
    progress: Progress | None = None,
    first_violation_ends: bool = False,
    until: Collection[str] = (),
) -> Result[S, A]:
    """Every reachable state of the model, or as many as the budget allows.

    A state that breaks a property is not explored beyond: what follows a broken promise says nothing more. With
    `first_violation_ends` the search ends at the first one, with `until` once all of that name are found. Ctrl-C ends
    it with what is known so far.
    """
    wanted = frozenset(until)
    return _Search(model, budget or Budget(), progress or Silent(), first_violation_ends, wanted).run()


class _Search(Generic[S, A]):
    def __init__(
        self,
        model: Model[S, A],
        budget: Budget,
        progress: Progress,
        first_violation_ends: bool,  # noqa: FBT001
        until: frozenset[str],
    ) -> None:
        self.model = model
        self.budget = budget
        self.progress = progress
        self.first_violation_ends = first_violation_ends
        self.until = until
        self.graph: _Graph[S] = _Graph()
        self.broken: dict[str, int] = {}
        self.dead_ends: set[int] = set()
        self.transitions = 0
        self.depth = 0
        self.expanded = 0
        self.deadline = time.monotonic() + budget.seconds

    def run(self) -> Result[S, A]:
        for state in self.model.initial():
            canonical = self.model.canonical(state)
            if canonical not in self.graph.number:
                self._note(self.graph.add(canonical, -1), self.model.broken(canonical))
        initial = len(self.graph.states)
        bound: str | None = None
        cyclic = False
        try:
            bound = self._breadth_first()
            cyclic = bound is None and self.model.needs_no_cycle and self._cyclic()
            violations = {name: self._path(number) for name, number in self.broken.items()}
            if bound is None and self.model.ended is not None and (stuck := self._stuck()) is not None:
                violations[EVERY_RUN_ENDS] = self._path(stuck)
        except KeyboardInterrupt:
            bound = "interrupted"
            violations = {name: self._path(number) for name, number in self.broken.items()}
        states = len(self.graph.states)
        return Result(violations, states, self.transitions, initial, self.depth, bound, cyclic)

    def _note(self, number: int, names: Iterable[str]) -> None:
        """What that state breaks."""
        for name in names:
            self.broken.setdefault(name, number)
            self.dead_ends.add(number)

    def _breadth_first(self) -> str | None:  # noqa: C901 - the hot loop in one piece: a call in it is paid per state
        """Expand states until none is left; else the bound that was hit."""
        graph, model = self.graph, self.model
        states, known_number, steps, canonical = graph.states, graph.number, model.steps, model.canonical
        broken = model.broken
        symmetric = type(model).canonical is not Model.canonical
        live = model.ended is not None or model.needs_no_cycle
        faulty = type(model).is_fault is not Model.is_fault
        is_fault, dead_ends = model.is_fault, self.dead_ends
        sources, targets = graph.sources, graph.targets
        level_ends, most = len(states), self.budget.states
        here = self.expanded
        while here < len(states):
            if here == level_ends:
                self.depth += 1
                level_ends = len(states)
            if here % _LOOK_UP_EVERY == 0 and (bound := self._bound(here)) is not None:
                return bound
            if here in dead_ends:
                if self.first_violation_ends:
                    return "the first violation"
                here += 1
                continue
            for action, successor in steps(states[here]):
                self.transitions += 1
                state = canonical(successor) if symmetric else successor
                number = known_number.get(state)
                if number is None:
                    if len(states) >= most:
                        return f"{most} states"
                    number = graph.add(state, here)
                    if names := broken(state):
                        self._note(number, names)
                        if self.until and self.until <= self.broken.keys():
                            return "all that was looked for"
                if live and not (faulty and is_fault(action)):
                    sources.append(here)
                    targets.append(number)
            here += 1
            self.expanded = here
        return None

    def _bound(self, here: int) -> str | None:
        if time.monotonic() > self.deadline:
            return f"{self.budget.seconds:g} s"
        if self.progress.cancelled():
            return "cancelled"
        if here:
            self.progress.report(len(self.graph.states), "states")
        return None

    def _stuck(self) -> int | None:
        """The first state found from which no end can be reached without a fault; None if there is none."""
        ended = self.model.ended
        if ended is None:
            return None
        can_end = bytearray(len(self.graph.states))
        for number, state in enumerate(self.graph.states):
            # A broken state has its own finding; a run need not end well from there.
            if number in self.dead_ends or ended(state):
                can_end[number] = 1
        changed = True
        while changed:
            changed = False
            # Breadth first numbers a state before most of its successors, so backwards few sweeps are enough.
            for source, target in zip(reversed(self.graph.sources), reversed(self.graph.targets), strict=True):
                if not can_end[source] and can_end[target]:
                    can_end[source] = 1
                    changed = True
        stuck = can_end.find(0)
        return stuck if stuck >= 0 else None

    def _cyclic(self) -> bool:
        """Whether the transitions that are no faults have a cycle: states that nothing leads to are taken away."""
        entered, leaving = array("q", bytes(8 * len(self.graph.states))), defaultdict(list)
        for source, target in zip(self.graph.sources, self.graph.targets, strict=True):
            entered[target] += 1
            leaving[source].append(target)
        free = [number for number, times in enumerate(entered) if not times]
        gone = 0
        while free:
            gone += 1
            for target in leaving[free.pop()]:
                entered[target] -= 1
                if not entered[target]:
                    free.append(target)
        return gone < len(self.graph.states)

    def _path(self, number: int) -> Path[S, A]:
        """The run to that state, retold with real states: the graph has canonical ones only."""
        trail: list[int] = []
        while number >= 0:
            trail.append(number)
            number = self.graph.parent[number]
        wanted = [self.graph.states[n] for n in reversed(trail)]
        canonical = self.model.canonical
        state = next(s for s in self.model.initial() if canonical(s) == wanted[0])
        states, actions = [state], []
        for target in wanted[1:]:
            action, state = next((a, s) for a, s in self.model.every_step(state) if canonical(s) == target)
            states.append(state)
            actions.append(action)
        return Path(tuple(states), tuple(actions))

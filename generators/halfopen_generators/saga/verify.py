"""The exploration of a designed saga: which promises hold, how each broken one comes about, who must guarantee what."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from halfopen.checkers.explore import EVERY_RUN_ENDS, Budget, Model, Path, Result, explore
from halfopen.checkers.reduced import explore_reduced
from halfopen.progress import Progress
from halfopen.vocabulary import Explored, Outcome, Verdict
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.blame import RunEnd, Wait
from halfopen_generators.saga.protocol.choreography import Choreography
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.promises import ISOLATION_PROMISES, PROMISES, Breach
from halfopen_generators.saga.protocol.replay import replay
from halfopen_generators.saga.protocol.retell import Event, Narrator, Told, events_of
from halfopen_generators.saga.protocol.shortest import shortest_runs
from halfopen_generators.saga.spec import Guarantee

# So many states of one run are explored one and all; that takes a fifth of a second.
WHOLE = 20_000
# So many within the bounds of `faults`, to rule out what no such run was found for; that takes some seconds.
MOST_WITHIN_BOUNDS = 200_000
# So many over the growing network, in every order, to find the shortest run there.
MOST_OF_ANY_ORDER = 100_000
# So many of several runs in every order, to find the shortest way to where a run stands for ever.
MOST_IN_ANY_ORDER = 1_000_000

# Only the exploration itself ends by the clock, and its bound is told. What comes after it is bounded by states alone,
# since it decides which run is shown and in what words: the same on every machine.
_NO_CLOCK = math.inf


@dataclass(frozen=True)
class Break:
    """One way to break one promise, with the shortest run that does it."""

    breach: Breach
    events: tuple[Event, ...]
    told: Told
    replayed: bool
    # What the explorer calls it.
    label: str
    # Where a code has several faults, which one it is; and the words that a fix for it needs.
    fault: str
    words: Mapping[str, str]
    # Who stands for ever where runs are in each other's way.
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True)
class Verification:
    """What the exploration found."""

    breaks: tuple[Break, ...]
    # By participant and guarantee: the shortest run that goes wrong without it. Nobody needs what is not here.
    needed: Mapping[tuple[str, Guarantee], Break]
    verdicts: tuple[Verdict, ...]
    complete: bool
    # More than one run only where runs meet on a resource.
    instances: int
    # Whether that is so within the bounds of `faults`, and what only more faults than these would break.
    bounded: bool
    beyond: tuple[Break, ...] = ()
    # The same with every guarantee kept that was missed; None where none was.
    with_missing: Verification | None = None

    @property
    def mended(self) -> Verification:
        """What is found once nobody lacks a guarantee that the saga needs."""
        return self.with_missing or self

    def missing(self, design: SagaDesign) -> frozenset[tuple[str, Guarantee]]:
        """By participant, the guarantees for want of which it breaks."""
        return frozenset(
            (design.by_name[broken.breach.step].service, broken.breach.want)
            for broken in self.breaks
            if broken.breach.want
        )


@dataclass(frozen=True)
class _Run:
    """A run that breaks something, and the protocol whose states it goes through."""

    path: Path[Any, Any]
    protocol: Run | Choreography
    within_bounds: bool


def verify(design: SagaDesign, options: SagaOptions, progress: Progress) -> Verification:
    """Explore the whole protocol with the faults of the spec.

    Where it breaks for want of guarantees it is explored again with these kept. That may show that more are needed:
    what lies beyond a broken promise was not seen before.
    """
    found = again = _within_its_faults(design, options, progress)
    while not progress.cancelled() and (missing := again.missing(design)):
        # Over and over for one run alone, which takes few states; for several once that lacks nothing any more.
        while missing and not progress.cancelled():
            design = _kept(design, missing)
            missing = _doubts_settled(design, options, progress).missing(design)
        again = _within_its_faults(design, options, progress)
    return found if again is found else replace(found, with_missing=again)


def _within_its_faults(design: SagaDesign, options: SagaOptions, progress: Progress) -> Verification:
    """What the spec's own faults can break, by one run alone and then by as many as the spec has.

    What one run breaks that has everything to itself is a run of several, too, of which the others have not begun: it
    is the shorter one to tell, and found among far fewer states. Runs that share nothing can't influence each other:
    what holds of one holds of all.
    """
    alone = _doubts_settled(design, options, progress)
    if design.instances == 1 or not Resources.of(design).shared:
        return alone
    return _doubts_settled(design, options, progress, alone)


def _doubts_settled(
    design: SagaDesign, options: SagaOptions, progress: Progress, alone: Verification | None = None
) -> Verification:
    """What is broken, but for what the bounds of `faults` rule out.

    A fault that takes any number of lost, doubled or late messages is none of a spec that rules them out. Where no run
    within the bounds shows it, all runs within them are explored; what none of these shows is told apart.
    """
    found = _Verifier(design, options, progress, alone).run()
    known = {broken.label for broken in alone.breaks} if alone else set()
    doubtful = {broken.label: broken for broken in found.breaks if not broken.replayed and broken.label not in known}
    if not doubtful:
        return found
    states = min(options.max_states, MOST_WITHIN_BOUNDS)
    within = options.model_copy(update={"exact": True, "max_states": states, "max_seconds": _NO_CLOCK})
    bounded = _Verifier(design, within, progress, alone).run()
    if not bounded.complete:
        return found
    happens = {broken.label: broken for broken in bounded.breaks}
    beyond = tuple(broken for label, broken in doubtful.items() if label not in happens)
    breaks = [broken for broken in found.breaks if broken.label not in doubtful]
    breaks += [happens[label] for label in doubtful if label in happens]
    if not breaks:
        # Who needs what is asked of any number of faults, here as everywhere.
        return replace(bounded, beyond=beyond, needed=found.needed)
    verdicts = tuple(_verdicts(found.verdicts[0].explored, breaks, found.instances))
    return replace(found, breaks=tuple(breaks), verdicts=verdicts, beyond=beyond)


def _kept(design: SagaDesign, promised: Collection[tuple[str, Guarantee]]) -> SagaDesign:
    """The design with these guarantees kept."""
    participants = {
        name: replace(
            plan,
            guarantees={
                guarantee: "has" if (name, guarantee) in promised else provision
                for guarantee, provision in plan.guarantees.items()
            },
        )
        for name, plan in design.participants.items()
    }
    return replace(design, participants=participants)


class _Verifier:
    def __init__(
        self, design: SagaDesign, options: SagaOptions, progress: Progress, alone: Verification | None = None
    ) -> None:
        self.design = design
        self.options = options
        self.progress = progress
        # What one run breaks, where several are explored now.
        self.alone = alone
        self.instances = design.instances if alone else 1
        self.resources = Resources.of(design) if alone else Resources.none()
        self.protocol = self._protocol(exact=options.exact)

    def run(self) -> Verification:
        budget = Budget(self.options.max_states, self.options.max_seconds)
        result = self._explored(budget)
        needed = dict(self.alone.needed) if self.alone else {}
        known = self.alone.breaks if self.alone else ()
        fresh = result.violations.keys() - {broken.label for broken in known}
        kept = {label: _Run(result.violations[label], self.protocol, self.options.exact) for label in fresh
                if self._kept(label)}  # fmt: skip
        for found in self._breaks(kept):
            breach = found.breach
            if breach.want is not None:
                needed.setdefault((self.design.by_name[breach.step].service, breach.want), found)
        broken = {label: result.violations[label] for label in fresh - kept.keys()}
        breaks = sorted((*known, *self._breaks(self._within_bounds(broken))), key=_shortest_first)
        verdicts = tuple(_verdicts(result.explored, breaks, self.instances))
        return Verification(
            tuple(breaks), needed, verdicts, result.bound is None, self.instances, bounded=self.options.exact
        )

    def _within_bounds(self, broken: Mapping[str, Path[Any, Any]]) -> Mapping[str, _Run]:
        """By fault the shortest run that the bounds of `faults` allow, where there is such a run."""
        nearest = shortest_runs(self._exact, broken, progress=self.progress) if broken else {}
        found = {label: _Run(path, self._exact_protocol, within_bounds=True) for label, path in nearest.items()}
        rest = {label: path for label, path in broken.items() if label not in found}
        if self.options.exact:
            return found | {label: _Run(path, self.protocol, within_bounds=True) for label, path in rest.items()}
        for label, path in self._shortest(rest).items():
            replayed = replay(path, self._exact, self.progress)
            found[label] = (
                _Run(path, self.protocol, within_bounds=False)
                if replayed is None
                else _Run(replayed, self._exact_protocol, within_bounds=True)
            )
        return found

    def _shortest(self, broken: Mapping[str, Path[Any, Any]]) -> Mapping[str, Path[Any, Any]]:
        """The shortest paths over the growing network, each event counted as often as it takes within bounds.

        Partial order keeps what can be reached, but may lead there by a detour. And over the growing network a step is
        given up at once: within bounds all its tries come first, and a refusal would be the shorter way.
        """
        if not broken:
            return broken
        several = self.instances > 1
        model = self.protocol.model
        every_order: Model[Any, Any] = Instances(model, self.instances, partial_order=False) if several else model
        found = shortest_runs(
            every_order,
            broken.keys() - {EVERY_RUN_ENDS},
            most_states=MOST_OF_ANY_ORDER,
            events=self._tries,
            progress=self.progress,
        )
        if several and EVERY_RUN_ENDS in broken:
            budget = Budget(min(self.options.max_states, MOST_IN_ANY_ORDER), _NO_CLOCK)
            stuck = explore(every_order, budget=budget, progress=self.progress).violations
            found |= {EVERY_RUN_ENDS: stuck.get(EVERY_RUN_ENDS, broken[EVERY_RUN_ENDS])}
        return {label: found.get(label, path) for label, path in broken.items()}

    def _tries(self, action: Any) -> int:
        """How many events within bounds stand behind this one: a step is given up once it was tried so often."""
        command = action[1] if isinstance(action, tuple) else action
        if command.kind not in {"give-up", "abandon"}:
            return 1
        return self.design.by_name[command.subject].retry.attempts or 1

    def _explored(self, budget: Budget) -> Result[Any, Any]:
        """The whole graph while it is small, since its paths are the shortest; beyond that by what reduces it."""
        model, protocol = self._model(self.protocol, exact=self.options.exact), self.protocol
        if not isinstance(protocol, Run) or self.instances > 1 or budget.states <= WHOLE:
            return explore(model, budget=budget, progress=self.progress)
        whole = explore(model, budget=replace(budget, states=WHOLE), progress=self.progress)
        if whole.states < WHOLE:
            return whole
        rest = explore_reduced(
            protocol.model, alike=protocol.alike, partial_order=not self.options.exact, budget=budget,
            progress=self.progress,
        )  # fmt: skip
        return rest.with_violations({**rest.violations, **whole.violations})

    def _kept(self, label: str) -> bool:
        breach = self.protocol.breaches.get(label)
        return breach is not None and self.protocol.builder.ruled_out(breach)

    # -- models ------------------------------------------------------------------------------------------

    def _protocol(self, *, exact: bool) -> Run | Choreography:
        if self.design.orchestrated:
            return Run(self.design, exact=exact, resources=self.resources)
        return Choreography(self.design, exact=exact, resources=self.resources)

    def _model(self, protocol: Run | Choreography, *, exact: bool, ordered: bool = True) -> Model[Any, Any]:
        if self.instances == 1:
            return protocol.model
        # Partial order needs a graph without cycles, which exact mode does not have.
        unbounded = ordered and not exact
        return Instances(protocol.model, self.instances, symmetry=ordered, partial_order=unbounded, forget=unbounded)

    @cached_property
    def _exact_protocol(self) -> Run | Choreography:
        return self._protocol(exact=True)

    @cached_property
    def _exact(self) -> Model[Any, Any]:
        return self._model(self._exact_protocol, exact=True, ordered=False)

    # -- what was found ----------------------------------------------------------------------------------

    def _breaks(self, runs: Mapping[str, _Run]) -> list[Break]:
        """Told, the shortest run first."""
        return sorted((self._break(label, run) for label, run in runs.items()), key=_shortest_first)

    def _break(self, label: str, run: _Run) -> Break:
        events = events_of(run.path.actions, run.path.states)
        breach = run.protocol.breaches.get(label) or Breach(label, "SAG09", self.design.steps[0].name)
        blame = RunEnd(self.design, run.protocol, run.path, events).blame(breach)
        narrator = Narrator(self.design, run.protocol.model.layout, runs=self.instances)
        told = narrator.tell(events, blame.told)
        breach = replace(breach, step=blame.step, code=blame.code)
        return Break(breach, events, told, run.within_bounds, label, blame.fault, blame.words, blame.waits)


def _shortest_first(broken: Break) -> tuple[int, str]:
    return len(broken.events), broken.breach.label


def _verdicts(explored: Explored, breaks: Collection[Break], instances: int) -> Iterator[Verdict]:
    """One per promise. What lies beyond a broken promise was not explored, so nothing is said to hold there."""
    beyond = explored
    if breaks and explored.bound is None:
        beyond = explored.model_copy(update={"bound": "nothing is explored beyond a broken promise"})
    promises = PROMISES if instances == 1 else (*PROMISES, *ISOLATION_PROMISES)
    for promise in promises:
        first = next((found for found in breaks if found.breach.promise == promise), None)
        if first is not None:
            yield Verdict(property=promise, outcome=Outcome.VIOLATED, path=first.told.sentences, explored=explored)
        else:
            outcome = Outcome.HOLDS if beyond.bound is None else Outcome.INCOMPLETE
            yield Verdict(property=promise, outcome=outcome, explored=beyond)

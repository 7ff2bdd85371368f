"""What a policy brings and what it costs: of its figures, and of the simulation where there was one."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.quantities import spell_share
from halfopen_generators.breaker.conclusions import above, false_opens, goodput, losses
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.plots import NAMES
from halfopen_generators.breaker.shown import time
from halfopen_generators.breaker.simulation.study import DESIGN, Study


def better(policy: Policy, study: Study | None) -> list[str]:
    """What gets better."""
    return [*_bounds(policy.call), *(_gains(study) if study else ())]


def worse(policy: Policy, study: Study | None) -> list[str]:
    """What gets worse, or has to be done by somebody."""
    found = list(_costs(policy.call))
    if study:
        found += [*losses(study), *_false_opens(study)]
    return found


def _bounds(call: CallPlan) -> Iterator[str]:
    yield f"A caller knows within {time(call.timeout.overall)}, whatever {call.dependency} does."
    if call.bulkhead:
        yield (
            f"One instance has at most {call.bulkhead.concurrent} calls under way: if {call.dependency} hangs, it "
            "doesn't take the rest of the caller along."
        )
    if call.retry:
        yield f"In the long run retries are at most {spell_share(call.retry.budget)} of the calls."
    if call.breaker:
        yield (
            f"While a breaker is open, {call.dependency} is left alone but for {call.breaker.probes} probe(s) of each "
            f"instance every {time(call.breaker.open_for)}."
        )


def _gains(study: Study) -> Iterator[str]:
    """In how many troubles the design answers clearly more calls than each other policy."""
    for played in study.played:
        if played == DESIGN:
            continue
        pairs = {
            trouble.title: (study.cells[name, DESIGN], study.cells[name, played])
            for name, trouble in study.troubles.items()
            if {(name, played), (name, DESIGN)} <= study.cells.keys()
        }
        won = [title for title, (ours, theirs) in pairs.items() if above(ours, theirs, goodput)]
        lost = [title for title, (ours, theirs) in pairs.items() if above(theirs, ours, goodput)]
        if won:
            counted = f"In {len(won)} of {len(pairs)} simulated troubles ({', '.join(won)}) the design answers clearly"
            yield f"{counted} more calls well than {NAMES[played]}, in {len(lost)} clearly fewer."


def _costs(call: CallPlan) -> Iterator[str]:
    known = call.known
    cut = Latency.through(known.p50, known.p99, known.p999).above(call.timeout.per_try)
    yield f"{spell_share(float(f'{cut:.2g}'))} of the tries of a healthy {call.dependency} are cut off by the timeout."
    if call.breaker:
        yield (
            f"A breaker that is open refuses calls for {time(call.breaker.open_for)} at a time, though "
            f"{call.dependency} may be well again meanwhile."
        )
    if call.fallback is None:
        yield f"While it is open, callers of {call.operation} get an error: nothing is served in its place."
    else:
        of = f": {call.fallback_dependency} then bears the whole load at once" if call.fallback_dependency else ""
        yield f"The fallback ({call.fallback}) has to work when it is needed, so try it before{of}."
    if call.safety == "keyed":
        yield f"{call.dependency} has to keep to `{call.key}`: a second call with the same key has no second effect."
    if call.retry is None:
        yield "What fails once has failed: nothing is tried again."
    if call.bulkhead:
        yield f"If latency or traffic grow, {call.bulkhead.concurrent} places are too few: measure, and design anew."


def _false_opens(study: Study) -> Iterator[str]:
    """Before the trouble begins all troubles are the same run, so one of them tells."""
    cells = [cell for (_, played), cell in study.cells.items() if played == DESIGN]
    if cells and (opens := false_opens(cells[0])):
        runs, before = len(cells[0].outcomes), study.when.begins
        yield f"While all was well, in the first {before:g} s of {runs} run(s), breakers opened {opens} time(s)."

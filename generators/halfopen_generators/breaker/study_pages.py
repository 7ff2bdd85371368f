"""The failure table: what the simulation says of each trouble and policy, and what it can't say."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from halfopen.markdown import Table, table
from halfopen.quantities import spell_rate, spell_share
from halfopen_generators.breaker import plots
from halfopen_generators.breaker.conclusions import (
    conclusion,
    false_opens,
    goodput,
    load,
    opened,
    patience,
    recovered,
    spelled,
)
from halfopen_generators.breaker.experiment import PAGE as EXPERIMENT
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.shown import time
from halfopen_generators.breaker.simulation.scenarios import Scenario
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Played, Study

_NOT_SIMULATED = (
    "Nothing was simulated, so nothing is said of what the policy is worth in trouble. Run it again without the option "
    "that leaves the simulation out."
)
_HEAD = (
    "Policy", "Answered well", "99 of 100 callers know within", "Tries per call", "Opens after", "Opened for nothing",
    "Well again after",
)  # fmt: skip
_PICTURES = {
    plots.GOODPUT: "Calls answered well, by trouble and policy",
    plots.LOAD: "Tries that reach the dependency for one call, by trouble and policy",
    plots.COURSE: "How a hard outage goes on with each policy",
}


def page(policy: Policy, study: Study | None, files: Collection[str]) -> dict[str, object]:
    """The values of the failure table's part of the page."""
    if study is None or not study.cells:
        return {"before": [_NOT_SIMULATED], "pictures": [], "troubles": [], "simulated": []}
    before = (
        f"Each trouble begins when all is well and lasts {study.when.until - study.when.begins:g} s; shares are of the "
        "calls that came in from then on. Beside the mean stands half of its 95% interval. What is said below a table "
        "is what its intervals bear: where they overlap, no difference is claimed."
    )
    there = [name for name in study.troubles if any((name, played) in study.cells for played in study.played)]
    return {
        "before": [
            before,
            *(f"**{plots.NAMES[name]}**: {_meaning(name, call)}" for name, call in study.played.items()),
        ],
        "pictures": [(path, what) for path, what in _PICTURES.items() if path in files],
        "troubles": [
            (
                f"{study.troubles[name].title.capitalize()}: {study.troubles[name].what}",
                _rows(study, name),
                conclusion(study, name),
            )
            for name in there
        ],
        "simulated": [[*_simulated(policy, study), _proof(files)]],
    }


def _rows(study: Study, name: Scenario) -> Table:
    rows = (
        _row(played, study.played[played], study.cells[name, played])
        for played in study.played
        if (name, played) in study.cells
    )
    return table(_HEAD, rows)


def _row(played: Played, call: CallPlan, cell: Cell) -> tuple[object, ...]:
    named = f"**{plots.NAMES[played]}**" if played == DESIGN else plots.NAMES[played]
    return (
        named,
        spelled(cell.mean(goodput), scale=100, unit="%"),
        spelled(cell.mean(patience), unit=" s"),
        spelled(cell.mean(load)),
        opened(cell) if call.breaker else "-",
        false_opens(cell) if call.breaker else "-",
        recovered(cell),
    )


def _meaning(played: Played, call: CallPlan) -> str:
    if played == DESIGN:
        return "what stands above."
    if played == "nothing":
        return "no timeout, no retry, no breaker, no bulkhead."
    said = f"a timeout of {time(call.timeout.per_try)} a try"
    if call.retry:
        waits = ", ".join(time(wait) for wait in call.retry.waits)
        said += f", {call.retry.attempts} tries with waits of {waits}, neither jitter nor budget"
    if call.breaker:
        said += (
            f"; a breaker that opens when {spell_share(call.breaker.failure_ratio)} of the last "
            f"{time(call.breaker.size)} failed, however few, for {time(call.breaker.open_for)}"
        )
    return f"{said}."


def _simulated(policy: Policy, study: Study) -> Iterator[str]:
    call, scale, when = policy.call, study.load, study.when
    known = call.known
    yield (
        f"{study.runs} runs: {len(study.troubles)} troubles, {len(study.played)} policies, {study.seeds} seed(s) each. "
        "The policies meet the same arrivals and service times."
    )
    yield (
        f"{scale.instances} of {known.instances} instance(s) of {call.caller}, each with {spell_rate(scale.rate)}, and "
        f"{scale.servers} server(s) with one queue, {spell_share(round(known.rate / known.capacity, 3))} busy."
        + (f" An instance's traffic is thinned to {spell_share(round(scale.thinned, 3))}, and its bulkhead with it."
           if scale.thinned < 1 else "")
    )  # fmt: skip
    yield (
        f"{when.begins:g} s all is well, {when.until - when.begins:g} s there is trouble, and for "
        f"{when.ends - when.until:g} s what comes after is looked at."
    )
    if known.recovery_time > when.until - when.begins:
        yield f"A real outage lasts longer: {call.dependency} takes {time(known.recovery_time)} to come back."
    assumed = [f"{d.about} {d.choice}" for d in policy.decisions if d.choice.startswith("taken to be ")]
    if assumed:
        yield f"Taken for true, since nobody said otherwise: {'; '.join(assumed)}. Measure them."
    if len(policy.calls) > 1:
        yield f"Only the innermost call, {call.caller} to {call.dependency}: nothing of the calls around it."
    if call.fallback:
        yield "A call that the fallback answers counts as not answered well."
    if any(not math.isfinite(cell.mean(patience).value) for cell in study.cells.values()):
        yield "`not answered`: in some run one caller in a hundred had heard nothing when the run ended."
    goes = f"as that of {study.library} does" if study.library else "without any library's peculiarities"
    yield f"The design's breaker goes {goes}."
    yield (
        "The policy as one whole: no mesh that takes out single hosts, no network that loses or delays, no garbage "
        "collection, no other callers."
    )


def _proof(files: Collection[str]) -> str:
    where = f" `{EXPERIMENT}` says what to try in staging, and what to expect." if EXPERIMENT in files else ""
    return f"A simulation is no proof.{where}"

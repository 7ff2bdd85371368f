"""What proves a policy in staging: a load at the spec's traffic, a dependency that hangs, and what has to be seen."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from halfopen.markdown import Table, table
from halfopen.quantities import spell_rate, spell_share
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen.yaml_text import dump
from halfopen_generators.breaker.formulas import rounded_up
from halfopen_generators.breaker.openings import usual_errors
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.shown import time
from halfopen_generators.breaker.simulation.measures import Outcome
from halfopen_generators.breaker.simulation.run import Times, times
from halfopen_generators.breaker.simulation.scale import scale
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Study
from halfopen_generators.breaker.spec import Stack

FOLDER = "experiment"
PAGE = f"{FOLDER}/EXPERIMENT.md"
SCRIPT = f"{FOLDER}/load.js"
ISTIO = f"{FOLDER}/istio-fault.json"
CHAOS = f"{FOLDER}/network-chaos.yaml"
_ON_KUBERNETES: frozenset[Stack] = frozenset({"istio", "linkerd", "consul"})
# Staging isn't the simulation: half as much again as the worst run is still what was designed.
_ROOM = 1.5
# Calls that may fail before the fault, as a multiple of the usual ones, and at least that share.
_USUAL = 5
_LEAST = 0.01
# After the recovery, long enough to see that it lasts.
_LOOK = 20
_LEAST_BEFORE = 30


@dataclass(frozen=True)
class _Bounds:
    """What has to be seen. None: the simulation doesn't say."""

    steady: float  # the least share answered well before, and after
    knows: float  # seconds until 99 of 100 callers know
    opens: float | None  # seconds until the breaker is open
    recovers: float | None  # seconds from the fault's end until all is well
    tries: float | None  # for one call


def artifacts(policy: Policy, study: Study | None) -> tuple[Artifact, ...]:
    """The page, the load script, and a fault for each way to put one in."""
    call = policy.call
    # One that was cancelled before its first outage says nothing.
    known = study if study and ("outage", DESIGN) in study.cells else None
    when = known.when if known else times(call, scale(call.known))
    return tuple(_files(policy, known, when, _bounds(call, known, when)))


def _files(policy: Policy, study: Study | None, when: Times, bounds: _Bounds) -> Iterator[Artifact]:
    call, stacks = policy.call, {share.stack for share in policy.shares}
    page = {
        "caller": call.caller, "dependency": call.dependency, "operation": call.operation,
        "design": json.dumps(_figures(call, when, bounds), indent=2),
    }  # fmt: skip
    script = environment("halfopen_generators.breaker").get_template("experiment/load.js.j2").render(page=page)
    text = environment("halfopen_generators.breaker").get_template("experiment/EXPERIMENT.md.j2")
    yield Artifact(path=SCRIPT, media_type="text/javascript", text=script.rstrip() + "\n")
    yield Artifact(path=PAGE, media_type="text/markdown",
                   text=text.render(page=_page(policy, study, when, bounds)).rstrip() + "\n")  # fmt: skip
    if "istio" in stacks:
        yield Artifact(path=ISTIO, media_type="application/json", text=json.dumps(_istio(call), indent=2) + "\n")
    if stacks & _ON_KUBERNETES:
        head = "Chaos Mesh: packets between the two get lost, so that calls hang. The label app is a guess: see to it."
        yield Artifact(path=CHAOS, media_type="application/yaml", text=dump(_chaos(call, when), head=head))


def _bounds(call: CallPlan, study: Study | None, when: Times) -> _Bounds:
    """From the runs of the design in an outage: the worst of them, with room."""
    cell = study.cells["outage", DESIGN] if study else None
    opens = _worst(cell, lambda outcome: outcome.opened)
    recovers = _worst(cell, lambda outcome: outcome.recovered)
    during = when.until - when.begins
    return _Bounds(
        steady=round(1 - max(_LEAST, _USUAL * usual_errors(call.known, call.timeout)), 4),
        knows=call.timeout.overall,
        opens=opens if opens is not None and opens < during else None,
        recovers=max(5.0, recovers) if recovers is not None else None,
        tries=_worst(cell, lambda outcome: outcome.amplification),
    )


def _worst(cell: Cell | None, of: Callable[[Outcome], float | None]) -> float | None:
    """The largest of all runs, with room; None if a run doesn't have it."""
    if cell is None:
        return None
    seen = cell.seen(of)
    return rounded_up(_ROOM * max(seen)) if len(seen) == len(cell.outcomes) and max(seen) > 0 else None


def _after(when: Times, bounds: _Bounds) -> int:
    return math.ceil(max(when.ends - when.until, (bounds.recovers or 0) + _LOOK))


def _before(when: Times) -> int:
    return math.ceil(max(when.begins, _LEAST_BEFORE))


def _figures(call: CallPlan, when: Times, bounds: _Bounds) -> dict[str, Any]:
    """What the script computes with, in seconds."""
    return {
        "instances": call.known.instances,
        "each": round(call.known.each, 9),
        "deadline": call.deadline,
        "before": _before(when),
        "during": math.ceil(when.until - when.begins),
        "after": _after(when, bounds),
        "steady": bounds.steady,
        "knows": bounds.knows,
        # A breaker that is open answers at once; half of a try's timeout tells that from a call that waited.
        "atOnce": call.timeout.per_try / 2,
        "opens": bounds.opens,
        "recovers": bounds.recovers,
        "proxy": call.dependency,
        "toxic": f"{call.name}-hangs",
    }


def _page(policy: Policy, study: Study | None, when: Times, bounds: _Bounds) -> dict[str, object]:
    call = policy.call
    lasts = _before(when) + math.ceil(when.until - when.begins) + _after(when, bounds)
    own = (
        " Give each request an id of its own: `$ID` in BODY or TARGET becomes one."
        if call.safety != "idempotent"
        else ""
    )
    return {
        "caller": call.caller,
        "dependency": call.dependency,
        "operation": call.operation,
        "during": time(math.ceil(when.until - when.begins)),
        "lasts": time(lasts),
        "knows": time(bounds.knows),
        "instances": f"{call.known.instances} instance(s)",
        "each": spell_rate(call.known.each),
        "repeats": own,
        "steady": spell_share(bounds.steady),
        "expected": _expected(call, study, bounds),
        "notes": list(_notes(study, bounds)),
        "before": list(_needs(policy)),
        "faults": list(_faults(policy, when)),
        "reading": list(_reading(call, bounds)),
    }


def _expected(call: CallPlan, study: Study | None, bounds: _Bounds) -> Table:
    cell = study.cells["outage", DESIGN] if study else None
    at_once = f"script: open, median at most {time(call.timeout.per_try / 2)}; `call:breaker_open:ratio`"
    tries = "-" if bounds.tries is None else f"at most {bounds.tries:g}"
    asked = f"`call:retries:ratio_rate5m`, or the logs of {call.dependency}"
    rows = [
        ("Answered well before the fault", "-", f"more than {spell_share(bounds.steady)}", "script: before"),
        ("99 of 100 callers know within", _range(cell, lambda one: one.p99, " s"), time(bounds.knows), "script: open"),
        ("Opens after", _range(cell, lambda one: one.opened, " s"), _at_most(bounds.opens), at_once),
        ("Tries for one call, fault and after", _range(cell, lambda one: one.amplification, ""), tries, asked),
        ("Well again after", _range(cell, lambda one: one.recovered, " s"), _at_most(bounds.recovers), "script: after"),
    ]
    return table(("What", "Simulated, all runs", "Holds if", "Where to look"), rows)


def _at_most(seconds: float | None) -> str:
    return "-" if seconds is None else f"at most {time(seconds)}"


def _range(cell: Cell | None, of: Callable[[Outcome], float | None], unit: str) -> str:
    if cell is None:
        return "not simulated"
    seen = cell.seen(of)
    if not seen or not math.isfinite(max(seen)):
        return "not seen"
    some = "" if len(seen) == len(cell.outcomes) else f" in {len(seen)} of {len(cell.outcomes)} runs"
    low, high = f"{min(seen):.2g}", f"{max(seen):.2g}"
    return f"{low}{unit}{some}" if low == high else f"{low} to {high}{unit}{some}"


def _notes(study: Study | None, bounds: _Bounds) -> Iterator[str]:
    if study is None:
        yield "Nothing was simulated, so only what the policy itself promises is expected here."
        return
    yield f"What holds is {_ROOM:g} times the worst simulated run: staging isn't the simulation."
    if bounds.opens is None:
        yield "In some run no breaker opened during the outage: the script expects none to."
    if bounds.recovers is None:
        yield "In some run nothing was well again before it ended: the script expects no recovery."


def _needs(policy: Policy) -> Iterator[str]:
    call = policy.call
    yield (
        f"Toxiproxy between {call.caller} and {call.dependency}, with a proxy called `{call.dependency}` "
        "(https://github.com/Shopify/toxiproxy), or one of the other ways below."
    )
    if call.fallback:
        yield f"The fallback ({call.fallback}): with it more is answered well while the fault is in than was simulated."
    others = [share.stack for share in policy.shares if share.kind == "mesh"]
    if others:
        yield f"{', '.join(others)}: note what it ejects meanwhile, which was not simulated."


def _faults(policy: Policy, when: Times) -> Iterator[tuple[str, list[str], str]]:
    call, stacks = policy.call, {share.stack for share in policy.shares}
    run = "k6 run -e TARGET=https://staging.example.com/... load.js"
    yield (
        "With Toxiproxy",
        [f"The script puts the fault in and takes it out: {call.dependency} accepts connections and answers nothing."],
        run.replace("load.js", "-e TOXIPROXY=http://localhost:8474 load.js"),
    )
    if stacks & _ON_KUBERNETES:
        yield (
            "With Chaos Mesh",
            ["Correct the labels in `network-chaos.yaml`. Apply it when the script says so; it ends by itself."],
            f"{run}\nkubectl apply -f network-chaos.yaml   # in another shell, when the script says so",
        )
    if "istio" in stacks:
        patch = f"kubectl patch virtualservice {call.name} --type=json"
        later = f"# {math.ceil(when.until - when.begins)} s later"
        what = (
            f"The caller's own proxy delays the call beyond every timeout. It never reaches {call.dependency}, so "
            "Istio ejects no host: this tests the library alone."
        )
        lines = (
            run,
            f"{patch} --patch-file=istio-fault.json   # when the script says so",
            f'{patch} -p=\'[{{"op": "remove", "path": "/spec/http/0/fault"}}]\'   {later}',
        )
        yield "With Istio", [what], "\n".join(lines)


def _reading(call: CallPlan, bounds: _Bounds) -> Iterator[str]:
    yield (
        "**before** below its share: the steady state isn't what the spec says. Nothing else means anything; measure "
        "latency and error rate, and design anew."
    )
    yield (
        f"**open**, median too long: calls wait for {call.dependency} while the breaker should refuse them. It is not "
        "configured, counts something else than these failures, or an instance has too little traffic to open it."
    )
    yield (
        f"**open**, 99th percentile above {time(bounds.knows)}: some timeout is missing, or something outside retries "
        "as well. Look for a second layer with retries."
    )
    yield (
        "**after** below its share: it doesn't recover. Either the breaker stays open (probes fail: look why), or "
        f"retries keep {call.dependency} down (tries for one call far above 1)."
    )
    yield (
        "Dropped iterations: more callers waited at once than the load generator has. If the times above are long, "
        "that is why; if they are not, it was the bottleneck: give it more processors, and repeat."
    )
    yield "One run is one run. Repeat it, at another hour, before you call it proved."


def _istio(call: CallPlan) -> list[dict[str, Any]]:
    """A patch of the VirtualService that the policy's files have: a second one for the host would be ignored."""
    longer = math.ceil(3 * max(call.timeout.overall, call.deadline))
    fault = {"delay": {"fixedDelay": f"{longer}s", "percentage": {"value": 100}}}
    return [{"op": "add", "path": "/spec/http/0/fault", "value": fault}]


def _chaos(call: CallPlan, when: Times) -> dict[str, Any]:
    return {
        "apiVersion": "chaos-mesh.org/v1alpha1",
        "kind": "NetworkChaos",
        "metadata": {"name": f"{call.name}-hangs"},
        "spec": {
            "action": "partition",
            "mode": "all",
            "selector": {"labelSelectors": {"app": call.caller}},
            "direction": "to",
            "target": {"mode": "all", "selector": {"labelSelectors": {"app": call.dependency}}},
            "duration": f"{math.ceil(when.until - when.begins)}s",
        },
    }

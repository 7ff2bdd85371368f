"""What is wrong with a designed policy: the rules, what its dialects' files mean, and what it does in trouble."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from halfopen.durations import spell_duration
from halfopen.findings import at, gravest_first
from halfopen.progress import Progress
from halfopen.quantities import spell_share
from halfopen.registry import Judged
from halfopen.vocabulary import Artifact, Certainty, Check, Finding, Severity, Status
from halfopen.wording import count
from halfopen_generators.breaker import alerts, spoken, tuning_page
from halfopen_generators.breaker.codes import finding
from halfopen_generators.breaker.engines import ENGINES
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.path_rules import OF_THE_PATH, as_played, unplayed
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.rules import OF_A_CALL
from halfopen_generators.breaker.simulation.scenarios import Scenario
from halfopen_generators.breaker.simulation.study import DESIGN, Study, study
from halfopen_generators.breaker.spec import Objective
from halfopen_generators.breaker.spoken import Spoken
from halfopen_generators.breaker.tune import Tuned, tune
from halfopen_generators.breaker.written import written

SIMULATED = "it recovers from every simulated trouble"


@dataclass(frozen=True)
class Details:
    """What render needs beyond the report."""

    spoken: tuple[Spoken, ...]
    study: Study
    alerts: tuple[Artifact, ...]
    tuned: Tuned | None


def check(planned: Policy, options: BreakerOptions, progress: Progress) -> Judged:
    """Everything that can say no to the policy."""
    said = spoken.spoken(planned)
    rules = alerts.artifacts(planned)
    simulated = study(planned.call, options.seeds, progress, _library(planned))
    tuned = tune(planned.call, planned.objective, progress) if options.tune else None
    checks = (
        *(check for one in said for check in one.checks),
        *alerts.checks(planned, rules),
        _simulated(planned.call, simulated),
        *([_objective(tuned)] if tuned is not None and planned.objective != Objective() else []),
    )
    seen = (written(each, planned.spec) for each in _in_trouble(planned.call, simulated))
    found = (*static_findings(planned), *spoken.findings(said), *seen)
    findings = tuple(sorted(found, key=gravest_first))
    return Judged(
        summary=_summary(planned, simulated, findings, checks),
        findings=findings,
        checks=checks,
        details=Details(said, simulated, rules, tuned),
    )


def static_findings(planned: Policy) -> tuple[Finding, ...]:
    """What the rules find of each call and of the path, as the stacks can play it; with evidence that is written."""
    played = as_played(planned)
    found = (
        *(found for call in played.calls for rule in OF_A_CALL for found in rule(call)),
        *(found for rule in OF_THE_PATH for found in rule(played)),
        *unplayed(planned),
    )
    return tuple(written(each, planned.spec) for each in found)


def _library(planned: Policy) -> str | None:
    """Whose breaker is simulated: the first library's of which it is known how its breaker goes."""
    return next((share.stack for share in planned.shares if share.kind == "library" and share.stack in ENGINES), None)


def _simulated(call: CallPlan, simulated: Study) -> Check:
    stuck = [trouble.title for name, trouble in simulated.troubles.items() if _stuck(simulated, name)]
    if not simulated.whole:
        status, detail = Status.SKIPPED, f"interrupted after {count(simulated.runs, 'run')}."
    elif stuck:
        status, detail = Status.FAILED, f"not within {_after(simulated)}: {', '.join(stuck)}"
    else:
        status = Status.PASSED
        detail = (
            f"{count(len(simulated.troubles), 'trouble')} of {call.dependency}, {count(simulated.runs, 'run')} in all; "
            "a simulation, no proof"
        )
    return Check(name=SIMULATED, tool="halfopen simulator", version=version("halfopen"), status=status, detail=detail)


def _objective(tuned: Tuned) -> Check:
    status = Status.PASSED if tuned.met else Status.FAILED if tuned.trials else Status.SKIPPED
    detail = tuning_page.told(tuned) if tuned.trials else "interrupted."
    return Check(
        name="a policy meets the objective",
        tool="halfopen simulator",
        version=version("halfopen"),
        status=status,
        detail=detail,
    )


def _stuck(simulated: Study, name: Scenario) -> bool:
    cell = simulated.cells.get((name, DESIGN))
    return cell is not None and cell.recovers < len(cell.outcomes)


def _after(simulated: Study) -> str:
    return spell_duration(round(simulated.when.ends - simulated.when.until, 3))


def _in_trouble(call: CallPlan, simulated: Study) -> Iterator[Finding]:
    """RES19 and RES23, as they were seen to happen."""
    stuck = [trouble for name, trouble in simulated.troubles.items() if _stuck(simulated, name)]
    if stuck:
        told = "; ".join(f"{trouble.title}, {trouble.what}" for trouble in stuck)
        yield finding(
            "RES19",
            f"Simulated: all is not well again within {_after(simulated)} of {count(len(stuck), 'trouble')} ({told}).",
            "A smaller retry budget or bulkhead, a limit at the entry, or more capacity; --tune looks for it.",
            at(*call.location, "capacity"),
            at(*call.location, "traffic", "rate"),
            certainty=Certainty.HEURISTIC,
        )
    false = sum(outcome.false_opens for (_, who), cell in simulated.cells.items() if who == DESIGN
                for outcome in cell.outcomes)  # fmt: skip
    if false:
        yield finding(
            "RES23",
            f"Simulated: the breaker opened {count(false, 'time')} while all was well.",
            "More minimum_calls, a higher failure_ratio, or a longer timeout.",
            at(*call.location, "breaker"),
            at(*call.location, "error_rate"),
            severity=Severity.WARNING,
            certainty=Certainty.HEURISTIC,
        )


def _summary(planned: Policy, simulated: Study, findings: Iterable[Finding], checks: Iterable[Check]) -> str:
    head = f"{_told(planned.call)}."
    errors = dict.fromkeys(found.code for found in findings if found.severity is Severity.ERROR)
    failed = [check.name for check in checks if check.status is Status.FAILED]
    skipped = [check.name for check in checks if check.status is Status.SKIPPED]
    warned = dict.fromkeys(found.code for found in findings if found.severity is Severity.WARNING)
    if errors or failed:
        codes = f" Errors: {', '.join(errors)}." if errors else ""
        no = f" Failed: {'; '.join(failed)}." if failed else ""
        return f"{head}{codes}{no}"
    stacks = ", ".join(share.stack for share in planned.shares)
    if skipped:
        return f"{head} No error was found, but not all was looked at: {'; '.join(skipped)}."
    return (
        f"{head} Spelled for {stacks}, read back as meant; in simulation it recovers from all "
        f"{count(len(simulated.troubles), 'trouble')}." + (f" Warnings: {', '.join(warned)}." if warned else "")
    )


def _told(call: CallPlan) -> str:
    """The policy in one sentence."""
    parts = [f"{call.caller} calls {call.operation} of {call.dependency}: {spell_duration(call.timeout.per_try)} a try"]
    parts.append(f"{call.retry.attempts} tries within {spell_duration(call.deadline)}" if call.retry else "no retries")
    if call.breaker:
        unit = spell_duration(call.breaker.size) if call.breaker.window == "time" else f"{call.breaker.size:g} calls"
        parts.append(
            f"open at {spell_share(call.breaker.failure_ratio)} of {unit} for {spell_duration(call.breaker.open_for)}"
        )
    if call.bulkhead:
        parts.append(f"{call.bulkhead.concurrent} at once")
    return ", ".join(parts)

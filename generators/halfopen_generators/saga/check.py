"""What is wrong with a designed saga: the static rules, the exploration, the contracts; as findings and verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfopen import __version__
from halfopen.findings import at, gravest_first
from halfopen.progress import Progress
from halfopen.registry import Judged
from halfopen.vocabulary import (
    Check,
    Counterexample,
    Evidence,
    Finding,
    Outcome,
    Severity,
    Status,
)
from halfopen.wording import count
from halfopen_generators.saga import contracts
from halfopen_generators.saga.codes import finding
from halfopen_generators.saga.counterexample import Test, scenario
from halfopen_generators.saga.obligations import obligations, smallest_set
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.promises import ALL_OR_COMPENSATED, Breach
from halfopen_generators.saga.render import unsupported
from halfopen_generators.saga.static_rules import static_findings
from halfopen_generators.saga.unchecked import unchecked
from halfopen_generators.saga.verify import Break, Verification, verify

# What to do about a broken promise, by code, and by fault or promise where one code has several.
# {service}, {action}, {compensation} and {resource} are the step's; what else there is comes with the fault.
FIXES = {
    "SAG01": "Give {step} a compensation and make it compensatable (`kind`), or let it come after every step that may "
    "still turn the run back (`after`).",
    "SAG02": "Let the pivot come after {step} (`after`).",
    f"SAG02 {ALL_OR_COMPENSATED}": "Let {step}, the pivot, come after every step that may still turn the run back "
    "(`after`).",
    "SAG03": "{step} has to go through: leave out what may refuse it (`can_be_refused`), and `retry.attempts`.",
    "SAG03 reread": "Have runs wait for each other instead, since {step} has to go through and `reread-value` refuses "
    "it: `countermeasures: {{{what}: semantic-lock}}` at {touching}.",
    "SAG04": "Have {service} remember the keys of requests (`deduplicates`), or make {compensation} idempotent.",
    "SAG05": "Leave out `retry.attempts` at {step}, so that it is asked again until it answers, or give it a "
    "compensation for the outcome that nobody knows.",
    "SAG06": "Have {service} refuse an action whose compensation it has handled (`refuses_late_actions`: a tombstone "
    "by idempotency key), or let {step} come behind all that can fail (`kind: retriable`), where nothing undoes it.",
    "SAG07": "Have {service} remember the keys of requests and give the first answer again (`deduplicates`).",
    "SAG08": "Let {compensation} wait until what came after {step} is undone: consume the event that says so.",
    "SAG09": "Give every way out of {step} a way on: a reply, a timeout or an event that somebody consumes.",
    "SAG09 locks": "Take the locks in one order in every run: {locks}. Let {then} come after {first} (`after`), so "
    "that a run holds the one before it asks for the other.",
    f"SAG09 {ALL_OR_COMPENSATED}": "Let {step} wait for events that every run publishes which ends committed, and end "
    "the run on an event that comes behind it.",
    "SAG10": "Have {service} write its event in the transaction that changes its state (`publishes_atomically`: an "
    "outbox).",
    "SAG11": "Let every step whose effect stands compensate on the event that says {step} failed.",
    f"SAG11 {ALL_OR_COMPENSATED}": "Let {step} compensate on every event that says a later step failed, and let no "
    "event of `ends` come before it has.",
    "SAG12": "Keep the runs apart on {resource}: `countermeasures: {{{resource}: semantic-lock}}` at every step that "
    "touches it, or another countermeasure that fits.",
    "SAG13": "Make {compensation} one that can't be refused.",
    "SAG19": "Let {step} wait for an event that somebody publishes.",
    "SAG18": "Have {service} answer a compensation of what never ran, and change nothing "
    "(`accepts_empty_compensation`).",
}


def check(design: SagaDesign, options: SagaOptions, progress: Progress) -> Judged:
    """Everything that can say no to the design, asked."""
    verification = verify(design, options, progress)
    shown = [
        (broken, scenario(design, broken)) for broken in _one_of_each((*verification.breaks, *verification.beyond))
    ]
    explored = tuple(_finding(design, broken, test, ruled_out=broken in verification.beyond) for broken, test in shown)
    told = (*_merged(static_findings(design), explored), *unsupported(design, options.target))
    findings = tuple(sorted(told, key=gravest_first))
    checks = (
        _exploration(design, verification),
        *smallest_set(design, verification),
        *unchecked(design),
        *contracts.checks(design),
    )
    return Judged(
        summary=_summary(design, findings, verification),
        findings=findings,
        obligations=tuple(obligations(design, verification)),
        checks=checks,
        verdicts=verification.verdicts,
        details=tuple(test for _, test in shown if test is not None),
    )


def _one_of_each(breaks: Iterable[Break]) -> tuple[Break, ...]:
    """The shortest break for each fault: code, step and resource."""
    found: dict[tuple[str, str, str | None, str], Break] = {}
    for broken in breaks:
        breach = broken.breach
        # Isolation has three promises behind one code; each is a fault of its own.
        promise = breach.promise if breach.resource else ""
        found.setdefault((breach.code, breach.step, breach.resource, promise), broken)
    return tuple(found.values())


def _merged(static: Iterable[Finding], explored: tuple[Finding, ...]) -> Iterator[Finding]:
    """All findings; where a rule and the exploration say the same, the rule's words with the run that shows it."""
    shown: set[int] = set()
    for known in static:
        step = known.evidence[0].path.split(".")[0]
        same = [n for n, other in enumerate(explored) if _same(known, other, step)]
        shown.update(same)
        run = explored[same[0]].counterexample if same else None
        yield known if run is None else known.model_copy(update={"counterexample": run})
    yield from (found for number, found in enumerate(explored) if number not in shown)


def _same(known: Finding, other: Finding, step: str) -> bool:
    return known.code == other.code and other.evidence[0].path.split(".")[0] == step and known.code != "SAG12"


def _finding(design: SagaDesign, broken: Break, test: Test | None, *, ruled_out: bool) -> Finding:
    breach, step = broken.breach, design.by_name[broken.breach.step]
    told = Counterexample(
        sentences=broken.told.sentences,
        diagram=broken.told.diagram,
        test=f"pytest tests -k {test.name}" if test else None,
        replayed=broken.replayed,
    )
    words = {
        "step": step.name,
        "service": step.service,
        "action": step.action,
        "compensation": step.compensation.action if step.compensation else "its compensation",
        "resource": breach.resource or "",
        **broken.words,
    }
    message = f"Broken: {breach.promise}. {broken.told.sentences[-1]}"
    if ruled_out:
        message += (
            " (This takes more faults than `faults` allows: within its bounds every run was explored, and none does.)"
        )
    elif not broken.replayed:
        message += " (Found with any number of faults; whether the bounds of `faults` rule it out is not known.)"
    severity = Severity.WARNING if ruled_out else Severity.ERROR
    found = finding(breach.code, message, _fix(broken).format(**words), _place(step, breach), severity=severity)
    return found.model_copy(update={"counterexample": told})


def _fix(broken: Break) -> str:
    breach = broken.breach
    return FIXES.get(f"{breach.code} {broken.fault or breach.promise}", FIXES[breach.code])


def _place(step: StepPlan, breach: Breach) -> Evidence:
    if breach.want is not None:
        return at("services", step.service, breach.want)
    if breach.resource is not None:
        return at("steps", step.spec_index, "writes")
    return at("steps", step.spec_index)


def _exploration(design: SagaDesign, verification: Verification) -> Check:
    explored = verification.verdicts[0].explored
    broken = any(verdict.outcome is Outcome.VIOLATED for verdict in verification.verdicts)
    network = "within the bounds of `faults`" if verification.bounded else "over a network without bounds"
    runs = {1: "one run", 2: "two runs at once", 3: "three runs at once"}[verification.instances]
    detail = f"{runs} {network}: {explored.states} states, {explored.transitions} transitions, depth {explored.depth}"
    if design.instances > verification.instances:
        detail += "; the runs share no resource that one of them writes, so what holds of one holds of all"
    if verification.beyond:
        detail += f"; more faults than `faults` allows would break {_codes(verification.beyond)}"
    if not verification.complete:
        detail += f"; ended early at {explored.bound}, so nothing is said of what lies beyond"
    status = Status.FAILED if broken else Status.PASSED if verification.complete else Status.SKIPPED
    return Check(name="state exploration", tool="halfopen", version=__version__, status=status, detail=detail)


def _codes(breaks: Iterable[Break]) -> str:
    return ", ".join(sorted({broken.breach.code for broken in breaks}))


def _summary(design: SagaDesign, findings: Iterable[Finding], verification: Verification) -> str:
    verdicts = verification.verdicts
    errors = [found for found in findings if found.severity is Severity.ERROR]
    broken = [verdict for verdict in verdicts if verdict.outcome is Outcome.VIOLATED]
    incomplete = [verdict for verdict in verdicts if verdict.outcome is Outcome.INCOMPLETE]
    states = verdicts[0].explored.states
    head = f"{design.name}: {design.style}, {count(len(design.steps), 'step')}. "
    if broken or errors:
        codes = ", ".join(dict.fromkeys(found.code for found in errors))
        are = "is" if len(broken) == 1 else "are"
        promises = f"{len(broken)} of {len(verdicts)} promises {are} broken; " if broken else ""
        return f"{head}{promises}{'errors' if promises else 'Errors'}: {codes or 'none'}."
    if incomplete:
        return f"{head}No fault found in {states} states, but the search ended at {incomplete[0].explored.bound}."
    if verification.beyond:
        return (
            f"{head}All {len(verdicts)} promises hold in all {states} states within the bounds of `faults`; more "
            f"faults than these would break some: {_codes(verification.beyond)}."
        )
    return f"{head}All {len(verdicts)} promises hold in all {states} states that can be reached."

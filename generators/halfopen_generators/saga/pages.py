"""What people read: DESIGN.md and the decision record, as values that the templates only lay out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from halfopen.durations import spell_duration
from halfopen.markdown import Table, optional_table, table
from halfopen.registry import Judged
from halfopen.templates import environment, kebab
from halfopen.vocabulary import Artifact, Check, Counterexample, Finding, Obligation, Verdict
from halfopen_generators.saga import diagrams
from halfopen_generators.saga.choreography_scenario import ChoreographyScenario
from halfopen_generators.saga.failures import failure_table
from halfopen_generators.saga.plan import RetryPlan, SagaDesign, StepPlan
from halfopen_generators.saga.spec import Countermeasure, Style

_MARKDOWN = "text/markdown"

_COUNTERMEASURES: dict[Countermeasure, str] = {
    "semantic-lock": (
        "Yours: in the same transaction mark {resource} as held by the run; clear the mark when the run has ended. "
        "A step of another run that asks for the lock waits."
    ),
    "commutative-update": (
        "Yours: add to and subtract from {resource} in {action} and in what undoes it; never write a value read before."
    ),
    "pessimistic-view": "Yours: write {resource} only behind the pivot, where nothing undoes it.",
    "reread-value": "Yours: read {resource} again before writing; refuse if it has changed since the run read it.",
    "version-file": "Yours: record each operation on {resource} and apply them in their right order.",
    "by-value": "Yours: decide by the risk of the request whether the run may share {resource}. Not checked.",
}

# The same where an orchestrator leads: its generated participants do it.
_KEPT: dict[Countermeasure, str] = {
    "semantic-lock": (
        "Generated: {action} marks {resource} as held by its run, and the mark is cleared when the run has ended; a "
        "step of another run that asks for the lock waits. Yours: say which entities of {resource} a request means."
    ),
    "reread-value": (
        "Generated: {action} is refused if another run has written {resource} since this one read it. Yours: say which "
        "entities of {resource} a request means."
    ),
}

_ALTERNATIVES: dict[Style, str] = {
    "orchestration": "one leader sends every request and holds the state of each run",
    "choreography": "each participant reacts to the events of the others; nobody holds the whole flow",
    "event-sourced": "one leader, whose log is the sequence of the run's own events",
}

_CONSEQUENCES: dict[Style, tuple[str, ...]] = {
    "orchestration": (
        "Good, because where a run stands is in one log, and a stuck run can be found and asked.",
        "Good, because participants know nothing of each other.",
        "Bad, because the orchestrator has to be run, kept available and released with care for runs under way.",
    ),
    "choreography": (
        "Good, because there is no leader to run, and participants can be released apart.",
        "Bad, because no single place knows where a run stands: it has to be traced by the correlation key.",
        "Bad, because each new step changes who listens to whom.",
    ),
    "event-sourced": (
        "Good, because every run keeps its whole history, and can be replayed.",
        "Good, because participants know nothing of each other.",
        "Bad, because events once stored have to stay readable for as long as runs are kept.",
    ),
}


# What lies beside DESIGN.md, by where it lies; what is not here is code.
_FOLDERS = {
    "adr": "the decision, on record",
    "proto": "message contracts; `buf.yaml` lints them",
    "sql": "PostgreSQL tables for inbox, outbox and idempotency, and the statements that use them",
    "tests": "every failure above, and every counterexample, replayed against the code",
}


@dataclass(frozen=True)
class Failed:
    """A finding as DESIGN.md tells it."""

    finding: Finding
    places: str
    runs: tuple[Counterexample, ...]  # one or none
    replayed: str
    tests: tuple[str, ...]  # one or none


@dataclass(frozen=True)
class Design:
    """All that DESIGN.md says."""

    name: str
    descriptions: tuple[str, ...]  # one or none
    summary: str
    facts: Table
    findings: tuple[Failed, ...]
    steps: Table
    good_run: str
    failure: str
    failed_run: str
    states: str
    failures: Table
    waiting: str
    obligations: tuple[Table, ...]  # one or none
    business: tuple[str, ...]  # one or none
    countermeasures: tuple[Table, ...]  # one or none
    verdicts: tuple[Table, ...]  # one or none
    checks: tuple[Table, ...]  # one or none
    decisions: Table
    files: tuple[str, ...]


def design_page(design: SagaDesign, judged: Judged, failures: Table, target: str, files: Iterable[str]) -> Artifact:
    """DESIGN.md: what was decided, how it fails, what it counts on, and what tried to break it."""
    failure, failed_run = diagrams.failed_run(design)
    written = tuple(sorted(files))
    page = Design(
        name=design.name,
        descriptions=_optional(design.description.strip()),
        summary=judged.summary,
        facts=_facts(design, target),
        findings=tuple(_failed(finding) for finding in judged.findings),
        steps=_steps(design),
        good_run=diagrams.good_run(design),
        failure=failure,
        failed_run=failed_run,
        states=diagrams.states(design),
        failures=failures,
        waiting=_waiting(design),
        obligations=_obligations(judged.obligations),
        business=_business(written),
        countermeasures=_countermeasures(design),
        verdicts=_verdicts(judged.verdicts),
        checks=_checks(judged.checks),
        decisions=_decisions(design),
        files=_files(written),
    )
    return Artifact(path="DESIGN.md", media_type=_MARKDOWN, text=_render("DESIGN.md.j2", page))


def record_page(design: SagaDesign, judged: Judged) -> Artifact:
    """The decision record, in the form of MADR."""
    style = next(decision for decision in design.decisions if decision.about == "style")
    text = environment("halfopen_generators.saga").get_template("pages/adr.md.j2")
    others = [other for other in _ALTERNATIVES if other != design.style]
    return Artifact(
        path=f"adr/0001-{kebab(design.name)}-saga.md",
        media_type=_MARKDOWN,
        text=text.render(
            name=design.name,
            descriptions=_optional(design.description.strip()),
            style=design.style,
            trigger=design.trigger,
            because=style.because,
            steps=design.steps,
            services=tuple(design.participants),
            pivots=_optional(design.pivot.name if design.pivot else ""),
            options=[(option, _ALTERNATIVES[option]) for option in (design.style, *others)],
            consequences=_CONSEQUENCES[design.style],
            obligations=[_promise(obligation) for obligation in judged.obligations if obligation.needed],
            summary=judged.summary,
            verdicts=[_confirmed(verdict) for verdict in judged.verdicts],
        ),
    )


def _render(name: str, page: Design) -> str:
    return environment("halfopen_generators.saga").get_template(f"pages/{name}").render(page=page)


def _optional(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _facts(design: SagaDesign, target: str) -> Table:
    deadline = spell_duration(design.deadline) if design.deadline else "none"
    pivot = design.pivot.name if design.pivot else "none: every step can be undone"
    rows = [
        ("Style", design.style),
        ("Starts on", design.trigger),
        ("One run per", design.correlation_key),
        ("No way back behind", pivot),
        ("Deadline", deadline),
        ("Code", target),
    ]
    return table(("", ""), rows)


def _steps(design: SagaDesign) -> Table:
    if design.orchestrated:
        head: tuple[str, ...] = ("Step", "At", "Action", "Kind", "Comes after", "Undone by", "Timeout", "Tries")
        return table(head, (_orchestrated_step(step) for step in design.steps))
    head = ("Step", "At", "Hears", "Action", "Kind", "Says", "If refused", "Undone by", "When it hears")
    return table(head, (_choreographed_step(step) for step in design.steps))


def _orchestrated_step(step: StepPlan) -> tuple[str, ...]:
    return (
        step.name,
        step.service,
        step.action,
        step.kind,
        ", ".join(step.after) or "the start",
        step.compensation.action if step.compensation else "-",
        spell_duration(step.timeout),
        _tries(step.retry),
    )


def _choreographed_step(step: StepPlan) -> tuple[str, ...]:
    undo = step.compensation
    return (
        step.name,
        step.service,
        " and ".join(step.consumes),
        step.action,
        step.kind,
        step.emits or "-",
        step.emits_on_refusal or "-",
        undo.action if undo else "-",
        " or ".join(undo.consumes) if undo else "-",
    )


def _tries(retry: RetryPlan) -> str:
    if retry.attempts == 1:
        return "once"
    count = "until answered" if retry.attempts is None else str(retry.attempts)
    jitter = ", full jitter" if retry.jitter == "full" else ""
    longest = spell_duration(retry.max_backoff)
    return f"{count}; waits {spell_duration(retry.backoff)}, times {retry.factor:g}, at most {longest}{jitter}"


def orchestrated_failures(design: SagaDesign) -> Table:
    """The failure table of an orchestrated saga."""
    rows = (
        (row.step, row.words, row.what_happens, "never: it stands still" if row.stands_still else row.outcome)
        for row in failure_table(design)
    )
    return table(("When", "fails so", "this happens", "and the run ends"), rows)


def choreographed_failures(design: SagaDesign, scenarios: Iterable[ChoreographyScenario]) -> Table:
    """The failure table of a choreographed saga: its scenarios, the good run left out."""
    rows = (
        (scenario.title, _undone(design, scenario.undone), _must_end(scenario))
        for scenario in scenarios
        if scenario.name != "happy-path"
    )
    return table(("When", "this is undone", "and the run ends"), rows)


def _undone(design: SagaDesign, names: Iterable[str]) -> str:
    undone = (design.by_name[name].compensation for name in names)
    return ", ".join(compensation.action for compensation in undone if compensation) or "nothing"


def _must_end(scenario: ChoreographyScenario) -> str:
    return f"must be {scenario.outcome}: {scenario.breaks}" if scenario.breaks else scenario.outcome


def _waiting(design: SagaDesign) -> str:
    if not design.orchestrated:
        return (
            "Nobody holds the state of a run: find its events by the correlation key. A run whose last event is "
            "none of the ends above waits for a participant to handle it, so look at that participant's inbox, "
            "and at its outbox."
        )
    deadline = (
        "Before the pivot the deadline turns a run back; behind it the run goes on, and is logged as an error for a "
        "person to look at. "
        if design.deadline
        else ""
    )
    return (
        f"{deadline}A run that is compensating, or behind the pivot, is never given up: it waits for the "
        "participant whose request is under way, so mend that participant and the run goes on by itself."
    )


def _obligations(obligations: Iterable[Obligation]) -> tuple[Table, ...]:
    words = {True: "yes", False: "no", None: "not known"}
    rows = (
        (
            obligation.on,
            obligation.guarantee,
            obligation.provided_by,
            words[obligation.needed],
            obligation.because,
        )
        for obligation in obligations
    )
    return optional_table(("Who", "keeps", "by", "Needed", "Because"), rows)


def _promise(obligation: Obligation) -> str:
    return f"{obligation.on} {obligation.guarantee.replace('_', ' ')} ({obligation.provided_by})"


def _countermeasures(design: SagaDesign) -> tuple[Table, ...]:
    told = {**_COUNTERMEASURES, **(_KEPT if design.orchestrated else {})}
    rows = (
        (step.name, resource, measure, told[measure].format(resource=resource, action=step.action))
        for step in design.steps
        for resource, measure in step.countermeasures.items()
    )
    return optional_table(("Step", "Resource", "Countermeasure", "What keeps it"), rows)


def _verdicts(verdicts: Iterable[Verdict]) -> tuple[Table, ...]:
    rows = (
        (
            verdict.property,
            verdict.outcome,
            f"{verdict.explored.states:,}",
            f"{verdict.explored.transitions:,}",
            verdict.explored.depth,
            verdict.explored.bound or "every state",
        )
        for verdict in verdicts
    )
    return optional_table(("Property", "Verdict", "States", "Transitions", "Depth", "Search"), rows)


def _confirmed(verdict: Verdict) -> str:
    bound = f", stopped at {verdict.explored.bound}" if verdict.explored.bound else ""
    return f"{verdict.property}: {verdict.outcome} ({verdict.explored.states:,} states{bound})"


def _checks(checks: Iterable[Check]) -> tuple[Table, ...]:
    rows = ((c.name, f"{c.tool} {c.version}", c.status, c.detail) for c in checks)
    return optional_table(("Check", "Tool", "Result", "What was looked at"), rows)


def _decisions(design: SagaDesign) -> Table:
    rows = ((d.about, d.choice, ", ".join(d.instead_of) or "-", d.because) for d in design.decisions)
    return table(("About", "Decided", "Instead of", "Because"), rows)


def _business(paths: Iterable[str]) -> tuple[str, ...]:
    """The files that are the user's to fill in."""
    theirs = (f"`{path}`" for path in paths if path.endswith(("/business.py", "/clients.py")))
    return _optional(" and ".join(theirs))


def _files(paths: Iterable[str]) -> tuple[str, ...]:
    """Folders with what is in them, then the files that lie in none."""
    tops = dict.fromkeys(path.split("/")[0] + "/" * ("/" in path) for path in paths)
    folders = [f"`{top}` {_FOLDERS.get(top[:-1], 'the code')}" for top in tops if top.endswith("/")]
    return (*folders, *(f"`{top}`" for top in tops if not top.endswith("/")))


def _failed(finding: Finding) -> Failed:
    run = finding.counterexample
    replayed = (
        "This run was replayed event by event within the fault bounds of the spec."
        if run is not None and run.replayed
        else "This run was found with unbounded faults, and could not be replayed within the bounds of the spec."
    )
    places = ", ".join(evidence.path for evidence in finding.evidence)
    tests = (run.test,) if run and run.test else ()
    return Failed(finding, places, (run,) if run else (), replayed, tests)

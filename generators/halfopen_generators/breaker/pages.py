"""What people read: POLICY.md and DECISION.md, as values that the templates only lay out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from halfopen.markdown import Table, table
from halfopen.quantities import spell_rate, spell_share
from halfopen.registry import Judged
from halfopen.source import spell
from halfopen.templates import environment
from halfopen.vocabulary import Artifact, Check, Decision
from halfopen_generators.breaker import alerts, experiment, pictures, plots, study_pages
from halfopen_generators.breaker.consequences import better, worse
from halfopen_generators.breaker.plan import CallPlan, Policy
from halfopen_generators.breaker.shown import time
from halfopen_generators.breaker.simulation.study import Study

POLICY_PAGE = "POLICY.md"
DECISION_PAGE = "DECISION.md"
_MARKDOWN = "text/markdown"
_ASKED = "The spec asks for it."
_SAFETY = {
    "idempotent": "yes: called twice it has the effect of once",
    "unsafe": "no: a second call would have its effect again",
}


def pages(policy: Policy, judged: Judged, study: Study | None, files: Iterable[str]) -> Iterator[Artifact]:
    """Both of them.

    Args:
        policy: The policy.
        judged: What was found and checked.
        study: The simulation; None if there was none.
        files: The paths of all other artifacts. Plots among them are shown where they belong.
    """
    listed = sorted({*files, POLICY_PAGE, DECISION_PAGE})
    yield _page(POLICY_PAGE, _policy(policy, judged, study, listed))
    yield _page(DECISION_PAGE, _decision(policy, study))


def _page(name: str, page: dict[str, object]) -> Artifact:
    text = environment("halfopen_generators.breaker").get_template(f"pages/{name}.j2").render(page=page)
    return Artifact(path=name, media_type=_MARKDOWN, text=text.rstrip() + "\n")


def _policy(policy: Policy, judged: Judged, study: Study | None, files: list[str]) -> dict[str, object]:
    return {
        "title": _title(policy),
        "summary": judged.summary,
        "facts": _facts(policy),
        "findings": [(found, ", ".join(each.path for each in found.evidence)) for found in judged.findings],
        "chain": pictures.chain(policy),
        "layers": pictures.layers(policy.call),
        "innermost": policy.call.operation,
        "calls": [(_called(call), _figures(call, policy.decisions)) for call in policy.calls],
        "shares": _shares(policy),
        "study": study_pages.page(policy, study, files),
        "checks": _checks(judged.checks),
        "files": [(path, _what(policy, path)) for path in files],
    }


def _title(policy: Policy) -> str:
    return f"Calls from {policy.calls[0].caller} to {policy.call.dependency}"


def _called(call: CallPlan) -> str:
    return f"{call.caller} calls {call.operation} of {call.dependency}"


def _facts(policy: Policy) -> Table:
    call = policy.call
    known = call.known
    traffic = f"{spell_rate(known.rate)} at the busiest hour, {spell_rate(known.quiet_rate)} at the quietest"
    traffic += f", by {known.instances} instance(s) of {call.caller}"
    dependency = f"does {spell_rate(known.capacity)}, takes {time(known.recovery_time)} to come back"
    dependency += f", {known.hosts} host(s), {known.shards} shard(s)"
    rows = [
        ("Call", " then ".join(_called(each) for each in policy.calls)),
        ("Traffic", traffic),
        ("Latency when well", f"p50 {time(known.p50)}, p99 {time(known.p99)}, p99.9 {time(known.p999)}"),
        ("Errors when well", spell_share(known.error_rate)),
        ("Of no use after", time(call.deadline)),
        ("May be repeated", _SAFETY.get(call.safety, f"yes: {call.dependency} knows a repeated call by `{call.key}`")),
        ("Criticality", call.criticality),
        ("Dependency", dependency),
        *([("Retried elsewhere", ", ".join(call.retried_by))] if call.retried_by else []),
        *([("Calls above", "; ".join(f"{up.caller} calls {up.dependency}, {up.attempts} tries ({up.place})"
                                     for up in policy.upstream))] if policy.upstream else []),
        ("Stacks", ", ".join(share.stack for share in policy.shares)),
    ]  # fmt: skip
    return table(("", "of the innermost call" if len(policy.calls) > 1 else ""), rows)


def _figures(call: CallPlan, decisions: Iterable[Decision]) -> Table:
    """The policy of one call: what, how much, and why."""
    about = f"{spell(call.location)}." if call.location else ""
    reasons = {decision.about.removeprefix(about): decision.because for decision in decisions
               if decision.about.startswith(about)}  # fmt: skip
    rows = ((what, figure, reasons.get(key, _ASKED)) for key, what, figure in _parts(call))
    return table(("What", "Figure", "Why"), rows)


def _parts(call: CallPlan) -> Iterator[tuple[str, str, str]]:
    """The key under which each was decided, what it is, and its figure."""
    timeout, retry, breaker = call.timeout, call.retry, call.breaker
    yield "timeout", "Timeout of a try", time(timeout.per_try)
    if retry:
        waits = ", ".join(time(wait) for wait in retry.waits)
        tries = f"{retry.attempts} tries on {', '.join(retry.on)}; waits of at most {waits}, jitter {retry.jitter}"
        yield "retries", "Retries", f"{tries}; at most {spell_share(retry.budget)} of the calls"
        yield "deadline", "All tries together", f"at most {time(timeout.overall)}"
    else:
        yield "retries", "Retries", "none"
    if breaker:
        unit = time(breaker.size) if breaker.window == "time" else f"{breaker.size:g} calls"
        yield "breaker.failure_ratio", "Breaker opens", f"when {spell_share(breaker.failure_ratio)} failed"
        yield "breaker.size", "of the last", unit
        yield "breaker.minimum_calls", "which hold at least", f"{breaker.minimum_calls} calls"
        slow = "slowness isn't judged"
        if breaker.slow_ratio is not None and breaker.slow_after is not None:
            slow = f"{spell_share(breaker.slow_ratio)} slower than {time(breaker.slow_after)}"
        yield "breaker.slow_ratio", "or were slow", slow
        yield "breaker.open_for", "Breaker stays open for", time(breaker.open_for)
        yield "breaker.probes", "and closes after", f"{breaker.probes} probes"
    else:
        yield "breaker", "Breaker", "none"
    yield "bulkhead.concurrent", "Under way at once", _places(call)
    yield "quota", "Rate limit", f"{spell_rate(call.limit.rate)} an instance" if call.limit else "none"
    yield "hedge", "Second try beside a slow one", f"after {time(call.hedge.after)}" if call.hedge else "none"
    yield "fallback", "While it's open", call.fallback or "an error, at once"
    yield "layers", "Outermost first", ", ".join(call.layers)


def _places(call: CallPlan) -> str:
    return f"at most {call.bulkhead.concurrent} an instance" if call.bulkhead else "any number"


def _shares(policy: Policy) -> Table:
    """What each stack plays of what there is to play, outermost first."""
    there = list(dict.fromkeys(layer for call in policy.calls for layer in call.layers))
    rows = (
        (
            share.stack,
            share.kind,
            ", ".join(layer for layer in there if layer in share.parts) or "nothing",
            share.because,
        )
        for share in policy.shares
    )
    return table(("Stack", "Kind", "Plays", "Why"), rows)


def _checks(checks: Iterable[Check]) -> Table:
    rows = ((check.name, f"{check.tool} {check.version}", check.status, check.detail) for check in checks)
    return table(("Check", "Tool", "Result", "What was looked at"), rows)


def _what(policy: Policy, path: str) -> str:
    known = {
        POLICY_PAGE: "this page",
        DECISION_PAGE: "the decision, for the team's records",
        alerts.RULES: "alerts and recording rules for Prometheus",
        alerts.TESTS: "when they fire and when not: `promtool test rules alerts_test.yml`",
        experiment.PAGE: "how to prove the policy in staging",
        f"{policy.name}.breaker.yaml": "the spec as it was checked",
    }
    folders: dict[str, str] = {
        plots.FOLDER: "a picture of the simulation",
        experiment.FOLDER: "of the experiment",
        **{share.stack: f"the policy for {share.stack}" for share in policy.shares},
    }
    return known.get(path) or folders.get(path.partition("/")[0], "")


def _decision(policy: Policy, study: Study | None) -> dict[str, object]:
    call = policy.call
    when = f"An answer is of no use after {time(call.deadline)}. When {call.dependency} fails, it takes "
    when += f"{time(call.known.recovery_time)} to come back."
    question = f"How does {call.caller} stay answerable meanwhile, without being what keeps {call.dependency} down?"
    return {
        "title": f"How {policy.calls[0].caller} calls {call.dependency}",
        "context": [
            f"{_called(call)}, {spell_rate(call.known.rate)} at the busiest hour. {when} {question}",
            *(f"Not known, and {d.choice}: {d.about}." for d in policy.decisions if _assumed(d)),
        ],
        # What had an alternative has its reason beside it, in the table.
        "decisions": [
            (d.about, d.choice, "" if _others(d) else f" {d.because}") for d in policy.decisions if not _assumed(d)
        ],
        "alternatives": table(
            ("About", "Not taken", "Because"),
            ((d.about, "; ".join(_others(d)), d.because) for d in policy.decisions if _others(d)),
        ),
        "better": better(policy, study),
        "worse": worse(policy, study),
    }


def _others(decision: Decision) -> list[str]:
    """What was not taken; a usual figure that comes out as the choice is no alternative."""
    return [other for other in decision.instead_of if other.partition(",")[0] != decision.choice]


def _assumed(decision: Decision) -> bool:
    """Whether it was no choice: something wasn't known and was taken for true."""
    return decision.choice.startswith("taken to be ")

"""Prometheus rules: what of the policy is worth waking somebody for, by what each stack's metrics are really called.

Recording rules give every sign one name, `call:SIGN:...`, with the labels `call` and `stack`; alerts ask for these
alone, with thresholds from the policy. The rules' tests run each alert twice: in trouble, and when all is well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from halfopen.checkers import programs
from halfopen.quantities import spell_share
from halfopen.vocabulary import Artifact, Check
from halfopen.yaml_text import dump
from halfopen_generators.breaker.metrics import Sign, metrics
from halfopen_generators.breaker.openings import usual_errors
from halfopen_generators.breaker.plan import CallPlan, Kind, Layer, Policy, Share
from halfopen_generators.breaker.shown import time

FOLDER = "prometheus"
RULES = f"{FOLDER}/alerts.yml"
TESTS = f"{FOLDER}/alerts_test.yml"
PROMTOOL = programs.Program(
    "promtool", "it comes with Prometheus: apt-get install prometheus, or https://prometheus.io"
)
_YAML = "application/yaml"
_RATE = "5m"
# Longer than that nobody should wait before they look, however long the dependency takes to come back.
_LONGEST_OPEN = 3_600
# A breaker that closes and opens again that often has figures that don't fit, or a dependency that comes and goes.
_CYCLES = 3
# Of the budget: what is used up is refused, and a budget that holds is never seen beyond itself.
_USED_UP = 0.8
# The bulkhead was designed to refuse one call in a million.
_REFUSED = 0.01
# Times the error budget, over a long and a short window, then how long: Google's SRE Workbook, chapter 5,
# https://sre.google/workbook/alerting-on-slos/. Above nine tenths of all calls a threshold is as good as none.
_BURNS = (
    ("ErrorBudgetBurnsFast", 14.4, "1h", "5m", 120, "critical"),
    ("ErrorBudgetBurns", 6, "6h", "30m", 900, "warning"),
    ("ErrorBudgetBurnsSlowly", 1, "3d", "6h", 3_600, "warning"),
)
_MOST = 0.9
# Of the rules' tests, in seconds: a scrape each minute, and time to fill the ranges before an alert is waited for.
_STEP = 60
_SETTLED = 660
_NEAREST: tuple[Kind, ...] = ("library", "channel", "mesh")
# What plays the part that a sign tells of.
_OF: Mapping[Sign, Layer] = {"open": "breaker", "flaps": "breaker", "retries": "retry", "refused": "bulkhead"}
_TITLES: Mapping[Sign, str] = {
    "open": "breaker_open:ratio", "flaps": "breaker_cycles:count", "retries": f"retries:ratio_rate{_RATE}",
    "refused": f"refused:ratio_rate{_RATE}", "failed": "failed:ratio_rate",
}  # fmt: skip
_RECORDED = re.compile(r"call:[a-z0-9_]+:[a-z0-9_]+")


@dataclass(frozen=True)
class _Alert:
    """An alert of one call, and of one stack of it for its tests."""

    name: str
    sign: Sign
    ranges: tuple[str, ...]
    expr: str
    lasts: int  # seconds
    severity: str
    summary: str
    description: str


_Found = Sequence[tuple[CallPlan, Share, _Alert]]


def artifacts(policy: Policy) -> tuple[Artifact, ...]:
    """The rules and their tests; none if no stack has a metric for anything."""
    groups = [group for call in policy.calls for group in _groups(policy, call)]
    if not groups:
        return ()
    tests = list(_tests(policy))
    head = "\n".join(
        f"{share.stack}: names from {found.source}. Needs {found.needs}."
        for share, found in ((share, metrics(share.stack, policy.call)) for share in policy.shares)
    )
    tree = {"rule_files": [RULES.rpartition("/")[2]], "evaluation_interval": f"{_STEP}s", "tests": tests}
    return (
        Artifact(path=RULES, media_type=_YAML, text=dump({"groups": groups}, head=head)),
        Artifact(path=TESTS, media_type=_YAML, text=dump(tree, head="promtool test rules alerts_test.yml")),
    )


def checks(policy: Policy, files: Iterable[Artifact]) -> Iterator[Check]:
    """What promql-parser and promtool say of them; nothing where there are none."""
    texts = {file.path: file.text for file in files if file.path in (RULES, TESTS)}
    if RULES not in texts:
        return
    looked_at = f"{RULES}, with the thresholds of {', '.join(call.name for call in policy.calls)}"
    objections = "\n".join(_objections(texts[RULES])) or None
    yield programs.answer("expressions are PromQL", "promql-parser", version("promql-parser"), objections, looked_at)
    yield programs.check("Prometheus takes the rules", PROMTOOL, ("check", "rules", RULES), texts=texts,
                         looked_at=looked_at)  # fmt: skip
    yield programs.check("alerts fire in trouble, and not when all is well", PROMTOOL, ("test", "rules", TESTS),
                         texts=texts, looked_at=TESTS)  # fmt: skip


def _objections(text: str) -> Iterator[str]:
    """Expressions that are no PromQL, and names that alerts ask for and no rule records."""
    import promql_parser  # noqa: PLC0415 - only checking needs it
    import yaml  # noqa: PLC0415 - as above

    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        try:
            promql_parser.parse(rule["expr"])
        except ValueError as error:
            yield f"{name}: {error} in {rule['expr']}"
        for asked in _RECORDED.findall(rule["expr"]):
            if asked not in recorded:
                yield f"{name}: no rule records {asked}"


def _groups(policy: Policy, call: CallPlan) -> Iterator[dict[str, Any]]:
    told: dict[tuple[str, tuple[str, ...]], _Alert] = {}
    for share in policy.shares:
        alerts = list(_alerts(policy, call, share))
        rules = [rule for sign, w in _recorded(alerts) for rule in _record(call, share, sign, w)]
        if rules:
            yield {"name": f"{call.name}-{share.stack}", "rules": rules}
        told |= {(alert.name, alert.ranges): alert for alert in alerts}
    if told:
        yield {"name": f"{call.name}-alerts", "rules": [_rule(alert) for alert in told.values()]}


def _recorded(alerts: Iterable[_Alert]) -> list[tuple[Sign, str]]:
    """The signs that these alerts ask for, each with its range, once."""
    return list(dict.fromkeys((alert.sign, w) for alert in alerts for w in alert.ranges))


def _record(call: CallPlan, share: Share, sign: Sign, w: str) -> Iterator[dict[str, Any]]:
    signal = metrics(share.stack, call).signals[sign]
    labels = {"call": call.name, "stack": share.stack}
    yield {"record": _named(sign, w), "expr": signal.expr.replace("$w", w), "labels": labels}


def _named(sign: Sign, w: str) -> str:
    return f"call:{_TITLES[sign]}{w if sign == 'failed' else ''}"


def _rule(alert: _Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": f"{alert.lasts}s",
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.description},
    }


def _alerts(policy: Policy, call: CallPlan, share: Share) -> Iterator[_Alert]:
    """Those that this stack's metrics can raise, of what it plays."""
    known = metrics(share.stack, call)
    there = {sign for sign, layer in _OF.items() if layer in share.parts and layer in call.layers}
    # Whether the caller got its answer is seen by what stands nearest to it.
    if share.kind == _leader(policy):
        there.add("failed")
    for sign in known.signals:
        if sign in there:
            yield from _MADE[sign](policy, call)


def _leader(policy: Policy) -> Kind:
    kinds = [share.kind for share in policy.shares]
    return next(kind for kind in _NEAREST if kind in kinds)


def _open(_: Policy, call: CallPlan) -> Iterator[_Alert]:
    if call.breaker is None:
        return
    expected = call.known.recovery_time + call.breaker.open_for
    lasts = min(_LONGEST_OPEN, math.ceil(expected))
    why = "longer than the recovery time and one open time" if lasts >= expected else "however long it takes, look"
    yield _Alert(
        name="BreakerOpenTooLong",
        sign="open",
        ranges=(_RATE,),
        expr=f'{_named("open", _RATE)}{{call="{call.name}"}} > 0',
        lasts=lasts,
        severity="critical" if call.criticality == "critical" else "warning",
        summary=f"{call.caller} has not got through to {call.dependency} for {time(lasts)}.",
        description=(
            f"A breaker or host of {call.operation} has let no call through for {time(lasts)}: {why}. "
            f"{_meanwhile(call)} See whether {call.dependency} is down or only unreachable from here; "
            "don't raise limits or force the breaker closed while it is down."
        ),
    )


def _meanwhile(call: CallPlan) -> str:
    return f"Callers get the fallback ({call.fallback})." if call.fallback else "Callers get an error at once."


def _flaps(_: Policy, call: CallPlan) -> Iterator[_Alert]:
    if call.breaker is None:
        return
    w = f"{max(600, math.ceil(20 * call.breaker.open_for))}s"
    yield _Alert(
        name="BreakerFlaps",
        sign="flaps",
        ranges=(w,),
        expr=f'{_named("flaps", w)}{{call="{call.name}"}} > {_CYCLES}',
        lasts=60,
        severity="warning",
        summary=f"The breaker of {call.caller} for {call.dependency} closes and opens again and again.",
        description=(
            f"More than {_CYCLES} times within {w}. Either {call.dependency} comes and goes (look for restarts, a bad "
            f"host or shard), or {call.breaker.probes} probes say it is well and the full load says it is not: let it "
            "warm up, or lengthen the time for which the breaker stays open."
        ),
    )


def _retries(_: Policy, call: CallPlan) -> Iterator[_Alert]:
    if call.retry is None:
        return
    yield _Alert(
        name="RetryBudgetUsedUp",
        sign="retries",
        ranges=(_RATE,),
        expr=f'{_named("retries", _RATE)}{{call="{call.name}"}} > {_USED_UP * call.retry.budget:.4g}',
        lasts=300,
        severity="warning",
        summary=f"{call.caller} retries {call.operation} nearly as often as its budget lets it, or more often.",
        description=(
            f"The budget is {spell_share(call.retry.budget)} of the calls; this is {_USED_UP:.0%} of it. "
            f"Find what fails in {call.dependency} before it drowns in retries. Where the figure is above the budget, "
            "something retries that should not: a second layer, or a stack that has no budget."
        ),
    )


def _refused(_: Policy, call: CallPlan) -> Iterator[_Alert]:
    if call.bulkhead is None:
        return
    yield _Alert(
        name="BulkheadRefuses",
        sign="refused",
        ranges=(_RATE,),
        expr=f'{_named("refused", _RATE)}{{call="{call.name}"}} > {_REFUSED:g}',
        lasts=300,
        severity="warning",
        summary=f"{call.caller} refuses calls of {call.operation}: {call.bulkhead.concurrent} places are taken.",
        description=(
            f"When all is well this happens to one call in a million. Compare latency and traffic with the design "
            f"(p99 {time(call.known.p99)}, {call.known.each:.3g} calls a second of one instance): if {call.dependency} "
            "is slow, the bulkhead does what it is for; if traffic grew, design anew with the new figures."
        ),
    )


def _failed(policy: Policy, call: CallPlan) -> Iterator[_Alert]:
    """The error budget where there is an objective; else what fails without opening the breaker."""
    goal = policy.objective.goodput
    if goal is not None and goal < 1:
        yield from _burning(call, goal)
        return
    usual = max(0.001, usual_errors(call.known, call.timeout))
    opens = call.breaker.failure_ratio if call.breaker else 1.0
    if usual >= opens:
        return
    threshold = f"{math.sqrt(usual * opens):.2g}"
    yield _Alert(
        name="CallsFailUnderTheBreaker",
        sign="failed",
        ranges=(_RATE,),
        expr=f'{_named("failed", _RATE)}{{call="{call.name}"}} > {threshold}',
        lasts=300,
        severity="warning",
        summary=f"More calls of {call.operation} fail than usual; the breaker doesn't open for so few.",
        description=(
            f"Usually {spell_share(float(f'{usual:.2g}'))} fail, and the breaker opens at {spell_share(opens)}: in "
            f"between nothing else tells. Look for one bad host or shard of {call.dependency}, or one kind of request."
        ),
    )


def _burning(call: CallPlan, goal: float) -> Iterator[_Alert]:
    budget = round(1 - goal, 9)
    for name, factor, long, short, lasts, severity in _BURNS:
        threshold = f"{factor * budget:.4g}"
        if float(threshold) > _MOST:
            continue
        both = " and ".join(f'{_named("failed", w)}{{call="{call.name}"}} > {threshold}' for w in (long, short))
        yield _Alert(
            name=name,
            sign="failed",
            ranges=(long, short),
            expr=both,
            lasts=lasts,
            severity=severity,
            summary=f"{call.operation} uses up its error budget {factor:g} times as fast as it may.",
            description=(
                f"The objective is {spell_share(goal)} answered well within {time(call.deadline)}; over {long} more "
                f"than {spell_share(float(threshold))} were not. {_meanwhile(call)} Find out whether "
                f"{call.dependency} fails or is late, and what changed."
            ),
        )


_MADE: Mapping[Sign, Callable[[Policy, CallPlan], Iterator[_Alert]]] = {
    "open": _open, "flaps": _flaps, "retries": _retries, "refused": _refused, "failed": _failed,
}  # fmt: skip


def _tests(policy: Policy) -> Iterator[dict[str, Any]]:
    """Each alert fires in its trouble, for each call and stack that can tell of it; none does when all is well."""
    found = [(call, share, alert) for call in policy.calls for share in policy.shares
             for alert in _alerts(policy, call, share)]  # fmt: skip
    names = list(dict.fromkeys(alert.name for _, _, alert in found))
    for name in names:
        yield _test(f"{name} in trouble", [each for each in found if each[2].name == name], [name], sick=True)
    yield _test("nothing when all is well", found, names, sick=False)


def _test(title: str, found: _Found, names: Iterable[str], *, sick: bool) -> dict[str, Any]:
    until = max(alert.lasts for _, _, alert in found) + _SETTLED
    samples = {
        sample.series: _values(sample.sick if sick else sample.well, until)
        for call, share, alert in found
        for sample in metrics(share.stack, call).signals[alert.sign].samples
    }
    fired = [
        {
            "exp_labels": {"severity": alert.severity, "call": call.name, "stack": share.stack},
            "exp_annotations": {"summary": alert.summary, "description": alert.description},
        }
        for call, share, alert in found
    ]
    return {
        "name": title,
        "interval": f"{_STEP}s",
        "input_series": [{"series": series, "values": values} for series, values in samples.items()],
        "alert_rule_test": [
            {"eval_time": f"{until}s", "alertname": name, "exp_alerts": fired if sick else []} for name in names
        ],
    }


def _values(said: str, until: int) -> str:
    """The samples in promtool's notation, up to that second."""
    steps = until // _STEP + 2
    if said == "~":
        return " ".join(["1", "0"] * (steps // 2 + 1))
    return f"{said[1:]}x{steps}" if said[0] == "=" else f"0+{said[1:]}x{steps}"

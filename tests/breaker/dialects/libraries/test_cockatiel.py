from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from inline_snapshot import snapshot

from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan
from tests.breaker.dialects.libraries.laws import (
    everything,
    files,
    left_out,
    replaced,
    retrying_rejections,
    unnoticed,
    wrong,
)
from tests.breaker.plans import BREAKER, call, calls

STACK = "cockatiel"


@given(calls())
@settings(max_examples=60, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize("plan", [everything(), retrying_rejections(), call(retry=None, breaker=None, bulkhead=None)])
def test_the_extremes_too(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


def test_what_it_has_no_word_for_is_told() -> None:
    assert left_out(STACK, call()) == set()
    assert left_out(STACK, call(breaker=dataclasses.replace(BREAKER, window="count", size=30))) == set()
    assert left_out(STACK, everything()) == {"hedge_after", "slow_after", "slow_ratio"}


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot({"minimumRps: atLeast(20, 10000),"})


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ([("    call = through(this.breaker, call);\n", ""),
          ("    call = through(this.retries, call);\n",
           "    call = through(this.retries, call);\n    call = through(this.breaker, call);\n")], "layers"),
        ([("    call = through(this.bulkhead, call);\n", "")], "layers"),
        ([("    call = within(this.overall, call);\n", "")], "overall"),
        # An operation that heeds its signal would evade it.
        ([("    call = within(this.each, call);\n", "    call = through(this.each, call);\n")], "layers"),
        ([("timeout(TRY_MS, TimeoutStrategy.Aggressive)", "timeout(TRY_MS, TimeoutStrategy.Cooperative)")], "per_try"),
        ([("const RETRIED = handleType(Unreached)", "const RETRIED = handleType(BrokenCircuitError)")], "retries_open"),
        ([("retry(RETRIED, ", "retry(handleAll, ")], "retries_open"),
        ([("const RETRIED = handleType(Unreached)", "const RETRIED = handleWhen(isGone)")], "retried_on"),
        ([("const RETRIED = handleType(Unreached)", "const RETRIED = handleType(Error)")], "retries_open"),
        ([("const FAILURES = handleType(Unreached)", "const FAILURES = handleType(RateExceeded)")], "failure_ratio"),
        ([('jitter: "full" };', 'jitter: "none" };')], "jitter"),
        ([("Math.random() * longest", "longest")], "jitter"),
        ([("    this.budget.earn();\n", "")], "budget"),
        ([("justBelow(0.5),\n      duration", "0.5,\n      duration")], "failure_ratio"),
        ([("calls: 3, threshold: justBelow(0.5)", "calls: 3, threshold: justBelow(0.25)")], "probes"),
        ([("    halfOpenSampling: { calls: 3, threshold: justBelow(0.5) },\n", "")], "probes"),
        ([("atLeast(20, 10000)", "2")], None),
        ([("atLeast(20, 10000)", "3")], "minimum_calls"),
        ([("      minimumRps: atLeast(20, 10000),\n", "")], "minimum_calls"),
        ([("bulkhead(13, 0)", "bulkhead(13, 1)")], "concurrent"),
        # Its exponent would not be heeded.
        ([("backoff: sparing(WAITS, this.budget)",
           "backoff: new ExponentialBackoff({ generator: fullJitterGenerator, exponent: 1.5 })")], "factor"),
        ([(".orType(BrokenCircuitError)", "")], "layers"),
    ],
)  # fmt: skip
def test_a_change_by_hand_is_seen(changes: list[tuple[str, str]], term: str | None) -> None:
    plan = everything()
    assert wrong(STACK, plan) == []
    found = wrong(STACK, plan, replaced(files(STACK, plan), *changes))
    terms = [sentence.partition(":")[0] for sentence in found]
    assert term in terms if term else terms == []


def test_comments_and_layout_mean_nothing() -> None:
    plan = everything()
    texts = replaced(
        files(STACK, plan),
        ("  guard<A>(call: Call<A>)", "  // Here it is.\n  guard<A>(\n    call: Call<A>)"),
        ("OVERALL_MS = 2000", "OVERALL_MS = 2_000"),
        ("/** So many calls begin", "/** Some calls begin"),
    )
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("{", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

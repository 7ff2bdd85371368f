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

STACK = "opossum"
PROBED_ONCE = dataclasses.replace(BREAKER, probes=1)


@given(calls())
@settings(max_examples=60, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize("plan", [everything(), retrying_rejections(), call(retry=None, breaker=None, bulkhead=None)])
def test_the_extremes_too(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


def test_what_it_has_no_word_for_is_told() -> None:
    assert left_out(STACK, call(breaker=PROBED_ONCE)) == set()
    assert left_out(STACK, everything()) == {"hedge_after", "probes", "slow_after", "slow_ratio"}
    counted = call(breaker=dataclasses.replace(PROBED_ONCE, window="count"))
    assert left_out(STACK, counted) == {"window", "size"}
    graves = {unsaid.terms: unsaid.grave for unsaid in dialect(STACK).unsaid(everything())}
    # A try that lasts between 0.7 and 0.9 s is slow, and no failure.
    assert graves[("slow_ratio", "slow_after")]


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot({"rollingCountTimeout: 10000,"})


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ([("    call = broken(this.breaker, call);\n", ""),
          ("    call = retried(RETRY, this.budget, call);\n",
           "    call = retried(RETRY, this.budget, call);\n    call = broken(this.breaker, call);\n")], "layers"),
        ([("    call = this.bulkhead.guard(call);\n", "")], "layers"),
        ([("    call = deadline(OVERALL_MS, call);\n", "")], "overall"),
        ([("on: [Unreached, ", "on: [Rejected, Unreached, ")], "retries_open"),
        ([("on: [Unreached, ", "on: [Error, Unreached, ")], "retries_open"),
        ([("on: [Unreached, Unavailable, TimedOut]", "on: [Unreached, Unavailable]")], "retried_on"),
        ([("class BreakerOpen extends Rejected", "class BreakerOpen extends Unavailable")], "layers"),
        ([('jitter: "full",\n', 'jitter: "none",\n')], "jitter"),
        ([("Math.random() * longest", "longest")], "layers"),
        ([("    this.budget.earn();\n", "")], "budget"),
        ([("justBelow(50)", "50")], "failure_ratio"),
        ([("    errorFilter: isNoFailure,\n", "")], "failure_ratio"),
        ([("    timeout: false,\n", "")], "open_for"),
        ([("    resetTimeout: 5000,\n", "")], "open_for"),
        ([("    volumeThreshold: 20,\n", "")], "minimum_calls"),
        ([("    rollingCountTimeout: 10000,\n", "    rollingCountTimeout: 20000,\n")], "size"),
        ([("throw new BulkheadFull", "console.log")], "layers"),
        ([("[...FAILURES, Rejected]", "[...FAILURES]")], "layers"),
    ],
)  # fmt: skip
def test_a_change_by_hand_is_seen(changes: list[tuple[str, str]], term: str) -> None:
    plan = everything(breaker=PROBED_ONCE)
    assert wrong(STACK, plan) == []
    found = wrong(STACK, plan, replaced(files(STACK, plan), *changes))
    assert term in [sentence.partition(":")[0] for sentence in found]


def test_comments_and_layout_mean_nothing() -> None:
    plan = everything()
    texts = replaced(
        files(STACK, plan),
        ("  guard<A>(call: Call<A>)", "  // Here it is.\n  guard<A>(\n    call: Call<A>)"),
        ("OVERALL_MS = 2000", "OVERALL_MS = 2_000"),
        ("/** So many calls at once.", "/** Some calls at once."),
    )
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("{", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

"""Polly's C# is not compiled for want of a .NET SDK; tree-sitter parses it, and an error in it is one to the reader."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from inline_snapshot import snapshot

from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan, TimeoutPlan
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

STACK = "polly"
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
    assert left_out(STACK, everything()) == {"probes", "slow_after", "slow_ratio"}
    assert left_out(STACK, call(breaker=dataclasses.replace(PROBED_ONCE, window="count"))) == {"window", "size"}


def test_what_it_refuses_to_build_is_told() -> None:
    small = dataclasses.replace(PROBED_ONCE, size=0.2, minimum_calls=1, open_for=0.1)
    plan = call(breaker=small, timeout=TimeoutPlan(0.005, 0.008))
    assert left_out(STACK, plan) == {"size", "minimum_calls", "open_for", "per_try", "overall"}
    texts = "".join(files(STACK, plan).values())
    assert "SamplingDuration = TimeSpan.FromMilliseconds(500)" in texts
    assert "MinimumThroughput = 2," in texts


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot(set())


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        # The order.
        ([(".AddRetry(", "§"), (".AddCircuitBreaker(", ".AddRetry("), ("§", ".AddCircuitBreaker(")], "layers"),
        ([("            .AddConcurrencyLimiter(13, 0)\n", "")], "layers"),
        ([("            .AddTimeout(TimeSpan.FromMilliseconds(2000))\n", "")], "overall"),
        ([("FromMilliseconds(2000)", "§"), ("FromMilliseconds(900)", "FromMilliseconds(2000)"),
          ("§", "FromMilliseconds(900)")], "per_try"),
        ([("return failure is UnreachedException or", "return failure is BrokenCircuitException or")], "retries_open"),
        ([("return failure is UnreachedException or", "return failure is ExecutionRejectedException or")],
         "retries_open"),
        ([("return failure is UnreachedException or UnavailableException or TimeoutRejectedException;",
           "return failure is UnreachedException or UnavailableException;")], "retried_on"),
        ([("return failure is UnreachedException or UnavailableException or TimeoutRejectedException;",
           "return failure is not null;")], "retried_on"),
        ([("IsRetried(args.Outcome.Exception)", "args.Outcome.Exception != null")], "retries_open"),
        ([("args.AttemptNumber < 3 && ", "")], "budget"),
        ([(" && _budget.Spend()),", "),")], "budget"),
        ([("        _budget.Earn();\n", "")], "budget"),
        ([("Waits.Drawn(", "Waits.Grown(")], "jitter"),
        ([("Random.Shared.NextDouble() * ", "")], "jitter"),
        ([("    .Handle<TimeoutRejectedException>(),", "    .HandleInner<Exception>(),")],
         "failure_ratio"),
        ([("                FailureRatio = 0.5,\n", "")], "failure_ratio"),
        ([("                SamplingDuration = TimeSpan.FromMilliseconds(10000),\n", "")], "size"),
        ([("                MinimumThroughput = 20,\n", "")], "minimum_calls"),
        # What is Polly's own default too.
        ([("                BreakDuration = TimeSpan.FromMilliseconds(5000),\n", "")], None),
        ([(".AddConcurrencyLimiter(13, 0)", ".AddConcurrencyLimiter(13, 5)")], "concurrent"),
        ([("QueueLimit = 0", "QueueLimit = 9")], "rate"),
        ([("ShouldHandle = new PredicateBuilder<TAnswer>().Handle<RateLimiterRejectedException>(),", "")],
         "hedge_after"),
        ([("MaxRetryAttempts = 3,", "")], None),
        ([("                MaxRetryAttempts = 3,\n", "                MaxRetryAttempts = 2,\n")], "attempts"),
        ([("UnavailableException or ExecutionRejectedException)", "UnavailableException)")], "layers"),
        ([(" when (failure is UnreachedException or UnavailableException or ExecutionRejectedException)", "")],
         "layers"),
    ],
)  # fmt: skip
def test_a_change_by_hand_is_seen(changes: list[tuple[str, str]], term: str | None) -> None:
    plan = everything(breaker=PROBED_ONCE)
    assert wrong(STACK, plan) == []
    found = wrong(STACK, plan, replaced(files(STACK, plan), *changes))
    terms = [sentence.partition(":")[0] for sentence in found]
    assert term in terms if term else terms == []


def test_the_same_said_otherwise_is_the_same() -> None:
    plan = everything(breaker=PROBED_ONCE)
    texts = replaced(
        files(STACK, plan),
        ("TimeSpan.FromMilliseconds(2000)", "TimeSpan.FromSeconds(2)"),
        (".AddConcurrencyLimiter(13, 0)", ".AddConcurrencyLimiter(13)"),
        ("    public void Earn()", "    // Here it is.\n    public void Earn( )"),
    )
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("{", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

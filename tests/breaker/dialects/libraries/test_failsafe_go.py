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

STACK = "failsafe-go"


@given(calls())
@settings(max_examples=60, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize("plan", [everything(), retrying_rejections(), call(retry=None, breaker=None, bulkhead=None)])
def test_the_extremes_too(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


def test_what_it_has_no_word_for_is_told() -> None:
    assert left_out(STACK, call()) == set()
    assert left_out(STACK, everything()) == {"slow_after", "slow_ratio"}
    counted = dataclasses.replace(BREAKER, window="count", size=30)
    assert left_out(STACK, call(breaker=counted)) == {"minimum_calls"}
    assert left_out(STACK, call(breaker=dataclasses.replace(counted, minimum_calls=30))) == set()


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot(set())


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ([("\t\tc.retries,\n", ""), ("\t\tc.breaker,\n", "\t\tc.breaker,\n\t\tc.retries,\n")], "layers"),
        ([("\t\tc.places,\n", "")], "layers"),
        ([("\t\tc.deadline,\n", "")], "overall"),
        ([("\t\tc.deadline,\n", "\t\tc.try,\n"), ("\t\tc.limit,\n\t\tc.places,\n\t\tc.try,\n",
           "\t\tc.limit,\n\t\tc.places,\n\t\tc.deadline,\n")], "per_try"),
        ([("sheds.\n\t\t\tHandleErrors(ErrUnreached, ", "sheds.\n\t\t\tHandleErrors(circuitbreaker.ErrOpen, ")],
         "retries_open"),
        ([("sheds.\n\t\t\tHandleErrors(ErrUnreached, ErrUnavailable, timeout.ErrExceeded).\n", "\n")], "retries_open"),
        ([("sheds.\n\t\t\tHandleErrors(ErrUnreached, ", "sheds.\n\t\t\tHandleErrors(")], "retried_on"),
        ([("like any other.\n\t\t\tHandleErrors(ErrUnreached, ErrUnavailable, timeout.ErrExceeded).\n", "\n")],
         "failure_ratio"),
        ([("\t\t\tWithMaxAttempts(4).\n", "")], "attempts"),
        ([("drawn[A]", "grown[A]")], "jitter"),
        ([("rand.Float64() * float64", "float64")], "jitter"),
        ([("\t\t\tWithDelayFunc(drawn[A](100*time.Millisecond, 1.5, 200*time.Millisecond)).\n",
           "\t\t\tWithBackoffFactor(100*time.Millisecond, 200*time.Millisecond, 1.5).WithJitterFactor(0.5).\n")],
         "jitter"),
        ([("\t\t\tWithBudget(spare).\n\t\t\tReturn", "\t\t\tReturn")], "budget"),
        ([(".WithMinConcurrency(1)", "")], "budget"),
        ([(".WithMaxRate(0.25)", "")], "budget"),
        ([("WithFailureRateThreshold(0.5, 20, 10000*time.Millisecond)", "WithFailureThreshold(20)")], "failure_ratio"),
        ([("\t\t\tWithDelay(5000*time.Millisecond).\n", "")], "open_for"),
        ([("\t\t\tWithSuccessThresholdRatio(2, 3).\n", "")], "probes"),
        ([("WithSuccessThresholdRatio(2, 3)", "WithSuccessThresholdRatio(1, 3)")], "probes"),
        ([("bulkhead.New[A](13)", "bulkhead.NewBuilder[A](13).WithMaxWaitTime(time.Second).Build()")], "concurrent"),
        ([("CancelIf(settled[A]).\n\t\t\tBuild", "Build")], "hedge_after"),
        ([("\t\t\tcircuitbreaker.ErrOpen,\n", "")], "layers"),
    ],
)  # fmt: skip
def test_a_change_by_hand_is_seen(changes: list[tuple[str, str]], term: str) -> None:
    plan = everything()
    found = wrong(STACK, plan, replaced(files(STACK, plan), *changes))
    assert term in [sentence.partition(":")[0] for sentence in found]


def test_the_same_said_otherwise_is_the_same() -> None:
    plan = everything()
    texts = replaced(
        files(STACK, plan),
        ("timeout.New[A](2000 * time.Millisecond)", "timeout.New[A](2 * time.Second)"),
        ("WithMaxAttempts(4)", "WithMaxRetries(3)"),
        ("WithDelayFunc(drawn[A](100*time.Millisecond, 1.5, 200*time.Millisecond))",
         "WithBackoffFactor(50*time.Millisecond, 100*time.Millisecond, 1.5).WithJitterFactor(1)"),
    )  # fmt: skip
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("{", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

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

STACK = "gobreaker"


@given(calls())
@settings(max_examples=60, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize("plan", [everything(), retrying_rejections(), call(retry=None, breaker=None, bulkhead=None)])
def test_the_extremes_too(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


def test_what_it_has_no_word_for_is_told() -> None:
    assert left_out(STACK, call()) == set()
    assert left_out(STACK, everything()) == {"hedge_after", "slow_after", "slow_ratio"}
    counted = call(breaker=dataclasses.replace(BREAKER, window="count"))
    assert left_out(STACK, counted) == {"window", "size"}


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot({"BucketPeriod: 10000 * time.Millisecond / 10,"})


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ([("\tcall = broken(c.breaker, call)\n", ""),
          ("\tcall = retried(paymentChargeCardRetry, c.budget, call)\n",
           "\tcall = retried(paymentChargeCardRetry, c.budget, call)\n\tcall = broken(c.breaker, call)\n")], "layers"),
        ([("\tcall = placed(c.places, call)\n", "")], "layers"),
        ([("\tcall = within(paymentChargeCardOverall, ErrDeadline, call)\n", "")], "overall"),
        # Then it would be no failure of a try.
        ([("within(paymentChargeCardTry, ErrTimedOut, call)", "within(paymentChargeCardTry, ErrDeadline, call)")],
         "per_try"),
        ([("On: []error{ErrUnreached, ", "On: []error{gobreaker.ErrOpenState, ErrUnreached, ")], "retries_open"),
        ([("On: []error{ErrUnreached, ErrUnavailable, ErrTimedOut}", "On: []error{ErrUnreached, ErrUnavailable}")],
         "retried_on"),
        ([("RandomizationFactor: 1,", "RandomizationFactor: 0.5,")], "jitter"),
        ([("100 * time.Millisecond / 2", "100 * time.Millisecond")], "first_wait"),
        ([("\tc.budget.Earn()\n", "")], "budget"),
        ([("saved: mostSaved", "saved: 0")], "budget"),
        ([("\t\t\tIsExcluded:   isExcluded,\n", "")], "failure_ratio"),
        ([("opensAt(20, 0.5)", "nil")], "failure_ratio"),
        ([("\t\t\tBucketPeriod: 10000 * time.Millisecond / 10,\n", "")], "window"),
        ([("\t\t\tInterval:     10000 * time.Millisecond,\n", "")], "window"),
        ([("\t\t\tTimeout:      5000 * time.Millisecond,\n", "")], "open_for"),
        ([("rate.NewLimiter(50, 50)", "rate.NewLimiter(50, 500)")], "rate"),
        ([("gobreaker.ErrOpenState, gobreaker.ErrTooManyRequests", "gobreaker.ErrOpenState")], "layers"),
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
        ("= 2000 * time.Millisecond", "= 2 * time.Second"),
        ("// within gives the call so long.", "// Here it is.\n//\n// within gives the call so long."),
        ("c.budget", "p.budget"),
        ("c.breaker", "p.breaker"),
        ("c.places", "p.places"),
        ("c.limiter", "p.limiter"),
        ("func (c *", "func (p *"),
    )
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("{", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

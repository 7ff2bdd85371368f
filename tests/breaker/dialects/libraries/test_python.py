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
from tests.breaker.plans import RETRY, call, calls

STACK = "python"


@given(calls())
@settings(max_examples=60, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize(
    "plan",
    [
        everything(),
        everything(retry=None),
        retrying_rejections(),
        call(retry=dataclasses.replace(RETRY, on=("unreached",), jitter="none")),
        call(retry=None, breaker=None, bulkhead=None),
    ],
)
def test_the_extremes_too(plan: CallPlan) -> None:
    plan = dataclasses.replace(plan, layers=tuple(layer for layer in plan.layers if layer != "retry" or plan.retry))
    assert wrong(STACK, plan) == []


def test_nothing_is_left_out() -> None:
    assert left_out(STACK, everything()) == set()


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot(set())


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        (
            [
                ("        call = self.breaker.guard(call)\n", ""),
                ("call = retried(self._retrying, call)\n",
                 "call = retried(self._retrying, call)\n        call = self.breaker.guard(call)\n"),
            ],
            "layers",
        ),
        ([("        call = self._bulkhead.guard(call)\n", "")], "layers"),
        ([("call = within(OVERALL_SECONDS, call)", "pass")], "overall"),
        ([("within(TRY_SECONDS", "within(§"), ("within(OVERALL_SECONDS", "within(TRY_SECONDS"),
          ("within(§", "within(OVERALL_SECONDS")], "per_try"),
        ([("RETRIED = (Unreached,", "RETRIED = (Rejected, Unreached,")], "retries_open"),
        ([("            retry=retry_if_exception_type(RETRIED),\n", "")], "retries_open"),
        ([("RETRIED = (Unreached, Unavailable, TimeoutError)", "RETRIED = (Unreached, Unavailable)")], "retried_on"),
        ([("RETRIED = (Unreached, Unavailable, TimeoutError)", "RETRIED = OSError")], "retried_on"),
        ([("class BreakerOpen(Rejected)", "class BreakerOpen(Unavailable)")], "retries_open"),
        ([("stop_any(stop_after_attempt(4), self._budget)", "stop_after_attempt(4)")], "budget"),
        ([("        self._budget.earn()\n", "")], "budget"),
        ([("wait_random_exponential", "wait_exponential")], "jitter"),
        ([("                max=0.2,\n", "")], "longest_wait"),
        ([("time_period=1", "time_period=2")], "rate"),
        ([(", time_period=1", "")], "rate"),
        ([("FAILURES = (Unreached, Unavailable, TimeoutError)", "FAILURES = (Unreached, TimeoutError)")],
         "failure_ratio"),
        ([("            raise BulkheadFull", "            await asyncio.sleep(1)")], "layers"),
        ([("asyncio.timeout(seconds)", "asyncio.timeout(None)")], "layers"),
        ([("except (*FAILURES, Rejected) as", "except FAILURES as")], "layers"),
    ],
)  # fmt: skip
def test_a_change_by_hand_is_seen(changes: list[tuple[str, str]], term: str) -> None:
    plan = everything()
    found = wrong(STACK, plan, replaced(files(STACK, plan), *changes))
    assert term in [sentence.partition(":")[0] for sentence in found]


def test_comments_and_layout_mean_nothing() -> None:
    plan = everything()
    texts = replaced(
        files(STACK, plan),
        ("    async def limited() -> Answer:\n", "    # No comment.\n\n    async def limited() -> Answer:\n"),
        ('"""So many calls at once.', '"""Some calls at once.'),
        ("OVERALL_SECONDS = 2\n", "OVERALL_SECONDS = 2.0  # seconds\n"),
    )
    assert wrong(STACK, plan, texts) == []


def test_what_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace("(", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="not Python"):
        dialect(STACK).read(texts)

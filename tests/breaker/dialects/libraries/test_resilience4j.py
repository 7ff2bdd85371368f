from __future__ import annotations

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
from tests.breaker.plans import call, calls

STACK = "resilience4j"


@given(calls())
@settings(max_examples=40, deadline=None)
def test_what_is_said_is_what_is_read(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


@pytest.mark.parametrize("plan", [everything(), retrying_rejections(), call(retry=None, breaker=None, bulkhead=None)])
def test_the_extremes_too(plan: CallPlan) -> None:
    assert wrong(STACK, plan) == []


def test_only_hedging_is_left_out() -> None:
    assert left_out(STACK, everything()) == {"hedge_after"}
    assert left_out(STACK, call()) == set()


def test_no_figure_is_changed_unseen() -> None:
    assert unnoticed(STACK, everything()) == snapshot(
        {
            ": -1L)",
            "if (saved < 1) {",
            "private static final double MOST_SAVED = 10;",
            "private static final long serialVersionUID = 1L;",
        }
    )


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        # The order.
        (
            [
                ("call = CircuitBreaker.decorateCallable(policy.breaker(), call);", "§"),
                ("call = Retry.decorateCallable(policy.retry(), call);",
                 "call = CircuitBreaker.decorateCallable(policy.breaker(), call);"),
                ("§", "call = Retry.decorateCallable(policy.retry(), call);"),
            ],
            "layers",
        ),
        ([("call = Bulkhead.decorateCallable(policy.bulkhead(), call);", "")], "layers"),
        ([("call = within(policy.deadline(), call);", "")], "overall"),
        # The two time limiters the wrong way round.
        ([("policy.timeout(), call", "§"), ("policy.deadline(), call", "policy.timeout(), call"),
          ("§", "policy.deadline(), call")], "per_try"),
        # The rejection: in both, in one, and by a class above it.
        (
            [
                ("          - io.github.resilience4j.circuitbreaker.CallNotPermittedException\n", ""),
                ("          - java.net.ConnectException\n", "          - java.lang.RuntimeException\n"),
            ],
            "retries_open",
        ),
        ([("                        CallNotPermittedException.class,\n                        BulkheadFull",
           "                        BulkheadFull"),
          ("                .retryExceptions(\n                        ConnectException",
           "                .retryExceptions(\n                        RuntimeException")], "retries_open"),
        ([("        retry-exceptions:\n          - java.net.ConnectException\n", "        asked-by-nobody:\n")],
         "retried_on"),
        ([("          - java.util.concurrent.TimeoutException\n", "")], "retried_on"),
        # What the breaker counts.
        ([("        record-exceptions:\n          - java.net.ConnectException\n",
           "        record-exceptions:\n          - java.lang.Exception\n")], "failure_ratio"),
        ([("                .recordExceptions(\n                        ConnectException.class,\n",
           "                .recordExceptions(\n")], "failure_ratio"),
        # The library's own defaults, for what isn't said.
        ([("        sliding-window-type: TIME_BASED\n", "")], "window"),
        ([("        minimum-number-of-calls: 20\n", "")], "minimum_calls"),
        ([("        slow-call-duration-threshold: 700ms\n", "")], "slow_after"),
        ([("        enable-exponential-backoff: true\n", "")], "factor"),
        ([("        exponential-max-wait-duration: 200ms\n", "")], "longest_wait"),
        ([("        enable-exponential-backoff: true\n",
           "        enable-exponential-backoff: true\n        enable-randomized-wait: true\n")], "jitter"),
        # What our own code adds.
        ([("ThreadLocalRandom.current().nextLong(longest.apply(attempt, outcome) + 1)",
           "longest.apply(attempt, outcome)")], "jitter"),
        ([("budget.spend()\n", "true\n")], "budget"),
        ([("policy.budget().earn();", "")], "budget"),
        ([("saved + share", "saved + 1")], "budget"),
        ([("return limit.executeFutureSupplier(() -> running);", "return running.get();")], "layers"),
        # Who is refused, and who waits.
        ([(".maxWaitDuration(Duration.ZERO)", ".maxWaitDuration(Duration.ofSeconds(1))")], "concurrent"),
        ([("limit-refresh-period: 1s", "limit-refresh-period: 1m")], "rate"),
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
        ("timeout-duration: 900ms", "timeoutDuration: PT0.9S"),
        ("sliding-window-type: TIME_BASED", "sliding_window_type: time_based"),
        ("Duration.ofMillis(2000)", "Duration.ofSeconds(2)"),
    )
    assert wrong(STACK, plan, texts) == []


def test_a_shared_config_counts() -> None:
    plan = call()
    texts = files(STACK, plan)
    [path] = [path for path in texts if path.endswith(".yml")]
    shared = "  timelimiter:\n    configs:\n      default:\n        timeout-duration: 1s\n"
    changed = texts[path].replace("        timeout-duration: 900ms\n", "").replace("  timelimiter:\n", shared)
    assert wrong(STACK, plan, {**texts, path: changed}) == [
        "per_try: 0.9 is intended, the files say 0.9 in the Java, 1.0 in application.yml."
    ]


def test_code_that_does_not_parse_is_no_policy() -> None:
    texts = {path: text.replace(";", "", 1) for path, text in files(STACK, call()).items()}
    with pytest.raises(ValueError, match="well-formed"):
        dialect(STACK).read(texts)

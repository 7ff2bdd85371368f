"""What is decided for a call, and why."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.source import from_data, parse_source
from halfopen_generators.breaker.plan import Policy
from tests.breaker.support_design import PAYMENT, answered, asked, designed, dialects

__all__ = ["dialects"]
pytestmark = pytest.mark.usefixtures("dialects")


def told(policy: Policy) -> dict[str, str]:
    """Each decision and its reason, in lines that can be read."""
    found = {}
    for decision in policy.decisions:
        text = f"{decision.about}: {decision.choice}. {decision.because}"
        found[decision.about] = textwrap.fill(text, 100, subsequent_indent="  ") + "\n"
    return found


def changed(about: str = "", **keys: Any) -> str:
    """What is decided otherwise than for the payment, once these keys are changed; None takes a key away."""
    data = parse_source(PAYMENT).data
    usual = told(designed(from_data(data)))
    data = {key: value for key, value in (data | keys).items() if value is not None}
    now = told(designed(from_data(data)))
    gone = {key: f"{key}: not decided\n" for key in usual.keys() - now.keys()}
    return "".join(text for key, text in sorted((now | gone).items()) if usual.get(key) != text and about in ("", key))


def test_everything_about_the_payment_has_a_reason() -> None:
    assert "".join(told(answered(PAYMENT)).values()) == snapshot("""\
traffic.quiet_rate: taken to be 20/s. Where the spec gives no rate for the quiet hours, a tenth of
  the busiest. An assumption: measure it.
capacity: taken to be 300/s. Where the spec gives no capacity, the dependency is taken to do half as
  much again as the busiest hour asks for. An assumption: measure it.
timeout: 900ms. 0.1% of healthy calls take longer, by the latency that was measured.
retries: 2 tries, waits of at most 100ms with full jitter, budget 20%. The dependency knows a
  repeated call by order_id; at worst they take 1900ms of 2s; the budget keeps the dependency below
  80% of what it can do.
breaker.size: 10s. Even in quiet hours it holds 33 calls of one instance.
breaker.minimum_calls: 10. 0.3% of calls fail when all is well: 10 of them reach 50% by chance less
  than once in a billion windows.
breaker.failure_ratio: 50%. A choice, not a standard: Resilience4j takes 50%, Polly 10%.
breaker.slow_ratio: not judged. ChargeCard is critical and has no fallback: a slow answer is better
  than none. What takes longer than the timeout has failed, and the bulkhead bounds what waits.
breaker.open_for: 4500ms. The dependency takes 45s to come back; probing every 4500ms adds at most
  10% to the outage.
breaker.probes: 3. One that succeeds may be luck; three in a row seldom are.
bulkhead.concurrent: 13. By Little's law 33.33/s of one instance x 56ms are 1.9 under way on
  average, 8.3 if all took as long as the 99th percentile; one more is refused at once, instead of
  waiting.
quota: no rate limit. No quota is known, and what the dependency bears is bounded by the bulkhead,
  which follows its latency.
hedge: none. It isn't asked for.
fallback: none. ChargeCard is critical: an error that comes at once is better than an answer that
  was made up, and a fallback that seldom runs fails when it is needed.
layers: retry around breaker around bulkhead around timeout. Each try passes the breaker, so that it
  counts tries, and a rejection of the open breaker is not tried again; the timeout is innermost, so
  that it bounds one try.
stacks[0]: resilience4j: breaker, bulkhead, fallback, limit, retry, timeout. It is the innermost
  that knows the operation, so it plays all that it can.
stacks[1]: istio: breaker, timeout. The library retries, since it knows what is idempotent. The mesh
  sees single hosts, which the library doesn't: it takes out those that fail.
stacks[2]: grpc: timeout. The library retries, since it knows what is idempotent.
""")


def test_ten_calls_an_hour_are_counted_by_calls() -> None:
    assert changed(traffic={"rate": "10/h"}) == snapshot("""\
breaker.size: the last 10 calls. One instance has 10/h at the busiest hour, so that 10s hold fewer
  than 10 calls; a window of calls is filled in quiet hours too.
bulkhead.concurrent: 2. By Little's law 10/h of one instance x 56ms are 0.00016 under way on
  average, 0.00069 if all took as long as the 99th percentile; one more is refused at once, instead
  of waiting.
capacity: taken to be 17.75/s. The latency was measured at that load, so seldom does a call wait:
  the assumed dependency has so many servers that one call in twenty finds all of them busy, by
  Erlang's loss formula. An assumption: measure it.
retries: 2 tries, waits of at most 100ms with full jitter, budget 20%. The dependency knows a
  repeated call by order_id; at worst they take 1900ms of 2s; the budget keeps the dependency below
  0.0188% of what it can do.
traffic.quiet_rate: taken to be 1/h. Where the spec gives no rate for the quiet hours, a tenth of
  the busiest. An assumption: measure it.
""")


def test_of_fifty_thousand_calls_a_second_each_of_two_instances_has_half() -> None:
    assert changed(traffic={"rate": "50000/s", "instances": 2}) == snapshot("""\
breaker.size: 10s. Even in quiet hours it holds 25,000 calls of one instance.
bulkhead.concurrent: 9375. By Little's law 25000/s of one instance x 56ms are 1,408 under way on
  average, 6,250 if all took as long as the 99th percentile; one more is refused at once, instead of
  waiting.
capacity: taken to be 75000/s. Where the spec gives no capacity, the dependency is taken to do half
  as much again as the busiest hour asks for. An assumption: measure it.
traffic.quiet_rate: taken to be 5000/s. Where the spec gives no rate for the quiet hours, a tenth of
  the busiest. An assumption: measure it.
""")


def test_each_of_eight_shards_has_a_breaker() -> None:
    assert changed(shards=8) == snapshot("""\
breaker.probes: 2. 48 breakers probe at once: more would be more than a tenth of what the dependency
  can do.
breaker.size: 24s. In quiet hours one instance needs that long for 10 calls.
shards: one breaker for each. 8 shards fail by themselves: one breaker over all sees 12.5% of
  failures when one is down, and once it opens, it takes the healthy ones away too.
""")


def test_what_is_degradable_is_judged_by_slowness_too() -> None:
    assert changed(criticality="degradable", fallback="cache") == snapshot("""\
breaker.slow_ratio: 50% slower than 480ms. Between the 99th percentile and the timeout: a dependency
  that drowns is slow before it fails.
fallback: not decided
layers: fallback around retry around breaker around bulkhead around timeout. Each try passes the
  breaker, so that it counts tries, and a rejection of the open breaker is not tried again; the
  timeout is innermost, so that it bounds one try.
""")


def test_what_may_not_happen_twice_is_tried_once() -> None:
    assert changed(idempotency_key=None) == snapshot("""\
layers: breaker around bulkhead around timeout. Each try passes the breaker, so that it counts
  tries, and a rejection of the open breaker is not tried again; the timeout is innermost, so that
  it bounds one try.
retries: none. ChargeCard isn't idempotent and has no idempotency key: a try whose answer was lost
  may have had its effect, and a second one would have it again.
""")


def test_a_read_may_be_hedged() -> None:
    assert changed(idempotent=True, hedge=True) == snapshot("""\
hedge: a second try after 150ms. Sent where the first has not answered by its 95th percentile, a
  second try costs 5% more load. Dean and Barroso, The Tail at Scale, 2013:
  https://cacm.acm.org/research/the-tail-at-scale/
retries: 2 tries, waits of at most 100ms with full jitter, budget 20%. It is idempotent; at worst
  they take 1900ms of 2s; the budget keeps the dependency below 80% of what it can do.
""")
    # Without a budget a hedge is a second load as great as the first, once all calls are slow.
    assert changed("hedge", idempotent=True, hedge=True, retried_by=["mesh"]) == snapshot("""\
hedge: none. Nothing is tried again, so that no budget bounds it: once all calls are slow, it would
  be twice the load.
""")
    assert changed("hedge", idempotent=True, hedge=True, timeout="100ms") == snapshot(
        "hedge: none. One in twenty takes 150ms, and no try is waited for that long.\n"
    )
    assert changed("hedge", idempotency_key=None, hedge=True) == snapshot(
        "hedge: none. ChargeCard may not happen twice.\n"
    )


def test_a_quota_is_shared_by_the_instances_and_never_exceeded() -> None:
    assert changed(quota="600/s") == snapshot("""\
layers: retry around breaker around limit around bulkhead around timeout. Each try passes the
  breaker, so that it counts tries, and a rejection of the open breaker is not tried again; the
  timeout is innermost, so that it bounds one try.
quota: 100/s for each instance. 600/s are permitted, and 6 instances share them.
""")
    assert changed(quota="60/s") == snapshot("""\
layers: retry around breaker around limit around bulkhead around timeout. Each try passes the
  breaker, so that it counts tries, and a rejection of the open breaker is not tried again; the
  timeout is innermost, so that it bounds one try.
quota: 10/s for each instance. 60/s are permitted, and 6 instances share them. At the busiest hour
  that refuses 70% of the calls: ask for more, or call less.
""")
    # Less than one a second for each is less than one a second for each.
    assert changed(quota="30/min") == snapshot("""\
layers: retry around breaker around limit around bulkhead around timeout. Each try passes the
  breaker, so that it counts tries, and a rejection of the open breaker is not tried again; the
  timeout is innermost, so that it bounds one try.
quota: 4.98/min for each instance. 30/min are permitted, and 6 instances share them. At the busiest
  hour that refuses 99.8% of the calls: ask for more, or call less.
""")
    assert asked(quota="30/min").limit.rate * 6 <= 0.5  # type: ignore[union-attr]


def test_without_a_thousandth_the_tail_is_that_of_the_others() -> None:
    assert changed(latency={"p50": "40ms", "p99": "250ms"}) == snapshot("""\
breaker.minimum_calls: 10. 0.296% of calls fail when all is well: 10 of them reach 50% by chance
  less than once in a billion windows.
bulkhead.concurrent: 13. By Little's law 33.33/s of one instance x 55ms are 1.8 under way on
  average, 8.3 if all took as long as the 99th percentile; one more is refused at once, instead of
  waiting.
retries: 3 tries, waits of at most 100ms and 200ms with full jitter, budget 20%. The dependency
  knows a repeated call by order_id; at worst they take 1680ms of 2s; the budget keeps the
  dependency below 80% of what it can do.
timeout: 460ms. 0.1% of healthy calls take longer, by the latency that was measured.
""")


def test_a_deadline_below_the_99th_percentile_leaves_room_for_one_try() -> None:
    assert changed(deadline="150ms") == snapshot("""\
breaker.minimum_calls: 21. 4.859% of calls fail when all is well: 21 of them reach 50% by chance
  less than once in a billion windows.
layers: breaker around bulkhead around timeout. Each try passes the breaker, so that it counts
  tries, and a rejection of the open breaker is not tried again; the timeout is innermost, so that
  it bounds one try.
retries: none. A second try doesn't fit into 150ms without cutting off more than 1% of healthy
  calls.
timeout: 150ms. 4.67% of healthy calls take longer, by the latency that was measured. 900ms would
  cut off fewer, but the deadline of 150ms leaves no more room.
""")


def test_two_shorter_tries_are_worth_more_than_one_long_one() -> None:
    assert changed(deadline="1s") == snapshot("""\
breaker.minimum_calls: 11. 0.543% of calls fail when all is well: 11 of them reach 50% by chance
  less than once in a billion windows.
retries: 2 tries, waits of at most 50ms with full jitter, budget 20%. The dependency knows a
  repeated call by order_id; at worst they take 990ms of 1s; the budget keeps the dependency below
  80% of what it can do.
timeout: 470ms. 0.34% of healthy calls take longer, by the latency that was measured. 900ms would
  cut off fewer, but 2 tries within 1s leave no more room.
""")


def test_a_dependency_without_room_is_not_asked_twice() -> None:
    assert changed(capacity="150/s") == snapshot("""\
capacity: not decided
layers: breaker around bulkhead around timeout. Each try passes the breaker, so that it counts
  tries, and a rejection of the open breaker is not tried again; the timeout is innermost, so that
  it bounds one try.
retries: none. The dependency is 133.3% busy at the busiest hour: retries would be the load that
  keeps it down.
""")
    assert changed(capacity="215/s") == snapshot("""\
capacity: not decided
layers: breaker around bulkhead around timeout. Each try passes the breaker, so that it counts
  tries, and a rejection of the open breaker is not tried again; the timeout is innermost, so that
  it bounds one try.
retries: none. The dependency is 93% busy at the busiest hour: retries would be the load that keeps
  it down.
""")
    # What is left is shared with others, and never rounded up.
    assert asked(capacity="229/s").retry.budget == 0.07  # type: ignore[union-attr]


def test_how_long_it_is_open_follows_from_how_long_the_dependency_takes_to_come_back() -> None:
    assert changed(recovery_time="1s") == snapshot(
        """\
breaker.open_for: 1s. Shorter than that, the probes of many instances are load of their own. A rule
  of thumb.
"""
    )
    assert changed(recovery_time="1h") == snapshot("""\
breaker.open_for: 30s. The dependency takes 1h to come back; probing every 30s adds at most 0.8% to
  the outage.
""")


def test_one_instance_has_all_the_traffic() -> None:
    assert changed(traffic={"rate": "200/s"}) == snapshot("""\
breaker.size: 10s. Even in quiet hours it holds 200 calls of one instance.
bulkhead.concurrent: 75. By Little's law 200/s of one instance x 56ms are 11 under way on average,
  50 if all took as long as the 99th percentile; one more is refused at once, instead of waiting.
""")


def test_where_many_calls_fail_though_all_is_well_more_of_them_are_counted_or_more_have_to_fail() -> None:
    assert changed(error_rate="30%") == snapshot("""\
breaker.minimum_calls: 215. 30.07% of calls fail when all is well: 215 of them reach 50% by chance
  less than once in a billion windows.
breaker.size: 65s. In quiet hours one instance needs that long for 215 calls.
""")
    few = {"error_rate": "30%", "traffic": {"rate": "3/min"}}
    assert changed("breaker.failure_ratio", **few) == snapshot("""\
breaker.failure_ratio: 90%. 30.07% of calls fail when all is well, which is too near to 50%: it
  would open by chance, or need more calls than come.
""")
    assert changed("breaker.minimum_calls", **few) == snapshot("""\
breaker.minimum_calls: 24. 30.07% of calls fail when all is well: 24 of them reach 90% by chance
  less than once in a billion windows.
""")
    near: dict[str, Any] = {"error_rate": "4%", "breaker": {"failure_ratio": "5%"}, "deadline": "150ms"}
    assert changed("breaker.minimum_calls", **near) == snapshot("""\
breaker.minimum_calls: 10. 8.482% of calls fail when all is well, which is no less than 5%: it opens
  though all is well, however many calls it counts.
""")


def test_a_window_of_few_calls_never_waits_for_more_than_it_holds() -> None:
    call = asked(breaker={"size": 5})
    assert call.breaker
    assert (call.breaker.window, call.breaker.size, call.breaker.minimum_calls) == ("count", 5, 5)
    assert changed("breaker.minimum_calls", breaker={"size": 5}) == snapshot("""\
breaker.minimum_calls: 5. The window holds no more. 0.3% of calls fail when all is well: of so few
  it opens by chance, in one window of 3,800,000.
""")


def test_a_longest_wait_holds_for_the_first_one_too() -> None:
    call = asked(retries={"longest_wait": "10ms"})
    assert call.retry
    assert call.retry.waits == (0.01,)


def test_who_asks_for_tries_that_do_not_fit_gets_them_each_within_the_deadline() -> None:
    call = asked(retries={"attempts": 5}, deadline="500ms")
    assert call.retry
    assert (call.retry.attempts, call.timeout.per_try) == (5, 0.5)


def test_who_asks_for_three_tries_is_told_of_three() -> None:
    assert changed(retries={"attempts": 3}) == snapshot("""\
breaker.minimum_calls: 10. 0.449% of calls fail when all is well: 10 of them reach 50% by chance
  less than once in a billion windows.
retries: not decided
timeout: 560ms. 0.25% of healthy calls take longer, by the latency that was measured. 900ms would
  cut off fewer, but 3 tries within 2s leave no more room.
""")


def test_a_tail_that_is_no_time_at_all_is_still_designed() -> None:
    call = asked(latency={"p50": "1ms", "p99": "1ms", "p999": "8760h"}, deadline="8760h",
                 traffic={"rate": "10000000/s"})  # fmt: skip
    assert call.bulkhead
    assert call.bulkhead.concurrent == 1_000_000

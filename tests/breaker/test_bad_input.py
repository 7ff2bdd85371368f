"""A spec that can't be used is refused with the place, the figures that contradict each other, and what to do."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from halfopen.source import BadInput
from tests.breaker.support_design import PAYMENT, answered, dialects

__all__ = ["dialects"]
pytestmark = pytest.mark.usefixtures("dialects")

SHOP = "architecture: shop\nservices:\n"


def said(text: str, folder: Path | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        answered(text, folder)
    lines = str(caught.value).splitlines()
    return "".join(textwrap.fill(line, 110, subsequent_indent="  ") + "\n" for line in lines)


def changed(**lines: str) -> str:
    """What is said of the payment with these lines in place of its own, or behind it."""
    text = PAYMENT
    for key, line in lines.items():
        before = next((one for one in PAYMENT.splitlines() if one.startswith(f"{key}:")), None)
        text = text.replace(before, line) if before else f"{text}{line}\n"
    return said(text)


def test_a_share_is_in_percent_and_at_most_all() -> None:
    assert changed(error_rate="error_rate: 120%") == snapshot('input:8: error_rate: "120%": a share is at most 100%.\n')
    assert changed(error_rate="error_rate: 0.002") == snapshot(
        "input:8: error_rate: 0.002: a share is written in percent, such as 0.2% or 50%.\n"
    )
    assert changed(error_rate="error_rate: -1%") == snapshot(
        'input:8: error_rate: "-1%": a share is written in percent, such as 0.2% or 50%.\n'
    )
    assert changed(breaker="breaker: {failure_ratio: 101%}") == snapshot(
        'input:15: breaker.failure_ratio: "101%": a share is at most 100%.\n'
    )


def test_quantiles_do_not_fall() -> None:
    assert changed(latency="latency: {p50: 40ms, p99: 25ms}") == snapshot(
        "input:7: latency.p99: p99 is 25ms, below p50 (40ms): a higher quantile is never a shorter time.\n"
    )
    assert changed(latency="latency: {p50: 40ms, p99: 250ms, p999: 200ms}") == snapshot(
        "input:7: latency.p999: p999 is 200ms, below p99 (250ms): a higher quantile is never a shorter time.\n"
    )


def test_no_deadline_and_no_timeout_is_below_the_median() -> None:
    assert changed(deadline="deadline: 30ms") == snapshot("""\
input:9: deadline: the deadline of 30ms is below the median latency of 40ms: more than half of all calls would
  be too late though all is well.
""")
    assert changed(timeout="timeout: 30ms") == snapshot("""\
input:15: timeout: a timeout of 30ms is below the median latency of 40ms: more than half of all tries would be
  cut off though all is well.
""")
    assert changed(timeout="timeout: 3s") == snapshot(
        "input:15: timeout: a timeout of 3s waits beyond the deadline of 2s: make it shorter, or leave it out.\n"
    )
    assert changed(retries="retries: {first_wait: 1s, longest_wait: 10ms}") == snapshot(
        "input:15: retries.longest_wait: the longest wait of 10ms is below the first of 1s: waits only grow.\n"
    )


def test_traffic_is_more_than_nothing() -> None:
    assert changed(traffic="traffic: {rate: 0/s}") == snapshot(
        'input:6: traffic.rate: "0/s": a rate is more than nothing: where nothing is called, nothing can be designed.\n'
    )
    assert changed(traffic="traffic: {rate: -5/s}") == snapshot(
        'input:6: traffic.rate: "-5/s": a rate is a number and what it is counted in, such as 200/s, 30/min or 10/h.\n'
    )
    assert changed(traffic="traffic: {rate: 0.5/d}") == snapshot(
        "input:6: traffic.rate: less than one call a day: no breaker learns anything from so few.\n"
    )
    assert changed(traffic="traffic: {rate: 99999999/s}") == snapshot(
        'input:6: traffic.rate: "99999999/s": a rate is at least 0.001/d and at most 10000000/s.\n'
    )
    assert changed(traffic="traffic: {rate: 200/s, instances: 0}") == snapshot(
        "input:6: traffic.instances: 0 is out of range; it has to be 1 or more.\n"
    )
    assert changed(traffic="traffic: {rate: 200/s, quiet_rate: 300/s}") == snapshot("""\
input:6: traffic.quiet_rate: the quietest hour has 300/s, more than the busiest with 200/s: `rate` is that of
  the busiest.
""")


def test_a_unit_is_one_that_there_is() -> None:
    assert changed(traffic="traffic: {rate: 200}") == snapshot(
        "input:6: traffic.rate: 200: a rate is a number and what it is counted in, such as 200/s, 30/min or 10/h.\n"
    )
    assert changed(traffic="traffic: {rate: 200/week}") == snapshot("""\
input:6: traffic.rate: "200/week": a rate is a number and what it is counted in, such as 200/s, 30/min or
  10/h.
""")
    assert changed(deadline="deadline: 2") == snapshot(
        "input:9: deadline: 2: a duration is written with its unit, such as 200ms, 2s, 5m or 1h.\n"
    )
    assert changed(deadline="deadline: 2 days") == snapshot(
        'input:9: deadline: "2 days": a duration is a number and a unit, such as 200ms, 2s, 5m or 1h.\n'
    )
    assert changed(deadline="deadline: -2s") == snapshot(
        'input:9: deadline: "-2s": a duration is a number and a unit, such as 200ms, 2s, 5m or 1h.\n'
    )
    assert changed(deadline="deadline: 9000h") == snapshot(
        'input:9: deadline: "9000h": a duration is at least 1ms and at most 8760h, a year.\n'
    )


def test_the_nearest_key_is_named() -> None:
    assert changed(recovery_time="recovery: 45s") == snapshot("""\
input:12: recovery: unknown key "recovery". Did you mean recovery_time? Legal: caller, dependency, operation,
  idempotent, idempotency_key, traffic, latency, error_rate, deadline, criticality, fallback,
  fallback_dependency, recovery_time, shards, hosts, capacity, quota, hedge, retried_by, timeout, retries,
  breaker, bulkhead, then, architecture, stacks, objective.
""")
    assert changed(deadline="dead_line: 2s") == snapshot("""\
input:9: dead_line: unknown key "dead_line", and the key "deadline" is missing. Did you mean deadline? Legal:
  caller, dependency, operation, idempotent, idempotency_key, traffic, latency, error_rate, deadline,
  criticality, fallback, fallback_dependency, recovery_time, shards, hosts, capacity, quota, hedge,
  retried_by, timeout, retries, breaker, bulkhead, then, architecture, stacks, objective.
""")
    assert changed(breaker="breaker: {windw: time}") == snapshot("""\
input:15: breaker.windw: unknown key "windw". Did you mean window? Legal: window, size, minimum_calls,
  failure_ratio, slow_ratio, slow_after, open_for, probes, per_shard.
""")


def test_a_word_is_one_of_those_that_there_are() -> None:
    assert changed(stacks="stacks: [resilience4]") == snapshot("""\
input:14: stacks[0]: "resilience4" is not a legal value. Did you mean resilience4j? Legal: resilience4j,
  polly, envoy, istio, linkerd, consul, grpc, opossum, cockatiel, gobreaker, failsafe-go, python.
""")
    assert changed(stacks="stacks: []") == snapshot(
        "input:14: stacks: [] is too short; the least number of items is 1.\n"
    )
    assert changed(stacks="") == snapshot(
        'input:1: the key "stacks" is missing. For example: stacks: ["resilience4j", "istio"]\n'
    )
    assert changed(criticality="criticality: importent") == snapshot(
        'input:10: criticality: "importent" is not a legal value. Legal: critical, degradable.\n'
    )
    assert changed(caller="caller: 9 lives") == snapshot(
        'input:1: caller: "9 lives" doesn\'t fit; it has to be one of A-Z a-z, then 0 to 63 of A-Z a-z 0-9 _ . -.\n'
    )


def test_a_window_has_a_size_of_its_kind() -> None:
    assert changed(breaker="breaker: {window: time, size: 100}") == snapshot(
        "input:15: breaker.size: a time window has a duration, such as 10s.\n"
    )
    assert changed(breaker="breaker: {window: count, size: 10s}") == snapshot(
        "input:15: breaker.size: a count window has a number of calls, such as 100.\n"
    )
    assert changed(breaker="breaker: {size: 0}") == snapshot(
        "input:15: breaker.size: a count window holds 1 to 1000000 calls.\n"
    )
    assert changed(breaker="breaker: {size: ten}") == snapshot("""\
input:15: breaker.size: "ten": a duration is a number and a unit, such as 200ms, 2s, 5m or 1h; or "ten" is
  text; it has to be a whole number.
""")


def test_a_breaker_opens_in_trouble_and_not_before() -> None:
    assert changed(breaker="breaker: {failure_ratio: 0%, slow_ratio: 0%}") == snapshot("""\
input:15: breaker.failure_ratio: at 0% it opens though nothing is wrong: say how much is too much.
input:15: breaker.slow_ratio: at 0% it opens though nothing is wrong: say how much is too much.
""")
    assert changed(breaker="breaker: {failure_ratio: 0.2%}") == snapshot("""\
input:15: breaker.failure_ratio: 0.2% of calls fail when all is well, and at 0.2% the breaker opens: set it
  higher.
""")
    assert changed(error_rate="error_rate: 60%") == snapshot("""\
input:8: error_rate: 60% of calls fail, more than succeed: this is the share when all is well, and no breaker
  can tell trouble from it.
""")


def test_a_call_leads_to_another_service_and_a_fallback_is_one() -> None:
    assert changed(dependency="dependency: checkout") == snapshot(
        "input:2: dependency: checkout calls itself: a call leads to another service.\n"
    )
    assert changed(fallback_dependency="fallback_dependency: redis") == snapshot(
        "input:15: fallback_dependency: there is no fallback that could call it: say which, or leave this out.\n"
    )


LINK = (
    "  - {{caller: {0}, dependency: fraud, operation: Check, traffic: {{rate: 1/s}}, latency: {{p50: 1ms, p99: 2ms}}, "
    "deadline: {1}}}\n"
)


def test_a_chain_is_linked() -> None:
    assert changed(then="then:\n" + LINK.format("bank", "1s")) == snapshot(
        "input:16: then[0].caller: the chain is broken: payment was called, and bank calls next. Legal: payment.\n"
    )
    # What is wrong with a link is told at the link.
    assert changed(then="then:\n" + LINK.format("payment", "0.5ms")) == snapshot(
        'input:16: then[0].deadline: "0.5ms": a duration is at least 1ms and at most 8760h, a year.\n'
    )
    assert changed(then="then:\n" + LINK.format("payment", "1s") + LINK.format("payment", "1ms")) == snapshot(
        "input:17: then[1].caller: the chain is broken: fraud was called, and payment calls next. Legal: fraud.\n"
    )


@pytest.mark.timeout(60)
def test_ten_thousand_calls_are_one_message() -> None:
    assert said(PAYMENT + "then:\n" + "  - {}\n" * 10_000) == snapshot("""\
input:15: then: [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, ...: a chain has at most 20 calls
  behind the first, this one 10000.
""")
    assert said(PAYMENT + "then:\n" + LINK.format("payment", "1s") * 10_000) == snapshot(
        "input: is larger than 1,048,576 bytes.\n"
    )
    assert said(PAYMENT + "then:\n" + LINK.format("payment", "1s") * 5_000) == snapshot(
        "input:5013: holds more than 50000 values once its aliases are followed.\n"
    )


def within(folder: Path, text: str) -> str:
    (folder / "a.yaml").write_text(text)
    return said(PAYMENT + "architecture: a.yaml\n", folder)


def test_an_architecture_knows_the_call(tmp_path: Path) -> None:
    assert within(tmp_path, SHOP + "  chekout: {calls: [{to: payment}]}\n") == snapshot(
        "input:1: caller: a.yaml has no service 'checkout'. Did you mean chekout? Legal: chekout.\n"
    )
    assert within(tmp_path, SHOP + "  checkout: {calls: [{to: paymnt}]}\n") == snapshot(
        "input:2: dependency: a.yaml has no call from checkout to payment. Did you mean paymnt? Legal: paymnt.\n"
    )
    assert within(tmp_path, SHOP + "  checkout: {cals: [{to: payment}]}\n") == snapshot("""\
a.yaml:3: services.checkout.cals: unknown key "cals". Did you mean calls? Legal: team, context, replicas,
  external, entry, calls, publishes, consumes, stores.
""")
    assert within(tmp_path, "architecture: shop\nservices: {}\n") == snapshot(
        "a.yaml:2: services: {} is too short; the least number of items is 1.\n"
    )
    assert within(tmp_path, "[]") == snapshot("a.yaml:1: is a list: a spec is a mapping of keys.\n")
    assert within(tmp_path, "x: [") == snapshot(
        "a.yaml:1: is not YAML: expected the node content, but found '<stream end>'.\n"
    )


@pytest.mark.timeout(60)
def test_a_large_architecture_is_one_message_and_not_all_its_names(tmp_path: Path) -> None:
    many = "".join(f"  s{number}: {{calls: [{{to: s{number + 1}}}]}}\n" for number in range(9_000))
    assert within(tmp_path, SHOP + many) == snapshot("input:1: caller: a.yaml has no service 'checkout'.\n")
    assert within(tmp_path, SHOP + "  chekout: {}\n" + many) == snapshot(
        "input:1: caller: a.yaml has no service 'checkout'. Did you mean chekout?\n"
    )
    calls = ", ".join(f"{{to: s{number}}}" for number in range(900))
    assert within(tmp_path, f"{SHOP}  checkout: {{calls: [{calls}, {{to: paiment}}]}}\n") == snapshot(
        "input:2: dependency: a.yaml has no call from checkout to payment. Did you mean paiment?\n"
    )


def test_an_architecture_lies_in_the_callers_folders(tmp_path: Path) -> None:
    inside = tmp_path / "project"
    inside.mkdir()
    (tmp_path / "a.yaml").write_text(SHOP + "  checkout: {calls: [{to: payment}]}\n")
    (inside / "a.yaml").symlink_to(tmp_path / "a.yaml")
    for path in (str(tmp_path / "a.yaml"), "a.yaml"):
        told = said(f"{PAYMENT}architecture: {path}\n", inside)
        assert told.startswith("input:15: architecture: ")
        assert "outside the allowed folders" in " ".join(told.split())
    assert said(PAYMENT + "architecture: ../a.yaml\n", inside) == snapshot(
        "input:15: architecture: '../a.yaml' climbs with '..': write the path without it.\n"
    )
    assert said(PAYMENT + "architecture: a.yaml\n") == snapshot(
        "input:15: architecture: 'a.yaml' can't be used: the caller offers no folder.\n"
    )
    assert said(PAYMENT + "architecture: nowhere.yaml\n", inside) == snapshot("nowhere.yaml: no such file.\n")


def upstream(folder: Path, text: str) -> list[tuple[str, str, int, str]]:
    (folder / "a.yaml").write_text(SHOP + text)
    found = answered(PAYMENT + "architecture: a.yaml\n", folder).upstream
    return [(call.caller, call.dependency, call.attempts, f"{call.file}:{call.line}") for call in found]


def test_the_path_on_which_most_is_tried_leads_to_the_call(tmp_path: Path) -> None:
    text = (
        "  web: {calls: [{to: cart, retries: {attempts: 2}}, {to: checkout, retries: {attempts: 3}}]}\n"
        "  cart: {calls: [{to: checkout, retries: {attempts: 2}}, {to: checkout}]}\n"
        "  checkout: {calls: [{to: payment, retries: {attempts: 9}}]}\n"
    )
    assert upstream(tmp_path, text) == [("web", "cart", 2, "a.yaml:3"), ("cart", "checkout", 2, "a.yaml:4")]


def test_calls_in_a_circle_have_no_product(tmp_path: Path) -> None:
    text = (
        "  web: {calls: [{to: checkout, retries: {attempts: 2}}]}\n"
        "  checkout: {calls: [{to: payment}, {to: cart}, {to: checkout}]}\n"
        "  cart: {calls: [{to: checkout, retries: {attempts: 50}}]}\n"
    )
    assert upstream(tmp_path, text) == [("web", "checkout", 2, "a.yaml:3")]


@pytest.mark.timeout(60)
def test_a_chain_of_thousands_is_followed(tmp_path: Path) -> None:
    many = "".join(f"  s{number}: {{calls: [{{to: s{number + 1}}}]}}\n" for number in range(6_000))
    found = upstream(tmp_path, many + "  s6000: {calls: [{to: checkout}]}\n  checkout: {calls: [{to: payment}]}\n")
    assert len(found) == 6_001
    assert found[-1] == ("s6000", "checkout", 1, "a.yaml:6003")

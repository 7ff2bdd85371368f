"""The architecture model: what a file may say, and what is said of one that says something else."""

from __future__ import annotations

import pytest

from halfopen.source import BadInput, parse_source, validate
from halfopen.system import System

WHOLE = """\
architecture: shop
services:
  web:
    team: storefront
    context: sales
    replicas: 3
    entry: {slo: {availability: 99.9%, p99: 800ms}}
    calls:
      - to: checkout
        protocol: grpc
        operation: PlaceOrder
        timeout: 2s
        retries: {attempts: 3, backoff: 100ms, factor: 2, max_backoff: 1s, jitter: full, budget: 20%}
        breaker: true
        idempotent: true
        critical: true
        cached: 30s
        rate: 200/s
    publishes: [OrderPlaced]
  checkout:
    consumes: [{event: OrderPlaced, idempotent: true, dead_letter: true}]
    stores: [orders]
  bank: {external: true}
stores:
  orders: {kind: postgres, max_connections: 100}
topics:
  OrderPlaced: {broker: kafka, partitions: 12, key: order_id, retention: 7d}
"""


def said(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        validate(System, parse_source(text, "architecture.yaml"))
    return [str(problem) for problem in caught.value.problems]


def test_a_whole_architecture_is_read() -> None:
    system = validate(System, parse_source(WHOLE))
    edge = system.services["web"].calls[0]
    assert (edge.timeout, edge.rate, edge.cached) == (2.0, 200.0, 30.0)
    assert edge.retries
    assert (edge.retries.attempts, edge.retries.budget, edge.retries.max_backoff) == (3, 0.2, 1.0)
    entry = system.services["web"].entry
    assert entry
    assert entry.slo
    assert (entry.slo.availability, entry.slo.p99) == (0.999, 0.8)
    assert system.services["bank"].external
    assert system.services["checkout"].consumes[0].dead_letter
    assert system.stores["orders"].max_connections == 100
    assert system.topics["OrderPlaced"].partitions == 12


def test_what_is_left_out_is_not_decided() -> None:
    system = validate(System, parse_source("architecture: shop\nservices: {web: {calls: [{to: checkout}]}}\n"))
    (edge,) = system.services["web"].calls
    assert edge.model_dump(exclude={"to"}) == dict.fromkeys(type(edge).model_fields.keys() - {"to"})
    assert system.services["web"].replicas is None


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("timeout: 2s", "timeout: 2", "architecture.yaml:12: services.web.calls[0].timeout: 2: a duration is written"),
        ("timeout: 2s", "time_out: 2s", 'unknown key "time_out". Did you mean timeout?'),
        ("attempts: 3", "attempts: 0", "calls[0].retries.attempts: 0 is out of range; it has to be 1 or more."),
        ("jitter: full", "jitter: ful", 'retries.jitter: "ful" is not a legal value. Did you mean full?'),
        ("99.9%", "99.9", "services.web.entry.slo.availability: 99.9: a share is written in percent"),
        ("replicas: 3", "replicas: -1", "services.web.replicas: -1 is out of range"),
        ("to: checkout", "to: 7 dwarfs", 'services.web.calls[0].to: "7 dwarfs" doesn\'t fit'),
        ("rate: 200/s", "rate: 200", "services.web.calls[0].rate: 200: a rate is a number and what it is counted in"),
        ("external: true", "external: perhaps", "services.bank.external: "),
        ("kind: postgres, ", "", 'architecture.yaml:25: stores.orders: the key "kind" is missing.'),
        ("architecture: shop", "architectur: shop", 'the key "architecture" is missing. Did you mean architecture?'),
    ],
)
def test_what_it_can_not_say_is_told_where_it_stands(before: str, after: str, message: str) -> None:
    assert before in WHOLE
    (only,) = said(WHOLE.replace(before, after))
    assert message in only


def test_a_system_has_a_service_and_not_ten_thousand_and_one() -> None:
    assert "services: {} is too short" in said("architecture: shop\nservices: {}\n")[0]
    many = "".join(f"  s{number}: {{}}\n" for number in range(10_001))
    (only,) = said("architecture: shop\nservices:\n" + many)
    assert "too long; the greatest number of items is 10000" in only
    assert len(only) < 300


@pytest.mark.timeout(60)
def test_ten_thousand_mistakes_are_told_in_seconds() -> None:
    many = "".join(f"  s{number}: {{cals: []}}\n" for number in range(10_000))
    assert len(said("architecture: shop\nservices:\n" + many)) == 10_000

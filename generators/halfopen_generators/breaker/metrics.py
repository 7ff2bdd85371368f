"""What each stack's metrics are called, and how a call's troubles read in them.

An expression gives a number for the call, whatever its labels were: the share of breakers that aren't closed, of calls
that failed, and so on. `$w` is a range. What a stack has no metric for isn't there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from halfopen_generators.breaker.plan import CallPlan
from halfopen_generators.breaker.spec import Stack

# The share of breakers (or hosts) that let no call through; how often the one that does it most has closed and opened
# again; tries beyond the first, the refused and the failed, each as a share of the calls.
Sign = Literal["open", "flaps", "retries", "refused", "failed"]
# Of 100 calls 99, beside the 15 a step that are answered well.
_FAILS = "+1485"


@dataclass(frozen=True)
class Sample:
    """A series as the stack exports it, for the rules' tests: how it goes when the sign is there, and when all is well.

    `=1` stays at 1, `+15` grows by 15 a step, `~` is 1 and 0 in turn.
    """

    series: str
    sick: str
    well: str


@dataclass(frozen=True)
class Signal:
    """How to ask for one sign."""

    expr: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Metrics:
    """What one stack has for a call. `source` is where the names are from, `needs` what has to be done to get them."""

    source: str
    needs: str
    signals: Mapping[Sign, Signal]


def metrics(stack: Stack, call: CallPlan) -> Metrics:
    """The metrics of that stack for the call."""
    return _STACKS.get(stack, _own)(call)


def _resilience4j(call: CallPlan) -> Metrics:
    name, of = f'name="{call.name}"', "resilience4j"
    state = f"{of}_circuitbreaker_state"
    calls = f"sum(rate({of}_retry_calls_total{{{name}}}[$w]))"
    tries = f"{of}_circuitbreaker_calls_seconds_count{{{name}}}"
    rejected = f'{of}_circuitbreaker_not_permitted_calls_total{{{name},kind="not_permitted"}}'
    done = Sample(f'{of}_retry_calls_total{{{name},kind="successful_without_retry",instance="a"}}', "+15", "+15")
    failed = Sample(f'{of}_retry_calls_total{{{name},kind="failed_with_retry",instance="a"}}', _FAILS, "+0")
    free = f"{of}_bulkhead_available_concurrent_calls"
    tried = tries.replace("}", ',kind="failed",instance="a"}')
    signals: dict[Sign, Signal] = {
        "open": Signal(
            f'avg(max by (instance) ({state}{{{name},state=~"open|half_open|forced_open"}}))',
            (Sample(f'{state}{{{name},state="open",instance="a"}}', "=1", "=0"),
             Sample(f'{state}{{{name},state="half_open",instance="a"}}', "=0", "=0")),
        ),
        "flaps": Signal(
            f'max(changes({state}{{{name},state="closed"}}[$w])) / 2',
            (Sample(f'{state}{{{name},state="closed",instance="a"}}', "~", "=1"),),
        ),
        "retries": Signal(
            f"(sum(rate({tries}[$w])) + (sum(rate({rejected}[$w])) or vector(0))) / {calls} - 1",
            (done, Sample(tried, "+30", "+15")),
        ),
        "refused": Signal(
            f"avg({free}{{{name}}} == bool 0)", (Sample(f'{free}{{{name},instance="a"}}', "=0", "=5"),)
        ),
        "failed": Signal(
            f'sum(rate({of}_retry_calls_total{{{name},kind=~"failed_.*"}}[$w])) / {calls}', (done, failed)
        ),
    }  # fmt: skip
    if call.retry is None:
        # Without a retry the breaker is what counts the calls.
        failing, asked = tries.replace("}", ',kind="failed"}'), f"sum(rate({tries}[$w]))"
        refused = f"(sum(rate({rejected}[$w])) or vector(0))"
        well = Sample(tries.replace("}", ',kind="successful",instance="a"}'), "+15", "+15")
        expr = f"(sum(rate({failing}[$w])) + {refused}) / ({asked} + {refused})"
        signals["failed"] = Signal(expr, (well, Sample(tried, _FAILS, "+0")))
    return Metrics(
        "resilience4j-micrometer 2, CircuitBreakerMetricNames and its siblings",
        "the dependency io.github.resilience4j:resilience4j-micrometer and a Prometheus registry",
        signals,
    )


def _polly(call: CallPlan) -> Metrics:
    name = f'pipeline_name="{call.name}"'
    events, calls = "resilience_polly_strategy_events_total", "resilience_polly_pipeline_duration_milliseconds_count"
    asked = f"sum(rate({calls}{{{name}}}[$w]))"
    done = Sample(f'{calls}{{{name},instance="a"}}', "+15", "+15")

    def happened(event: str) -> str:
        return f'{events}{{{name},event_name="{event}"}}'

    def sample(event: str) -> Sample:
        return Sample(f'{events}{{{name},event_name="{event}",instance="a"}}', "+15", "+0")

    return Metrics(
        "https://www.pollydocs.org/advanced/telemetry#metrics",
        "Polly.Extensions, the meter Polly in OpenTelemetry, and a pipeline of that name",
        {
            "open": _opened(happened("OnCircuitOpened"), call, sample("OnCircuitOpened")),
            "flaps": Signal(f"max(increase({happened('OnCircuitClosed')}[$w]))", (sample("OnCircuitClosed"),)),
            "retries": Signal(f"sum(rate({happened('OnRetry')}[$w])) / {asked}", (done, sample("OnRetry"))),
            "refused": Signal(
                f"sum(rate({happened('OnRateLimiterRejected')}[$w])) / {asked}", (done, sample("OnRateLimiterRejected"))
            ),
            "failed": Signal(
                f'sum(rate({calls}{{{name},exception_type!=""}}[$w])) / {asked}',
                (
                    done,
                    Sample(f'{calls}{{{name},exception_type="System.TimeoutException",instance="a"}}', _FAILS, "+0"),
                ),
            ),
        },
    )


def _opossum(call: CallPlan) -> Metrics:
    name = f'name="{call.name}"'
    asked = f'sum(rate(circuit{{{name},event="fire"}}[$w]))'
    fired = Sample(f'circuit{{{name},event="fire",instance="a"}}', "+1500", "+1500")

    def sample(event: str) -> Sample:
        return Sample(f'circuit{{{name},event="{event}",instance="a"}}', _FAILS, "+0")

    return Metrics(
        "opossum-prometheus 0.3, index.js; the events are those of opossum 9",
        "opossum-prometheus and a breaker of that name; of retries opossum knows nothing, so the caller's code has to "
        "count them: resilience_retries_total and resilience_calls_total, with the label call",
        {
            **{sign: signal for sign, signal in _own(call).signals.items() if sign == "retries"},
            "open": _opened(f'circuit{{{name},event="open"}}', call, sample("open")),
            "flaps": Signal(f'max(increase(circuit{{{name},event="close"}}[$w]))', (sample("close"),)),
            "refused": Signal(
                f'sum(rate(circuit{{{name},event="semaphoreLocked"}}[$w])) / {asked}',
                (fired, sample("semaphoreLocked")),
            ),
            # A timeout and a full bulkhead are failures too, and counted as such beside their own events.
            "failed": Signal(
                f'sum(rate(circuit{{{name},event=~"failure|reject"}}[$w])) / {asked}', (fired, sample("failure"))
            ),
        },
    )


def _own(call: CallPlan) -> Metrics:
    """Names for what has none: libraries without metrics, whose hooks the caller's code counts by."""
    name = f'call="{call.name}"'
    asked = f"sum(rate(resilience_calls_total{{{name}}}[$w]))"
    good = Sample(f'resilience_calls_total{{{name},outcome="good",instance="a"}}', "+15", "+15")

    def sample(outcome: str) -> Sample:
        return Sample(f'resilience_calls_total{{{name},outcome="{outcome}",instance="a"}}', _FAILS, "+0")

    state = f"resilience_breaker_open{{{name}}}"
    one = state.replace("}", ',instance="a"}')
    retries = Sample(f'resilience_retries_total{{{name},instance="a"}}', "+15", "+0")
    return Metrics(
        "no metrics of the library's own: the names are ours",
        "resilience_breaker_open (gauge: 1 while a breaker isn't closed), resilience_retries_total and "
        'resilience_calls_total{outcome="good|failed|refused"} (counters), counted in the hooks of the library, with '
        "the label call",
        {
            "open": Signal(f"avg(max by (instance) ({state}))", (Sample(one, "=1", "=0"),)),
            "flaps": Signal(f"max(changes({state}[$w])) / 2", (Sample(one, "~", "=0"),)),
            "retries": Signal(f"sum(rate(resilience_retries_total{{{name}}}[$w])) / {asked}", (good, retries)),
            "refused": Signal(
                f'sum(rate(resilience_calls_total{{{name},outcome="refused"}}[$w])) / {asked}',
                (good, sample("refused")),
            ),
            "failed": Signal(
                f'sum(rate(resilience_calls_total{{{name},outcome!="good"}}[$w])) / {asked}', (good, sample("failed"))
            ),
        },
    )


def _grpc(call: CallPlan) -> Metrics:
    name = f'grpc_method=~"(.*/)?{call.operation}"'
    one = f'grpc_method="shop.v1.Service/{call.operation}"'
    count = "grpc_client_call_duration_seconds_count"
    asked = f"sum(rate({count}{{{name}}}[$w]))"
    good = Sample(f'{count}{{{one},grpc_status="OK",instance="a"}}', "+15", "+15")
    return Metrics(
        "https://grpc.io/docs/guides/opentelemetry-metrics/",
        "the OpenTelemetry plugin of gRPC with grpc.client.attempt.started and grpc.client.call.duration",
        {
            "retries": Signal(
                f"sum(rate(grpc_client_attempt_started_total{{{name}}}[$w])) / {asked} - 1",
                (good, Sample(f'grpc_client_attempt_started_total{{{one},instance="a"}}', "+30", "+15")),
            ),
            "failed": Signal(
                f'sum(rate({count}{{{name},grpc_status!~"OK|CANCELLED|INVALID_ARGUMENT|NOT_FOUND|ALREADY_EXISTS|'
                f'PERMISSION_DENIED|FAILED_PRECONDITION|OUT_OF_RANGE|UNAUTHENTICATED"}}[$w])) / {asked}',
                (good, Sample(f'{count}{{{one},grpc_status="UNAVAILABLE",instance="a"}}', _FAILS, "+0")),
            ),
        },
    )


def _cluster(call: CallPlan, name: str, one: str, source: str, needs: str) -> Metrics:
    """Envoy's own statistics of the cluster that the selector finds; `one` is such a cluster's label."""
    total, retried = f"envoy_cluster_upstream_rq_total{{{name}}}", f"envoy_cluster_upstream_rq_retry{{{name}}}"
    ejected, hosts = "envoy_cluster_outlier_detection_ejections_active", "envoy_cluster_membership_total"
    enforced = "envoy_cluster_outlier_detection_ejections_enforced_total"
    codes, overflow = "envoy_cluster_upstream_rq_xx", "envoy_cluster_upstream_rq_pending_overflow"
    tries = f"sum(rate({total}[$w]))"

    def sample(series: str, sick: str, well: str, more: str = "") -> Sample:
        return Sample(f'{series}{{{one},instance="a"{more}}}', sick, well)

    all_of_them = sample("envoy_cluster_upstream_rq_total", "+30", "+30")
    return Metrics(
        source,
        needs,
        {
            "open": Signal(
                f"sum({ejected}{{{name}}}) / sum({hosts}{{{name}}})",
                (sample(ejected, f"={call.known.hosts}", "=0"), sample(hosts, *[f"={call.known.hosts}"] * 2)),
            ),
            "flaps": Signal(
                f"max(increase({enforced}{{{name}}}[$w])) / {call.known.hosts}",
                (sample(enforced, f"+{call.known.hosts}", "+0"),),
            ),
            "retries": Signal(
                f"sum(rate({retried}[$w])) / ({tries} - sum(rate({retried}[$w])))",
                (all_of_them, sample("envoy_cluster_upstream_rq_retry", "+15", "+0")),
            ),
            "refused": Signal(
                f"sum(rate({overflow}{{{name}}}[$w])) / {tries}", (all_of_them, sample(overflow, "+15", "+0"))
            ),
            "failed": Signal(
                f'sum(rate({codes}{{{name},envoy_response_code_class="5"}}[$w])) / sum(rate({codes}{{{name}}}[$w]))',
                (sample(codes, "+15", "+15", ',envoy_response_code_class="2"'),
                 sample(codes, _FAILS, "+0", ',envoy_response_code_class="5"')),
            ),
        },
    )  # fmt: skip


_ENVOY = "https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats"


def _of_cluster(call: CallPlan) -> str:
    """A cluster with the dependency's name as a word of it: payment, outbound|80||payment.shop.svc.cluster.local."""
    name = _host(call.dependency).replace(".", "\\\\.")
    return f'envoy_cluster_name=~"(.*[^a-zA-Z0-9-])?{name}([^a-zA-Z0-9-].*)?"'


def _envoy(call: CallPlan) -> Metrics:
    needs = "a cluster with the dependency's name, and /stats/prometheus of its admin port scraped"
    return _cluster(call, _of_cluster(call), f'envoy_cluster_name="{_host(call.dependency)}"', _ENVOY, needs)


def _istio(call: CallPlan) -> Metrics:
    found = _cluster(
        call,
        _of_cluster(call),
        f'envoy_cluster_name="outbound|80||{_host(call.dependency)}.shop.svc.cluster.local"',
        "https://istio.io/latest/docs/reference/config/metrics/ and, for ejections and retries, "
        "https://istio.io/latest/docs/ops/configuration/telemetry/envoy-stats/",
        "what Istio leaves out of Envoy's statistics: in the annotation proxy.istio.io/config of the caller's pods, "
        'proxyStatsMatcher: {inclusionRegexps: [".*outlier_detection.*", ".*upstream_rq_retry.*", '
        '".*upstream_rq_total.*", ".*membership_total.*"]}',
    )
    name = (
        f'reporter="source",source_workload="{_host(call.caller)}",destination_service_name="{_host(call.dependency)}"'
    )
    asked = f"sum(rate(istio_requests_total{{{name}}}[$w]))"
    good = Sample(f'istio_requests_total{{{name},response_code="200",response_flags="-",instance="a"}}', "+15", "+15")
    bad = Sample(f'istio_requests_total{{{name},response_code="503",response_flags="UO",instance="a"}}', _FAILS, "+0")
    signals = {
        **found.signals,
        "refused": Signal(
            f'sum(rate(istio_requests_total{{{name},response_flags=~".*UO.*"}}[$w])) / {asked}', (good, bad)
        ),
        "failed": Signal(
            f'((sum(rate(istio_requests_total{{{name},response_code=~"5.."}}[$w])) or vector(0)) + (sum(rate('
            f'istio_requests_total{{{name},response_code!~"5..",grpc_response_status=~"4|8|13|14"}}[$w])) or '
            f"vector(0))) / {asked}",
            (good, bad),
        ),
    }
    return Metrics(found.source, found.needs, signals)


def _consul(call: CallPlan) -> Metrics:
    name = f'consul_source_service="{_host(call.caller)}",consul_destination_service="{_host(call.dependency)}"'
    needs = "envoy_prometheus_bind_addr in the proxy's defaults, and that port scraped"
    return _cluster(call, name, name, f"{_ENVOY}; the labels are Consul's own, of its cluster names", needs)


def _linkerd(call: CallPlan) -> Metrics:
    to, back = f'parent_name="{_host(call.dependency)}"', f'backend_name="{_host(call.dependency)}"'
    ends, all_of = "outbound_http_balancer_endpoints", "outbound_http_route_request_statuses_total"
    retried = "outbound_http_route_retry_requests_total"
    asked = f"sum(rate({all_of}{{{to}}}[$w]))"
    good = Sample(f'{all_of}{{{to},http_status="200",error="",instance="a"}}', "+15", "+15")
    ready = Sample(f'{ends}{{{back},endpoint_state="ready",instance="a"}}', "=0", "=3")
    pending = Sample(f'{ends}{{{back},endpoint_state="pending",instance="a"}}', "=3", "=0")
    return Metrics(
        "https://linkerd.io/2/reference/proxy-metrics/ and linkerd2-proxy, balance.rs",
        "the proxies scraped; for a GRPCRoute the names begin with outbound_grpc_route_ and the label is grpc_status",
        {
            "open": Signal(f'sum({ends}{{{back},endpoint_state="pending"}}) / sum({ends}{{{back}}})', (ready, pending)),
            "flaps": Signal(
                f'max(changes({ends}{{{back},endpoint_state="pending"}}[$w])) / 2',
                (Sample(pending.series, "~", "=0"),),
            ),
            "retries": Signal(
                f"sum(rate({retried}{{{to}}}[$w])) / {asked}",
                (good, Sample(f'{retried}{{{to},instance="a"}}', "+15", "+0")),
            ),
            "failed": Signal(
                f'1 - (sum(rate({all_of}{{{to},http_status=~"[1-4].."}}[$w])) or vector(0)) / {asked}',
                (good, Sample(f'{all_of}{{{to},http_status="503",error="",instance="a"}}', _FAILS, "+0")),
            ),
        },
    )


def _opened(events: str, call: CallPlan, sample: Sample) -> Signal:
    """Where only openings are counted: what opened lately isn't closed, since each failed probe opens it anew."""
    lately = 60 + 2 * int(call.breaker.open_for + 1) if call.breaker else 60
    return Signal(f"avg(max by (instance) (increase({events}[{lately}s]) > bool 0))", (sample,))


def _host(name: str) -> str:
    """The service as meshes call it: small letters, no underscores."""
    return name.lower().replace("_", "-").strip("-.")


_STACKS: Mapping[Stack, Callable[[CallPlan], Metrics]] = {
    "resilience4j": _resilience4j,
    "polly": _polly,
    "opossum": _opossum,
    "grpc": _grpc,
    "envoy": _envoy,
    "istio": _istio,
    "linkerd": _linkerd,
    "consul": _consul,
}

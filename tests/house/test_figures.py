"""A figure of the knowledge base stands there and nowhere else: code and templates read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from halfopen.thresholds import Threshold, thresholds
from tests.house.places import ROOT

# What a name holds that means the figure: by the figure's id, or by the first word of it.
NAMES = {
    "retry-first-wait": r"backoff|interval|first_?wait",
    "retry-factor": r"factor|coefficient|backoff_?rate|multiplier|power",
    "retry-longest-wait": r"(?:max\w*|longest)_?(?:backoff|interval|wait)",
    "breaker": r"breaker|failure_?(?:rat|threshold)|open_?(?:time|state)|half_?open|probes|window",
    "retry": r"retr(?:y|ies)|attempt|tries",
    "timeout": r"timeout",
    "mesh": r"mesh|services",
    "canary": r"canary",
    "stable": r"stable",
    "tracing": r"tracing|services",
    "pool": r"pool|lifetime",
    "connection": r"connection_cost",
    "cache": r"ttl|cache_?age|expir",
    "rate": r"rate_limit|burst",
    "teams": r"teams",
    "startup": r"startup",
    "scale": r"scale_apart",
    "developers": r"developers",
    "contexts": r"contexts",
    "services": r"services_joined",
    "reads": r"reads_per_write",
    "grpc": r"speed_up",
}
FILES = sorted(
    path
    for folder in ("halfopen", "generators", "server")
    for pattern in ("*.py", "*.j2")
    for path in (ROOT / folder).rglob(pattern)
)


# Lines whose figure means something else, though it is equal and so is the name: of which figure it is none, and why.
EQUAL_BY_CHANCE = {
    ("store.py.j2", 'connection.execute("PRAGMA busy_timeout = 30000")'): (
        "timeout-long-running",
        "how long SQLite waits for the lock of another connection",
    ),
    ("engines.py", "_OPOSSUM_WINDOW = 10.0"): ("breaker-window", "what opossum takes where nobody says otherwise"),
    ("engines.py", "_POLLY_WINDOW = 30.0"): ("breaker-open-time", "how long Polly samples where nobody says otherwise"),
}
# What may stand between a name and its figure and mean nothing else: an annotation, no word, or one of these.
BETWEEN = (
    r"(?:: [\w| \[\].]+(?= =))?(?:[^\w\n]|(?<=\()\n|\b(?:timedelta|seconds|milliseconds|minutes|default|Field|Duration"
    r"|float|int|str|None|len|in|range|or|g[et]|l[et])\b)*?"
)


def literals(figure: Threshold) -> Iterator[str]:
    for value in (figure.value, figure.least, figure.most):
        if value is None:
            continue
        # Five minutes are no five seconds.
        yield rf"(?<!minutes=)(?<!milliseconds=){value:g}(?:\.0+)?(?:s|m|min)?"
        if figure.unit == "ratio":
            yield rf"{value * 100:g}%?"
        if figure.unit == "seconds":
            yield f"{value * 1000:.0f}(?:ms)?"
            if value % 60 == 0:
                yield rf"(?:(?<=minutes=){value / 60:g}|{value / 60:g}m(?:in)?|{value / 60:g} ?\* ?60)"


def copies(text: str, figure: Threshold) -> list[str]:
    """Lines that set or compare a name which means the figure to the figure itself."""
    name = NAMES.get(figure.id) or NAMES[figure.id.partition("-")[0]]
    written = "|".join(literals(figure))
    # What scales a figure is none.
    setting = re.compile(
        rf"\b(?!\w+_scale\b)\w*(?:{name})\w*(?=\W){BETWEEN}(?<![\w.])(?:{written})(?![\w.%]\w)(?!\w)", re.IGNORECASE
    )
    ends = (found.end() for found in setting.finditer(text))
    return [(text[:end].rpartition("\n")[2] + text[end:].partition("\n")[0]).strip() for end in ends]


@pytest.mark.parametrize("figure", thresholds().values(), ids=lambda figure: figure.id)
def test_no_code_copies_a_figure(figure: Threshold) -> None:
    found = {
        (path.name, line): str(path.relative_to(ROOT))
        for path in FILES
        for line in copies(path.read_text(encoding="utf-8"), figure)
    }
    equal = {place for place, (of, _) in EQUAL_BY_CHANCE.items() if of == figure.id}
    assert {place: path for place, path in found.items() if place not in equal} == {}
    assert equal <= set(found), "a line that is named as an exception is gone"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("timeout-service-call", "timeout: float = 5"),
        ("timeout-service-call", "    timeout=5.0,"),
        ("timeout-service-call", "timeout: Seconds | None = 5"),
        ("timeout-service-call", 'default_timeout = "5s"'),
        ("breaker-failure-ratio", "failure_ratio = 0.5"),
        ("breaker-failure-ratio", "failure_rate_threshold: 50"),
        ("retry-count", "max_retries = 3"),
        ("retry-count", '"attempts": 5'),
        ("cache-ttl", "ttl: 5m"),
        ("canary-share", "canary_weight: 5"),
        ("pool-per-core", "pool_per_core = 2"),
        ("timeout-service-call", "start_to_close_timeout=timedelta(seconds=5),"),
        ("timeout-service-call", "timeout: float = Field(default=5)"),
        ("timeout-service-call", "{{ step.timeout | default(5) }}"),
        ("timeout-service-call", "wait = step.timeout or 5"),
        ("timeout-service-call", "options.get('timeout', 5)"),
        ("timeout-service-call", 'f"--timeout={5}"'),
        ("timeout-service-call", "timeout_ms = 5000"),
        ("retry-count", "if attempts >= 3:"),
        ("retry-count", "for attempt in range(3):"),
        ("retry-first-wait", '"IntervalSeconds": 1,'),
        ("retry-first-wait", "interval '1 second'"),
        ("retry-factor", '"BackoffRate": 2.0,'),
        ("retry-longest-wait", "maximum_interval=timedelta(seconds=8),"),
        ("cache-ttl", "ttl=timedelta(minutes=5)"),
        ("cache-ttl", "expires_in = 5 * 60"),
        ("breaker-failure-ratio", "failure_threshold: 50%"),
        ("breaker-open-time", "wait_duration_in_open_state: 30s"),
        ("pool-longest-life", "maxLifetime=1800000"),
        ("mesh-more-services-than", "if len(services) > 10:"),
    ],
)
def test_a_copy_would_be_found(name: str, line: str) -> None:
    assert copies(line, thresholds()[name]) == [line.strip()]


def test_a_copy_in_a_call_over_two_lines_would_be_found() -> None:
    call = "run(\n    timeout=timedelta(\n        seconds=5,\n    )\n)\n"
    assert copies(call, thresholds()["timeout-service-call"]) == ["seconds=5,"]


@pytest.mark.parametrize(
    "line",
    [
        "timeout: float = 50",
        "timeout = settings.timeout",
        "index = 5",
        "timeout = 5.5",
        "timeout=timedelta(minutes=5)",
        "timeout=settings.timeout, index=5",
    ],
)
def test_what_is_no_copy_is_left_alone(line: str) -> None:
    assert not copies(line, thresholds()["timeout-service-call"])

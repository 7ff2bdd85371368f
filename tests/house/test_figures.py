"""A figure of the knowledge base stands there and nowhere else: code and templates read it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from halfopen.knowledge import Threshold, thresholds
from tests.house.places import ROOT

# What a name holds that means the figure.
NAMES = {
    "breaker": r"breaker|failure_r|open_time|half_open|probes|window",
    "retry": r"retr(y|ies)|attempts|backoff|factor",
    "timeout": r"timeout",
    "mesh": r"mesh|services",
    "canary": r"canary",
    "stable": r"stable_share",
    "tracing": r"tracing|services",
    "pool": r"pool",
    "connection": r"connection_cost",
    "cache": r"ttl|cache_age",
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


def literals(figure: Threshold) -> Iterator[str]:
    for value in (figure.value, figure.least, figure.most):
        if value is not None:
            yield rf"{value:g}(?:\.0)?(?:s|m|min)?"
            if figure.unit == "ratio":
                yield rf"{value * 100:g}%?"
            if figure.unit == "seconds" and value % 60 == 0:
                yield rf"{value / 60:g}m(?:in)?"


def copies(text: str, figure: Threshold) -> list[str]:
    """Lines that set a name which means the figure to the figure itself."""
    name = NAMES[figure.id.partition("-")[0]]
    written = "|".join(literals(figure))
    # What scales a figure is none.
    setting = re.compile(
        rf"\b(?!\w+_scale\b)\w*(?:{name})\w*\"?(?:: [\w| ]+)? ?[=:] ?\"?(?:{written})\b(?![.%\w])", re.IGNORECASE
    )
    return [line.strip() for line in text.splitlines() if setting.search(line)]


@pytest.mark.parametrize("figure", thresholds().values(), ids=lambda figure: figure.id)
def test_no_code_copies_a_figure(figure: Threshold) -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in FILES
        if (lines := copies(path.read_text(encoding="utf-8"), figure))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("timeout-service-call", "timeout: float = 5"),
        ("timeout-service-call", "    timeout=5.0,"),
        ("timeout-service-call", 'default_timeout = "5s"'),
        ("breaker-failure-ratio", "failure_ratio = 0.5"),
        ("breaker-failure-ratio", "failure_rate_threshold: 50"),
        ("retry-count", "max_retries = 3"),
        ("retry-count", '"attempts": 5'),
        ("cache-ttl", "ttl: 5m"),
        ("canary-share", "canary_weight: 5"),
        ("pool-per-core", "pool_per_core = 2"),
    ],
)
def test_a_copy_would_be_found(name: str, line: str) -> None:
    assert copies(line, thresholds()[name]) == [line.strip()]


@pytest.mark.parametrize("line", ["timeout: float = 50", "timeout = settings.timeout", "index = 5", "timeout = 5.5"])
def test_what_is_no_copy_is_left_alone(line: str) -> None:
    assert not copies(line, thresholds()["timeout-service-call"])

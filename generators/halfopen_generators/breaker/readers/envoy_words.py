"""The conditions that Envoy retries on, which the meshes built on it pass through.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
"""

from __future__ import annotations

from collections.abc import Collection

_MEANS: dict[str, tuple[str, ...]] = {
    "5xx": ("unreached", "unavailable", "timeout"),
    "gateway-error": ("unreached", "unavailable", "timeout"),
    "reset": ("unreached", "timeout"),
    "reset-before-request": ("unreached",),
    "connect-failure": ("unreached",),
    "refused-stream": ("unreached",),
    "unavailable": ("unavailable",),
    "deadline-exceeded": ("timeout",),
    "503": ("unavailable",),
    "504": ("timeout",),
}


def conditions(text: str, codes: Collection[int] = ()) -> tuple[str, ...]:
    """The failures that are tried again by a list of conditions with commas, and status codes."""
    words = [word.strip() for word in text.split(",")]
    listed = [*words, *(str(code) for code in codes if "retriable-status-codes" in words)]
    return tuple(sorted({failure for word in listed for failure in _MEANS.get(word, ())}))

"""What the readers of meshes share: objects of YAML files, durations, and what ejecting hosts means as a breaker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from halfopen_generators.breaker.reading import Term, Value

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# A sweep that is longer than this part of the time out is told in it.
_NEAR = 0.1


def documents(text: str) -> list[Any]:
    """The trees of a YAML file."""
    import yaml  # noqa: PLC0415 - only reading pays for it

    # libyaml is ten times as fast as what is written in Python, and every wheel has it.
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def objects(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The objects of all files, by their kind.

    Raises:
        ValueError: two are of one kind.
    """
    found: dict[str, dict[str, Any]] = {}
    for text in texts.values():
        for tree in documents(text):
            if tree["kind"] in found:
                raise ValueError(f"there are two of the kind {tree['kind']}")
            found[tree["kind"]] = tree
    return found


def seconds(text: str) -> float:
    """A duration as Kubernetes and Go write it: 900ms, 0.9s, 1m.

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return round(float(found[1]) * _UNITS[found[2]], 9)


def once() -> dict[Term, Value]:
    """One try, and none after it."""
    return {"attempts": 1, "first_wait": None, "factor": None, "longest_wait": None, "jitter": None, "budget": None,
            "retried_on": ()}  # fmt: skip


def no_breaker() -> dict[Term, Value]:
    """No host is ever left out."""
    return {"window": None, "size": None, "minimum_calls": None, "failure_ratio": None, "slow_ratio": None,
            "slow_after": None, "open_for": None, "probes": None}  # fmt: skip


def in_a_row(number: int, *, out_for: float, sweep: float, percent: float, panic: float = 0) -> dict[Term, Value]:
    """So many failures of a host in a row: a window of as many calls, all of which have to fail.

    A host comes back at the first sweep after its time. Where the hosts that may be out are so many that panic sends
    calls to them all the same, the breaker is none.
    """
    if panic > 0 and percent > 100 - panic:
        return no_breaker()
    longest = out_for + sweep if sweep > out_for * _NEAR * (1 + 1e-9) else out_for
    return {"window": "count", "size": number, "minimum_calls": number, "failure_ratio": 1, "slow_ratio": None,
            "slow_after": None, "open_for": round(longest, 9), "probes": None}  # fmt: skip


def refused(*, requests: int | None, pending: int | None, connections: int | None) -> float | None:
    """How many calls are under way at most.

    Over HTTP/1.1 a call needs a connection, and is pending while one is made: what is allowed least decides. Where that
    is connections, what is more waits instead of being refused.
    """
    there = [number for number in (requests, pending, connections) if number is not None]
    return min(there, default=None)


def layers(read: Mapping[Term, Value]) -> tuple[str, ...]:
    """Outermost first: a call is retried; each try finds a host that isn't left out, a place, and has its time."""
    there = (
        ("retry", read["attempts"] != 1),
        ("breaker", read["window"] is not None),
        ("bulkhead", read["concurrent"] is not None),
        ("timeout", read["per_try"] is not None),
    )
    return tuple(layer for layer, is_there in there if is_there)

"""What the rules find in a spec that is a payment's but for what a test changes, and a fix carried out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from halfopen.source import Source
from halfopen.vocabulary import Finding
from halfopen_generators.breaker import spoken
from halfopen_generators.breaker.check import static_findings
from tests.breaker.designs import designed, source

PAYMENT: dict[str, Any] = {
    "caller": "checkout",
    "dependency": "payment",
    "operation": "ChargeCard",
    "idempotency_key": "order_id",
    "traffic": {"rate": "200/s", "instances": 6},
    "latency": {"p50": "40ms", "p99": "250ms", "p999": "900ms"},
    "deadline": "2s",
    "stacks": ["resilience4j"],
}
# A call further in, for chains.
BANK: dict[str, Any] = {
    "caller": "payment",
    "dependency": "bank",
    "operation": "Transfer",
    "idempotency_key": "order_id",
    "traffic": {"rate": "200/s", "instances": 4},
    "latency": {"p50": "20ms", "p99": "100ms"},
    "deadline": "400ms",
}
ARCHITECTURE = "shop.architecture.yaml"


def spec(**changes: Any) -> dict[str, Any]:
    """The payment's spec with these keys instead; None takes one away."""
    return {key: value for key, value in {**PAYMENT, **changes}.items() if value is not None}


def shop(folder: Path, **edges: dict[str, Any]) -> str:
    """Write an architecture in which one service calls the next, and the last the payment: its name."""
    names = [*edges, "checkout", "payment"]
    between = [*edges.values(), {}]
    services = {
        name: {"calls": [{"to": to, **edge}]} for name, to, edge in zip(names, names[1:], between, strict=False)
    }
    data = {"architecture": "shop", "services": {**services, "payment": {"external": True}}}
    (folder / ARCHITECTURE).write_text(yaml.safe_dump(data, sort_keys=False))
    return ARCHITECTURE


def text(data: dict[str, Any]) -> str:
    """The spec as a file in which each key has a line."""
    return yaml.safe_dump(data, sort_keys=False)


def found(data: dict[str, Any], folder: Path | None = None) -> tuple[Finding, ...]:
    """What the rules say of it, worst first, with file and lines."""
    written: Source = source(text(data), folder)
    planned = designed(text(data), folder)
    return tuple(
        each.model_copy(update={"evidence": tuple(written.located(place) for place in each.evidence)})
        for each in sorted(static_findings(planned), key=lambda each: (-each.severity.rank, each.code))
    )


def spoken_of(data: dict[str, Any]) -> tuple[Finding, ...]:
    """What its dialects can't say."""
    return tuple(spoken.findings(spoken.spoken(designed(text(data)))))


def codes(data: dict[str, Any], folder: Path | None = None) -> set[str]:
    """The codes of what the rules say of it."""
    return {each.code for each in found(data, folder)}


def told(data: dict[str, Any], code: str, folder: Path | None = None) -> str:
    """The findings of that code, as somebody reads them."""
    return retold(each for each in found(data, folder) if each.code == code)


def retold(findings: Iterable[Finding]) -> str:
    """Findings as somebody reads them: what is wrong, what to do, and where to look."""
    lines = [
        line for each in findings
        for line in (f"{each.severity}: {each.message}", f"-> {each.fix}",
                     f"@ {', '.join(place.path for place in each.evidence)}")
    ]  # fmt: skip
    return "\n".join(textwrap.fill(line, 100, break_long_words=False, break_on_hyphens=False) for line in lines)


def fragments(fix: str) -> list[dict[str, Any]]:
    """What a fix says to write: what stands in backticks at its beginning, before any other way."""
    if not fix.startswith("`"):
        return []
    return [yaml.safe_load(fragment) for fragment in re.findall(r"`([^`]+)`", re.split(r",? or |; | if ", fix)[0])]


def place(finding: Finding) -> int:
    """Which call of the chain it is about, by the first place in the spec: 0 is the outermost."""
    (path,) = [each.path for each in finding.evidence if each.file != ARCHITECTURE][:1]
    return int(match[1]) + 1 if (match := re.match(r"then\[(\d+)\]", path)) else 0


def mended(data: dict[str, Any], finding: Finding) -> dict[str, Any] | None:
    """The spec with what the fix says written into it; None if it says nothing that can be written."""
    wanted = fragments(finding.fix)
    if not wanted:
        return None
    chain = [data, *data.get("then", [])]
    number = place(finding)
    for fragment in wanted:
        chain[number] = _merged(chain[number], fragment)
    return {**chain[0], **({"then": chain[1:]} if "then" in data else {})}


def _merged(data: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    nested = {key: _merged(data[key], value) for key, value in more.items()
              if isinstance(value, dict) and isinstance(data.get(key), dict)}  # fmt: skip
    return {**data, **more, **nested}

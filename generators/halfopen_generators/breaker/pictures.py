"""The policy as Mermaid: who calls whom and waits how long, and what a call passes on its way."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.quantities import spell_rate, spell_share
from halfopen_generators.breaker.plan import BreakerPlan, CallPlan, Layer, Policy
from halfopen_generators.breaker.shown import time


def chain(policy: Policy) -> str:
    """All calls, outermost first, each with its timeout and tries."""
    lines = ["flowchart LR"]
    ids: dict[str, str] = {}

    def node(name: str) -> str:
        if name in ids:
            return ids[name]
        ids[name] = f"n{len(ids)}"
        return f'{ids[name]}["{_quoted(name)}"]'

    for above in policy.upstream:
        waits = f"{time(above.timeout)} a try" if above.timeout else "no timeout"
        lines.append(_arrow(node(above.caller), f"{waits}, {_tries(above.attempts)}", node(above.dependency)))
    for call in policy.calls:
        attempts = call.retry.attempts if call.retry else 1
        waits = f"{time(call.timeout.per_try)} a try, {_tries(attempts)}"
        if attempts > 1:
            waits += f", {time(call.timeout.overall)} in all"
        lines.append(_arrow(node(call.caller), f"{call.operation}: {waits}", node(call.dependency)))
    return "\n".join(lines)


def layers(call: CallPlan) -> str:
    """What a call passes, outermost first."""
    lines = ["flowchart LR", f'    asked(["{_quoted(call.operation)}"])']
    before = "asked"
    for layer, figure in _layers(call):
        lines.append(f'    {before} --> {layer}["{layer}<br/>{_quoted(figure)}"]')
        before = layer
    lines.append(f'    {before} --> dependency[("{_quoted(call.dependency)}")]')
    if call.fallback and call.fallback_dependency:
        lines.append(f'    fallback -. "{call.fallback}" .-> other[("{_quoted(call.fallback_dependency)}")]')
    return "\n".join(lines)


def _layers(call: CallPlan) -> Iterator[tuple[Layer, str]]:
    figures: dict[Layer, str] = {
        "fallback": call.fallback or "",
        "retry": f"{call.retry.attempts} tries" if call.retry else "",
        "breaker": _opens(call.breaker) if call.breaker else "",
        "limit": spell_rate(call.limit.rate) if call.limit else "",
        "bulkhead": f"{call.bulkhead.concurrent} at once" if call.bulkhead else "",
        "timeout": time(call.timeout.per_try),
    }
    return ((layer, figures[layer]) for layer in call.layers)


def _opens(breaker: BreakerPlan) -> str:
    return f"opens at {spell_share(breaker.failure_ratio)}, for {time(breaker.open_for)}"


def _arrow(one: str, label: str, other: str) -> str:
    return f'    {one} -->|"{_quoted(label)}"| {other}'


def _tries(attempts: int) -> str:
    return "1 try" if attempts == 1 else f"{attempts} tries"


def _quoted(text: str) -> str:
    """Text that can't end a quoted label or begin another thing of Mermaid's."""
    plain = text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return " ".join(plain.split())

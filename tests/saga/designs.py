"""Designs for tests: from YAML text, by size, and as a hypothesis strategy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import strategies as st

from halfopen.registry import Options
from halfopen.source import Source, parse_source, validate
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import SagaSpec

MEASURES = ("semantic-lock", "commutative-update", "reread-value", None)
EVERY_MEASURE = (*MEASURES, "version-file", "pessimistic-view", "by-value")
ALL_GUARANTEES = {"deduplicates": True, "refuses_late_actions": True, "accepts_empty_compensation": True}


def designed(data: dict[str, Any] | str) -> SagaDesign:
    """The design of a spec given as a mapping or as YAML."""
    source = parse_source(data) if isinstance(data, str) else Source(data)
    return design(validate(SagaSpec, source), source, Options())


def in_a_row(
    steps: int,
    *,
    touching: Collection[int] = (),
    measure: str | None = None,
    measures: Sequence[str | None] = (),
    reads: bool = True,
    **more: Any,
) -> SagaDesign:
    """Steps one after the other: all compensatable and refusable but the pivot, last but one, and one behind it.

    Those that touch write one resource, and read it too; with `measures` each of these has a resource of its own, and
    steps take turns.
    """
    spec: dict[str, Any] = {"saga": "row", "style": "orchestration", "deadline": "60s", "services": {}, "steps": []}
    for n in range(steps):
        step: dict[str, Any] = {"name": f"s{n}", "service": f"p{n}", "action": f"Do{n}x"}
        if n < steps - 2:
            step |= {"compensation": f"Undo{n}x", "kind": "compensatable", "can_be_refused": True}
        else:
            step |= {"kind": "pivot", "can_be_refused": True} if n == steps - 2 else {"kind": "retriable"}
        if n in touching:
            each = measures or (measure,)
            taken, name = each[n % len(each)], f"stock{n % len(each) or ''}"
            step |= {"service": "store", "reads": [name] if reads else [], "writes": [name]}
            spec["services"]["store"] = ALL_GUARANTEES
            if taken:
                step["countermeasures"] = {name: taken}
        else:
            spec["services"][f"p{n}"] = ALL_GUARANTEES
        spec["steps"].append(step)
    return designed({**spec, **more})


def in_parallel(steps: int, *, odd: dict[str, Any] | None = None, **more: Any) -> SagaDesign:
    """So many steps side by side, all alike but for what is `odd` about the last; then a pivot, and one behind it."""
    spec: dict[str, Any] = {"saga": "fan", "style": "orchestration", "deadline": "60s", "services": {}, "steps": []}
    names = [f"s{n}" for n in range(steps)]
    for n, name in enumerate(names):
        spec["services"][f"p{n}"] = ALL_GUARANTEES
        step: dict[str, Any] = {"name": name, "service": f"p{n}", "action": f"Do{n}x", "after": []}
        step |= {"compensation": f"Undo{n}x", "kind": "compensatable", "can_be_refused": True}
        step |= (odd or {}) if n == steps - 1 else {}
        spec["steps"].append({key: value for key, value in step.items() if value is not None})
    for name, kind, after in (("pay", "pivot", names), ("ship", "retriable", ["pay"])):
        spec["services"][name] = ALL_GUARANTEES
        step = {"name": name, "service": name, "action": name.title(), "kind": kind, "after": after}
        spec["steps"].append(step | {"can_be_refused": kind == "pivot"})
    return designed({**spec, **more})


@st.composite
def orchestrated(
    draw: st.DrawFn,
    *,
    most_steps: int = 3,
    shared: bool = False,
    alike: bool = False,
    resources: Sequence[str] = ("x",),
    measures: Sequence[str | None] = MEASURES,
) -> SagaDesign:
    """Any small orchestrated saga, good or broken; with `alike` some of its steps are side by side and the same."""
    touched = st.lists(st.sampled_from(resources), unique=True)
    count = draw(st.integers(1, most_steps))
    maybe = st.sampled_from([True, False, None])
    spec: dict[str, Any] = {"saga": "any", "style": "orchestration", "services": {}, "steps": []}
    for n in range(count):
        spec["services"][f"p{n}"] = {name: draw(maybe) for name in ALL_GUARANTEES} | {"external": draw(st.booleans())}
        step: dict[str, Any] = {"name": f"s{n}", "service": f"p{n}", "action": f"Do{n}x"}
        step["after"] = draw(st.lists(st.sampled_from([f"s{m}" for m in range(n)]), unique=True)) if n else []
        step["can_be_refused"] = draw(st.booleans())
        if (kind := draw(st.sampled_from(["compensatable", "pivot", "retriable", None]))) is not None:
            step["kind"] = kind
        if draw(st.booleans()):
            refusable = draw(st.sampled_from([False, False, True]))
            step["compensation"] = {"action": f"Undo{n}x", "can_be_refused": refusable}
        if draw(st.booleans()):
            step["retry"] = {"attempts": draw(st.integers(1, 2))}
        if shared and draw(st.booleans()):
            step["service"] = "p0"
            step["reads"], step["writes"] = draw(touched), draw(touched)
            taken = {name: draw(st.sampled_from(measures)) for name in {*step["reads"], *step["writes"]}}
            step["countermeasures"] = {name: measure for name, measure in taken.items() if measure}
        spec["steps"].append(step)
        if alike and n and draw(st.booleans()):
            last = spec["steps"][-2]
            twin = {**last, "name": f"s{n}", "service": f"p{n}", "action": f"Do{n}x"}
            if "compensation" in last:
                twin["compensation"] = {**last["compensation"], "action": f"Undo{n}x"}
            spec["steps"][-1] = twin
            spec["services"][f"p{n}"] = spec["services"][last["service"]]
    return designed(spec)

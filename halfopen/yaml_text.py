"""Plain values as YAML text, with a say in which of them stand on one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

_WIDE = 100_000  # no line is folded
_CORE = "tag:yaml.org,2002:"


class Flow(dict[str, Any]):
    """A mapping that stands on one line: {type: string, number: 1}."""


class FlowList(list[Any]):
    """A list that stands on one line."""


def kept(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the keys that hold something."""
    return {key: value for key, value in keys.items() if value is not None}


def flow(keys: Mapping[str, Any]) -> Flow:
    """The same, to stand on one line."""
    return Flow(kept(keys))


def flow_list(items: Iterable[Any]) -> FlowList:
    """The items, to stand on one line."""
    return FlowList(items)


def dump(tree: Mapping[str, Any], *, head: str = "") -> str:
    """The mapping as YAML text that reads back to the same values; `head` becomes a comment before it."""
    import yaml  # noqa: PLC0415 - 40 ms that only rendering needs

    # libyaml is ten times as fast as what is written in Python, and every wheel has it.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.serialize(_node(tree), Dumper=dumper, width=_WIDE, allow_unicode=True, indent=2)
    return "".join(f"# {line}\n" for line in head.splitlines()) + text


def _node(value: Any) -> yaml.Node:
    import yaml  # noqa: PLC0415 - see above

    if isinstance(value, Mapping):
        entries = [(_node(str(key)), _node(each)) for key, each in value.items()]
        return yaml.MappingNode(f"{_CORE}map", entries, flow_style=isinstance(value, Flow) or not value)
    if isinstance(value, list | tuple):
        return yaml.SequenceNode(f"{_CORE}seq", [_node(each) for each in value],
                                 flow_style=isinstance(value, FlowList) or not value)  # fmt: skip
    if value is None:
        return yaml.ScalarNode(f"{_CORE}null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(f"{_CORE}bool", "true" if value else "false")
    if isinstance(value, int | float):
        return yaml.ScalarNode(f"{_CORE}{'int' if isinstance(value, int) else 'float'}", repr(value))
    return yaml.ScalarNode(f"{_CORE}str", str(value))

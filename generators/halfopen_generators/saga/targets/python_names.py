"""Names and types of generated Python: from the spec's words to identifiers that can't clash or be keywords."""

from __future__ import annotations

import builtins
import json
import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# How wide the formatter lets a line be.
LINE = 88

_REPEATED = re.compile(r"^repeated\s+(.+)$")
_MAP = re.compile(r"^map\s*<\s*([\w.]+)\s*,\s*([\w.]+)\s*>$")
_IDENTIFIER = re.compile(r"^[A-Za-z_]\w*$", re.ASCII)

_INTEGERS = (
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64"),
)
# Protobuf scalar to what carries it in Python, and a value to show.
_SCALARS: dict[str, tuple[str, str]] = {
    "string": ("str", '"text"'),
    "bool": ("bool", "True"),
    "bytes": ("bytes", 'b"bytes"'),
    "double": ("float", "1.5"),
    "float": ("float", "1.5"),
    "duration": ("float", "1.5"),  # in seconds
    "timestamp": ("datetime", "datetime(2026, 1, 1, tzinfo=UTC)"),
    "google.protobuf.Timestamp": ("datetime", "datetime(2026, 1, 1, tzinfo=UTC)"),
    **dict.fromkeys(_INTEGERS, ("int", "1")),
}
_TYPES = ("Any", "bool", "bytes", "datetime", "dict", "float", "int", "list", "str")
_KEYS = ("string", "int32", "int64", "uint32", "uint64", "bool")


def literal(text: str) -> str:
    """The text as a Python string literal, quoted as the formatter quotes it."""
    quoted = json.dumps(text, ensure_ascii=False)
    if '"' in text and "'" not in text:
        return "'" + quoted[1:-1].replace('\\"', '"') + "'"
    return quoted


def words_tuple(names: Iterable[str], indent: int = 0, before: str = "") -> str:
    """A tuple of strings, laid out as the formatter would lay it out; see `laid_out`."""
    return laid_out([literal(name) for name in names], indent, before)


def laid_out(items: Sequence[str], indent: int = 0, before: str = "") -> str:
    """A tuple in a line that starts with `before`, laid out as the formatter would: short on the line, else one a line.

    Several items always stand on lines of their own: the comma behind the last one tells the formatter so.
    """
    inline = f"({''.join(f'{item},' for item in items)})"
    # A comma may follow the tuple.
    width = indent + len(before) + len(inline) + 1
    if not items or (len(items) == 1 and width <= LINE):
        return inline
    inner = "".join(f"{' ' * (indent + 4)}{item},\n" for item in items)
    return f"(\n{inner}{' ' * indent})"


def attribute(name: str) -> str:
    """A message field's name as a dataclass attribute: one that would hide a keyword or a type gets an underscore."""
    return f"{name}_" if keyword.iskeyword(name) or name in _TYPES else name


def short(name: str, longest: int = 40) -> str:
    """A name cut to a length at which lines that bear it still fit; `Names` keeps two that are cut alike apart."""
    return name[:longest].rstrip("_")


@dataclass
class Names:
    """Hands out identifiers, each only once: a name that is taken or reserved gets an underscore."""

    taken: set[str] = field(default_factory=set)

    def take(self, *wanted: str) -> str:
        """The first of the wanted names that is free; else the last one, made free."""
        for name in wanted:
            if self._free(name):
                self.taken.add(name)
                return name
        name = wanted[-1]
        while not self._free(name):
            name = f"{name}_"
        self.taken.add(name)
        return name

    def _free(self, name: str) -> bool:
        return name not in self.taken and not keyword.iskeyword(name) and not hasattr(builtins, name)


@dataclass(frozen=True)
class PythonType:
    """A field's type: how it is annotated, a value to show, and the type of the user's own it names, if any."""

    annotation: str
    sample: str
    named: str | None = None


def python_type(spelled: str) -> PythonType:
    """The Python type of a field, by the spec's Protobuf-like spelling.

    A name that is no scalar is a type of the user's own: an alias of `dict[str, Any]` in the contract, which
    carries any JSON object until the user says more. What can't be read at all becomes `Any`.
    """
    spelled = spelled.strip()
    if match := _REPEATED.match(spelled):
        inner = python_type(match[1])
        return PythonType(f"list[{inner.annotation}]", f"[{inner.sample}]", inner.named)
    if (match := _MAP.match(spelled)) and match[1] in _KEYS:
        # JSON objects have text for keys, whatever the key's type is on the wire.
        inner = python_type(match[2])
        return PythonType(f"dict[str, {inner.annotation}]", f'{{"key": {inner.sample}}}', inner.named)
    if spelled in _SCALARS:
        return PythonType(*_SCALARS[spelled])
    name = spelled.rpartition(".")[2]
    if _IDENTIFIER.match(name) and not keyword.iskeyword(name) and not hasattr(builtins, name):
        return PythonType(name, "{}", name)
    return PythonType("Any", "None")


def datetime_import(samples: Iterable[str]) -> str:
    """The import that made-up values need, or nothing."""
    return "from datetime import UTC, datetime" if any("datetime(" in sample for sample in samples) else ""

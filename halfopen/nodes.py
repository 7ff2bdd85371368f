"""YAML text as nodes that know their lines: parsed by libyaml or ruamel.yaml, kept to plain values here.

What a parser hands over is checked while it is still parsing, so that a hostile file costs no more than
the limits below: nesting, values after aliases are followed, and nothing but mappings, lists and scalars
(YAML 1.2, core schema). No tag makes an object, and an alias is followed only once its end is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_NODES = 50_000
MAX_DEPTH = 50

# What the two parsers read differently: tabs, line breaks beyond ASCII, and a directive.
_OF_VERSION = re.compile("[\t\x85\u2028\u2029\ufeff]|^%", re.MULTILINE)
_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset({None, "!", *(_CORE + name for name in ("str", "null", "bool", "int", "float"))})
# Half of a character outside the basic plane.
_HALF = re.compile("[\ud800-\udfff]")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# The parser's own words for the two faults people make most, said so that they help.
_PLAINER = {
    "found character '\\t' that cannot start any token": "a tab stands where only spaces may",
    "mapping values are not allowed here": "a ':' stands where no key can be (check the indentation)",
}

Scalar = None | bool | int | float | str


class NotPlain(Exception):  # noqa: N818 - it says what the text is, and becomes a Problem
    """The text can't be read as plain data. Carries the line, counted from 1, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message = message
        self.line = line
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `size` counts it and all below it, aliases followed; `height` the levels below it."""

    value: Scalar | list[Node] | dict[str, tuple[int, Node]]  # a mapping's values come with their keys' lines
    line: int
    size: int = 1
    height: int = 0


def read(text: str, most: int = MAX_NODES) -> Node | None:
    """The one document of the text; None if it holds none.

    Args:
        text: YAML or JSON.
        most: How many values it may hold, aliases followed.

    Raises:
        NotPlain: it is no YAML, holds several documents, or more than the limits allow.
    """
    # libyaml is ten times as fast, and follows YAML 1.1; where that or an error could make a difference, ruamel.yaml
    # has the say, whose errors also say more.
    if not _OF_VERSION.search(text):
        try:
            return _Reader(_quick_events(text), most).document()
        except _Unsure:
            pass
    return _Reader(_events(text), most).document()


class _Unsure(Exception):  # noqa: N818 - it says that there is no answer
    """The quick parser isn't there, or has something against the text."""


def _quick_events(text: str) -> Iterator[Any]:
    import yaml  # noqa: PLC0415 - 20 ms that only a spec file needs

    loader = getattr(yaml, "CSafeLoader", None)
    if loader is None:
        raise _Unsure
    try:
        yield from yaml.parse(text, Loader=loader)
    except (yaml.YAMLError, ValueError, OverflowError):
        raise _Unsure from None


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - 40 ms that only a spec file needs
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - the same
    from ruamel.yaml.reader import ReaderError  # noqa: PLC0415 - the same

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context or "it can't be parsed").split("\n")[0]
        raise NotPlain(f"is not YAML: {_PLAINER.get(what, what)}.", mark.line + 1 if mark else None) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotPlain(f"is not text: it holds the character {text[error.position]!r}.", line) from None
    except (YAMLError, ValueError, OverflowError) as error:
        raise NotPlain(f"is not YAML: {str(error).splitlines()[0]}.") from None


class _Reader:
    """Builds nodes out of events. An anchor maps to None as long as its own node is being built."""

    def __init__(self, events: Iterator[Any], most: int) -> None:
        self.events = events
        self.most = most
        self.anchors: dict[str, Node | None] = {}
        self.built = 0

    def document(self) -> Node | None:
        found: Node | None = None
        documents = 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise NotPlain("holds more than one document; one file holds one.", _line(event))
                found = self.node(next(self.events), 0)
        return found

    def node(self, event: Any, depth: int) -> Node:
        line = _line(event)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._aliased(event.anchor, line)
        self.built += 1
        self._within_limits(self.built, depth, line)
        if event.anchor:
            self.anchors[event.anchor] = None
        if kind == "ScalarEvent":
            node = Node(_scalar(event), line)
        elif event.tag not in {None, "!", f"{_CORE}map", f"{_CORE}seq"}:
            raise _foreign_tag(event)
        else:
            node = self._mapping(line, depth) if kind == "MappingStartEvent" else self._list(line, depth)
        self._within_limits(node.size, depth + node.height, line)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _aliased(self, name: str, line: int) -> Node:
        if name not in self.anchors:
            raise NotPlain(f"the alias *{name} has no anchor &{name} before it.", line)
        node = self.anchors[name]
        if node is None:
            raise NotPlain(f"the alias *{name} stands inside its own anchor &{name}.", line)
        return node

    def _list(self, line: int, depth: int) -> Node:
        items: list[Node] = []
        size = 1
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            items.append(item := self.node(event, depth + 1))
            size += item.size
            self._within_limits(size, depth, item.line)
        return Node(items, line, size, 1 + max((item.height for item in items), default=0))

    def _mapping(self, line: int, depth: int) -> Node:
        own: dict[str, tuple[int, Node]] = {}
        merged: dict[str, tuple[int, Node]] = {}
        size = 1
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            key, key_line = self._key(event), _line(event)
            if key in own:
                raise NotPlain(f"the key {key!r} stands twice; the first is in line {own[key][0]}.", key_line)
            value = self.node(next(self.events), depth + 1)
            if key == "<<" and not event.style:
                merged = _to_merge(value, key_line)
            else:
                own[key] = (key_line, value)
            size += value.size
            self._within_limits(size, depth, key_line)
        entries = {**own, **{key: entry for key, entry in merged.items() if key not in own}}
        return Node(entries, line, size, 1 + max((node.height for _, node in entries.values()), default=0))

    def _within_limits(self, size: int, depth: int, line: int) -> None:
        if depth > MAX_DEPTH:
            raise NotPlain(f"is nested deeper than {MAX_DEPTH} levels.", line)
        if size > self.most:
            raise NotPlain(f"holds more than {self.most} values once its aliases are followed.", line)

    def _key(self, event: Any) -> str:
        if type(event).__name__ == "AliasEvent":
            node = self._aliased(event.anchor, _line(event))
            if isinstance(node.value, str):
                return node.value
        elif type(event).__name__ == "ScalarEvent":
            if event.anchor:
                self.anchors[event.anchor] = Node(_scalar(event), _line(event))
            # As it is written: `1:` and `no:` are the keys "1" and "no".
            return _text(event)
        raise NotPlain("a key is text, not a list or a mapping.", _line(event))


def _to_merge(node: Node, line: int) -> dict[str, tuple[int, Node]]:
    """What `<<` brings in: the entries of one mapping, or of several, the first of which wins."""
    sources = node.value if isinstance(node.value, list) else [node]
    found: dict[str, tuple[int, Node]] = {}
    for source in sources:
        if not isinstance(source.value, dict):
            raise NotPlain("the merge key << takes a mapping, or a list of them.", line)
        for key, entry in source.value.items():
            found.setdefault(key, entry)
    return found


def _scalar(event: Any) -> Scalar:
    if event.tag not in _PLAIN_TAGS:
        raise _foreign_tag(event)
    word = _text(event)
    if event.style or event.tag in {"!", f"{_CORE}str"}:
        return word
    if word in _NULL:
        return None
    if word in _BOOLEAN:
        return _BOOLEAN[word]
    return _number(word, event)


def _number(word: str, event: Any) -> int | float | str:
    try:
        if _INTEGER.fullmatch(word):
            return int(word)
        if _BASED.fullmatch(word):
            return int(word, 0)
    except ValueError:
        raise NotPlain(f"the number {word[:20]}... has too many digits ({len(word)}).", _line(event)) from None
    if _FLOAT.fullmatch(word):
        return float(word)
    if _SPECIAL.fullmatch(word):
        return float(word.replace(".", "", 1))
    return word


def _text(event: Any) -> str:
    # JSON writes a character outside the basic plane as two escapes, which the parser leaves as they are.
    word: str = event.value
    if not _HALF.search(word):
        return word
    try:
        return word.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise NotPlain("is not text: an escape names half a character.", _line(event)) from None


def _foreign_tag(event: Any) -> NotPlain:
    tag = str(event.tag).replace(_CORE, "!!")
    return NotPlain(f"the tag {tag} is refused; a value here is plain text, a number, true or false.", _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1

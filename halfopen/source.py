"""A user's file as data that still knows its lines, and what is said when it is wrong.

YAML 1.2 (so that `no` stays a word) or JSON, which is a part of it. A hostile file is refused before it
can cost anything: by size, by depth, and by what its aliases expand to.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from halfopen import folders, nodes, wording
from halfopen.vocabulary import Evidence

Location = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 1_048_576
WHOLE = "whole file"


@dataclass(frozen=True)
class Limits:
    """The most that a file may be before it is refused: bytes as it stands, and values once aliases are followed."""

    size: int = MAX_BYTES
    values: int = nodes.MAX_NODES


_USUAL = Limits()
_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True)
class Problem:
    """One fault of the input: where, what stands there, what may stand there."""

    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    value: Any = None
    legal: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file or 'input'}{f':{self.line}' if self.line else ''}"
        where = f"{place}: {self.path}: " if self.path else f"{place}: "
        return where + self.message + _suggestion(self.value, self.legal)


class BadInput(Exception):  # noqa: N818 - it names what the user gave, and every face shows it as such
    """The input can't be used. Carries at least one `Problem`; its text is fit to be shown."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """The legal word that was probably meant; None if none is near."""
    # A hostile key may be a megabyte long, and comparing costs its length squared.
    return next(iter(difflib.get_close_matches(word[:100], tuple(legal), n=1, cutoff=0.6)), None)


def _suggestion(value: Any, legal: Sequence[str]) -> str:
    if not legal:
        return ""
    near = nearest(str(value), legal)
    hint = f" Did you mean {near}?" if near else ""
    return f"{hint} Legal: {', '.join(legal)}."


def spell(location: Location) -> str:
    """A location as a reader writes it: ("steps", 1, "kind") is steps[1].kind."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text if len(text) <= 200 else f"{text[:197]}..."  # noqa: PLR2004 - more is no place but noise


@dataclass(frozen=True)
class Source:
    """Plain data and where each part of it stood. `file` is None for input that came as arguments."""

    data: Any
    file: str | None = None
    text: str = ""
    lines: Mapping[Location, int] = field(default_factory=dict)
    # What files named in the data may lie in, as real paths; relative names start from the first.
    folders: tuple[Path, ...] = ()

    def line(self, location: Location) -> int | None:
        """The line of that place, or of the nearest place around it that has one; counted from 1."""
        for end in range(len(location), -1, -1):
            if (line := self.lines.get(location[:end])) is not None:
                return line
        return None

    def evidence(self, *location: str | int) -> Evidence:
        """That place as evidence."""
        return Evidence(path=spell(location) or WHOLE, file=self.file, line=self.line(location))

    def located(self, evidence: Evidence) -> Evidence:
        """The same evidence with file and line, if its path leads into this source and it has none yet."""
        if evidence.file is not None or self.file is None:
            return evidence
        parts = [int(match[1]) if match[1] else match[2] for match in _PART.finditer(evidence.path)]
        location = _known_part(self.data, tuple(parts))
        if not location and evidence.path != WHOLE:
            return evidence
        return evidence.model_copy(update={"file": self.file, "line": self.line(location)})

    def inside(self, location: Location, path: str) -> Path:
        """The file or folder that the value of that place names.

        Raises:
            BadInput: it leads out of the caller's folders, or the caller gave none.
        """
        if not self.folders:
            raise BadInput([self.problem(location, f"{path!r} can't be used: the caller offers no folder.")])
        try:
            return folders.inside(path, self.folders)
        except folders.Outside as refused:
            raise BadInput([self.problem(location, str(refused))]) from None

    def problem(self, location: Location, message: str, value: Any = None, legal: Iterable[str] = ()) -> Problem:
        """That place as a problem, with the value that stands there and what may stand there instead."""
        return Problem(message, spell(location), self.file, self.line(location), value, tuple(legal))


def read_source(path: Path, name: str | None = None, *, regular: bool = False, limits: Limits = _USUAL) -> Source:
    """The file as a `Source`.

    Args:
        path: The file to read.
        name: What evidence and messages call it; left out: its path.
        regular: Refuse a pipe, a device or a socket, which somebody else may have put there to keep a server waiting.
        limits: The most that it may be.

    Files that the data names may lie in the current folder, from which their names start, or in that of the file.

    Raises:
        BadInput: it can't be read, is too large, is no YAML, or isn't a mapping at the top.
    """
    file = name or str(path)
    try:
        with open(path, "rb", opener=open_regular if regular else None) as stream:
            raw = stream.read(limits.size + 1)
    except FileNotFoundError:
        near = _neighbour(path)
        raise BadInput([Problem(f"no such file.{f' Did you mean {near}?' if near else ''}", file=file)]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput([Problem(f"can't be read: {reason}.", file=file)]) from None
    around = tuple(Path(os.path.realpath(folder)) for folder in (Path(), path.parent))
    return replace(parse_bytes(raw, file=file, limits=limits), folders=around)


def open_regular(path: str, flags: int) -> int:
    """An opener that refuses a pipe, a device or a socket, instead of waiting for it.

    Raises:
        OSError: it is one, or can't be opened.
    """
    # Without waiting, as opening a pipe does until somebody writes; and looked at once open, when nobody can swap it.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "It is no ordinary file", path)


def parse_bytes(raw: bytes, file: str | None = None, limits: Limits = _USUAL) -> Source:
    """The bytes of a file, such as standard input, as a `Source`.

    Raises:
        BadInput: they are too many, aren't UTF-8, no YAML, or no mapping at the top.
    """
    if len(raw) > limits.size:
        raise BadInput([Problem(f"is larger than {limits.size:,} bytes.", file=file)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput([Problem(f"is not UTF-8 text (byte {error.start}).", file=file, line=line)]) from None
    return parse_source(text, file=file, limits=limits)


def parse_source(text: str, file: str | None = None, limits: Limits = _USUAL) -> Source:
    """YAML or JSON text as a `Source`.

    Raises:
        BadInput: it is no YAML, or isn't a mapping at the top, or expands to more than it may.
    """
    if len(text) > limits.size:
        raise BadInput([Problem(f"is larger than {limits.size:,} bytes.", file=file)])
    try:
        root = nodes.read(text, limits.values)
    except nodes.NotPlain as error:
        raise BadInput([Problem(error.message, file=file, line=error.line)]) from None
    if root is None or root.value is None:
        raise BadInput([Problem("is empty: a spec is a mapping of keys.", file=file)])
    if not isinstance(root.value, dict):
        what = wording.kind(root.value)
        raise BadInput([Problem(f"is {what}: a spec is a mapping of keys.", file=file, line=root.line)])
    lines: dict[Location, int] = {(): root.line}
    return Source(_plain(root, (), lines), file, text, lines)


def _plain(node: nodes.Node, location: Location, lines: dict[Location, int]) -> Any:
    if isinstance(node.value, dict):
        for key, (line, _) in node.value.items():
            lines[*location, key] = line
        return {key: _plain(value, (*location, key), lines) for key, (_, value) in node.value.items()}
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            lines[*location, index] = item.line
        return [_plain(item, (*location, index), lines) for index, item in enumerate(node.value)]
    return node.value


def _neighbour(path: Path) -> str | None:
    try:
        return nearest(path.name, (other.name for other in path.parent.iterdir()))
    except OSError:
        return None


def from_data(data: Any, folders: tuple[Path, ...] = ()) -> Source:
    """Data that came as arguments as a `Source`, under the same limits as a file.

    Args:
        data: The arguments.
        folders: What files named in them may lie in.

    Raises:
        BadInput: it isn't a mapping, or is nested deeper or holds more values than a file may.
    """
    if not isinstance(data, dict):
        raise BadInput([Problem(f"is {wording.kind(data)}: a spec is a mapping of keys.")])
    level, size = [data], 1
    for _ in range(nodes.MAX_DEPTH + 1):
        below = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        level = [value for values in below for value in values]
        size += len(level)
        if size > nodes.MAX_NODES:
            raise BadInput([Problem(f"holds more than {nodes.MAX_NODES} values.")])
        if not level:
            return Source(data, folders=folders)
    raise BadInput([Problem(f"is nested deeper than {nodes.MAX_DEPTH} levels.")])


def validate(model: type[M], source: Source) -> M:
    """The source as that model.

    Raises:
        BadInput: it doesn't fit; one problem for each place, the first in the file first.
    """
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems = [*_wrong_keys(model, source, found), *_wrong_values(source, found)]
    raise BadInput(sorted(problems, key=lambda problem: problem.line or 0)) from None


def _wrong_keys(model: type[BaseModel], source: Source, found: Iterable[ErrorDetails]) -> Iterable[Problem]:
    """Unknown and missing keys. A missing one that was misspelt is told once, where it stands."""
    missing: dict[Location, list[str]] = defaultdict(list)
    unknown: list[Location] = []
    for details in found:
        location = _known_part(source.data, details["loc"])
        if details["type"] == "missing":
            missing[location].append(str(details["loc"][-1]))
        elif details["type"] == "extra_forbidden":
            unknown.append(location)
    for location in unknown:
        key, lacking = str(location[-1]), missing[location[:-1]]
        message = f"unknown key {wording.shown(key)}."
        if meant := nearest(key, lacking):
            lacking.remove(meant)
            message = f"unknown key {wording.shown(key)}, and the key {wording.shown(meant)} is missing."
        yield source.problem(location, message, key, _keys_at(model, location[:-1]))
    for location, keys in missing.items():
        names = ", ".join(wording.shown(key) for key in keys)
        if keys:
            what = f"the key {names} is missing." if len(keys) == 1 else f"the keys {names} are missing."
            yield source.problem(location, what + _example(model, location, keys))


def _example(model: type[BaseModel], location: Location, keys: Iterable[str]) -> str:
    """What the schema gives as an example of those keys, as it may be written; empty if it gives none."""
    properties = _properties_at(model, location)
    examples = {key: examples[0] for key in keys if (examples := properties.get(key, {}).get("examples"))}
    shown = ", ".join(f"{key}: {json.dumps(example, ensure_ascii=False)}" for key, example in examples.items())
    return f" For example: {shown}" if shown else ""


def _wrong_values(source: Source, found: Iterable[ErrorDetails]) -> Iterable[Problem]:
    """Values that don't fit, one problem a place: the branches of a union fail at the same one."""
    by_place: dict[Location, list[ErrorDetails]] = defaultdict(list)
    for details in found:
        if details["type"] in {"missing", "extra_forbidden"} or _follows_from_items(details):
            continue
        by_place[_known_part(source.data, details["loc"])].append(details)
    for location, several in by_place.items():
        reasons = dict.fromkeys(wording.reason(details) for details in several)
        legal = dict.fromkeys(word for details in several for word in wording.legal(details))
        yield source.problem(location, f"{'; or '.join(reasons)}.", several[0]["input"], legal)


def _follows_from_items(details: ErrorDetails) -> bool:
    # A list whose items are refused is also called too short, though it isn't.
    value = details["input"]
    if details["type"] != "too_short" or not isinstance(value, list | tuple | dict):
        return False
    return len(value) >= int(details.get("ctx", {}).get("min_length", 0))


def _known_part(data: Any, location: Location) -> Location:
    # pydantic's locations also name union members and validators, which no user wrote.
    known: list[str | int] = []
    for part in location:
        if isinstance(data, dict) and str(part) in data:
            data = data[str(part)]
            known.append(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            known.append(part)
    return tuple(known)


def _keys_at(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """The keys that the model allows at that place."""
    return tuple(_properties_at(model, location))


def _properties_at(model: type[BaseModel], location: Location) -> dict[str, Mapping[str, Any]]:
    """What the model's JSON Schema says of each key at that place."""
    schema = _schema(model)
    here = _alternatives(schema, schema)
    for part in location:
        below = (branch for node in here for branch in _below(node, part))
        here = [found for branch in below for found in _alternatives(branch, schema)]
    return {key: said for node in here for key, said in node.get("properties", {}).items()}


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON Schema, made once: a hostile file asks for it at ten thousand places."""
    return model.model_json_schema()


def _below(node: Mapping[str, Any], part: str | int) -> Iterable[Any]:
    if isinstance(part, int):
        yield node.get("items")
    elif part in node.get("properties", {}):
        yield node["properties"][part]
    else:
        yield node.get("additionalProperties")
        yield from node.get("patternProperties", {}).values()


def _alternatives(node: Any, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The node itself, or what it refers to and may be instead."""
    if not isinstance(node, dict):
        return []
    if "$ref" in node:
        return _alternatives(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], schema)
    branches = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [node, *(found for branch in branches for found in _alternatives(branch, schema))]

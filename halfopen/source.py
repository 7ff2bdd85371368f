"""A user's file as data that still knows its lines, and what is said when it is wrong.

YAML 1.2 (so that `no` stays a word) or JSON, which is a part of it. A hostile file is refused before it
can cost anything: by size, by depth, and by what its aliases expand to.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from halfopen.vocabulary import Evidence

Location = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 1_048_576
MAX_NODES = 100_000
MAX_DEPTH = 50


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


def _suggestion(value: Any, legal: Sequence[str]) -> str:
    if not legal:
        return ""
    near = difflib.get_close_matches(str(value), legal, n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{hint} Legal: {', '.join(legal)}."


def spell(location: Location) -> str:
    """A location as a reader writes it: ("steps", 1, "kind") is steps[1].kind."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True)
class Source:
    """Plain data and where each part of it stood. `file` is None for input that came as arguments."""

    data: Any
    file: str | None = None
    text: str = ""
    lines: Mapping[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int | None:
        """The line of that place, or of the nearest place around it that has one; counted from 1."""
        for end in range(len(location), -1, -1):
            if (line := self.lines.get(location[:end])) is not None:
                return line
        return None

    def evidence(self, *location: str | int) -> Evidence:
        """That place as evidence."""
        return Evidence(path=spell(location) or "(whole file)", file=self.file, line=self.line(location))

    def problem(
        self, location: Location, message: str, value: Any = None, legal: Iterable[str] = ()
    ) -> Problem:
        """That place as a problem, with the value that stands there and what may stand there instead."""
        return Problem(message, spell(location), self.file, self.line(location), value, tuple(legal))


def read_source(path: Path, name: str | None = None) -> Source:
    """The file as a `Source`.

    Args:
        path: The file to read.
        name: What evidence and messages call it; left out: its path.

    Raises:
        BadInput: it can't be read, is too large, is no YAML, or isn't a mapping at the top.
    """
    file = name or str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput([Problem(f"can't be read: {error.strerror or error}.", file=file)]) from None
    if len(raw) > MAX_BYTES:
        raise BadInput([Problem(f"is larger than {MAX_BYTES} bytes.", file=file)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput([Problem(f"is not UTF-8 (byte {error.start}).", file=file)]) from None
    return parse_source(text, file=file)


def parse_source(text: str, file: str | None = None) -> Source:
    """YAML or JSON text as a `Source`.

    Raises:
        BadInput: it is no YAML, or isn't a mapping at the top, or expands to more than it may.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - 40 ms that only a spec file needs
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    parser = YAML(typ="rt", pure=True)
    try:
        tree = parser.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = (error.problem or error.context or "can't be parsed").split("\n")[0]
        raise BadInput(
            [Problem(f"is not YAML: {what}.", "", file, mark.line + 1 if mark else None)]
        ) from None
    except (YAMLError, ValueError) as error:
        first = str(error).split("\n")[0]
        raise BadInput([Problem(f"is not YAML: {first}.", file=file)]) from None
    except RecursionError:
        raise BadInput([Problem(f"is nested deeper than {MAX_DEPTH} levels.", file=file)]) from None
    if tree is None:
        raise BadInput([Problem("is empty: a spec is a mapping of keys.", file=file)])
    lines: dict[Location, int] = {}
    data = _Plain(file, lines).convert(tree, ())
    if not isinstance(data, dict):
        raise BadInput([Problem(f"is a {_kind(data)}: a spec is a mapping of keys.", file=file, line=1)])
    return Source(data, file, text, lines)


class _Plain:
    """Turns the parser's own types into plain ones, noting lines and counting what aliases expand to."""

    def __init__(self, file: str | None, lines: dict[Location, int]) -> None:
        self.file = file
        self.lines = lines
        self.nodes = 0

    def convert(self, node: Any, location: Location) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise BadInput([Problem(f"expands to more than {MAX_NODES} values (aliases?).", file=self.file)])
        if len(location) > MAX_DEPTH:
            raise BadInput([Problem(f"is nested deeper than {MAX_DEPTH} levels.", file=self.file)])
        if isinstance(node, Mapping):
            return {
                self._key(node, key, location): self.convert(node[key], (*location, str(key))) for key in node
            }
        if isinstance(node, list):
            for index in range(len(node)):
                self._note(node, index, (*location, index))
            return [self.convert(item, (*location, index)) for index, item in enumerate(node)]
        if isinstance(node, bool) or node is None:
            return node
        for plain in (int, float, str):
            if isinstance(node, plain):
                return plain(node)
        return str(node)

    def _key(self, node: Any, key: Any, location: Location) -> str:
        self._note(node, key, (*location, str(key)))
        return str(key)

    def _note(self, node: Any, key: Any, location: Location) -> None:
        position = (node.lc.data or {}).get(key) if hasattr(node, "lc") else None
        if position:
            self.lines[location] = position[0] + 1


def _kind(value: Any) -> str:
    return {dict: "mapping", list: "list", str: "text", bool: "boolean", type(None): "nothing"}.get(
        type(value), "number"
    )


def validate(model: type[M], source: Source) -> M:
    """The source as that model.

    Raises:
        BadInput: it doesn't fit; one problem for each place, the first in the file first.
    """
    try:
        return model.model_validate(source.data)
    except ValidationError as error:
        problems = [_problem(model, source, details) for details in error.errors(include_url=False)]
    unique = {(problem.path, problem.message): problem for problem in problems}
    raise BadInput(sorted(unique.values(), key=lambda problem: problem.line or 0)) from None


def _problem(model: type[BaseModel], source: Source, details: ErrorDetails) -> Problem:
    location = _known_part(source.data, details["loc"])
    value = details["input"]
    shown = _shown(value)
    if details["type"] == "extra_forbidden":
        key = str(details["loc"][-1])
        return source.problem(location, f"unknown key {key!r}.", key, _keys_at(model, details["loc"][:-1]))
    if details["type"] == "missing":
        missing = str(details["loc"][-1])
        return source.problem(location, f"the key {missing!r} is missing.")
    if details["type"] == "literal_error":
        legal = [part.strip("' ") for part in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        return source.problem(location, f"{shown} is not a legal value.", value, legal)
    reason = str(details.get("ctx", {}).get("error", "")) or details["msg"][:1].lower() + details["msg"][1:]
    return source.problem(location, f"{shown}: {reason}.")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line of a terminal


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
    """The keys that the model allows at that place, found in its JSON Schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    node: dict[str, Any] = schema
    for part in location:
        node = _resolve(node, definitions)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(extra := node.get("additionalProperties"), dict):
            node = extra
    return tuple(_resolve(node, definitions).get("properties", {}))


def _resolve(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    for alternative in (node, *node.get("anyOf", [])):
        if "$ref" in alternative:
            found: dict[str, Any] = definitions[alternative["$ref"].rsplit("/", 1)[-1]]
            return found
        if alternative.get("type") in {"object", "array"} and alternative is not node:
            return dict(alternative)
    return node

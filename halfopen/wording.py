"""What pydantic found, in plain words: the value that stands there, and what may stand there instead."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import ErrorDetails

_QUOTED = re.compile(r"'([^']*)'|([^\s',]+)(?=,| or |$)")
_CLASSES = re.compile(r"\[([^\]]+)\](?:\{(\d+),(\d+)\})?")
_RANGE = re.compile(r".-.|.")
_LONGEST_VALUE = 60

# pydantic's names for "this isn't of that kind", by the kind in a reader's words.
_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping of keys",
    "mapping": "a mapping of keys",
    "model": "a mapping of keys",
}
# What to say of each of pydantic's errors that carries its own figures.
_REASONS = {
    "literal_error": "{shown} is not a legal value",
    "enum": "{shown} is not a legal value",
    "value_error": "{shown}: {error}",
    "string_pattern_mismatch": "{shown} doesn't fit; it has to be {pattern}",
    "too_short": "{shown} is too short; the least number of items is {min_length}",
    "too_long": "{shown} is too long; the greatest number of items is {max_length}",
    "string_too_short": "{shown} is too short; the least number of characters is {min_length}",
    "string_too_long": "{shown} is too long; the greatest number of characters is {max_length}",
    "greater_than": "{shown} is out of range; it has to be more than {gt}",
    "greater_than_equal": "{shown} is out of range; it has to be {ge} or more",
    "less_than": "{shown} is out of range; it has to be less than {lt}",
    "less_than_equal": "{shown} is out of range; it has to be {le} or less",
}
_NOT_OF_KIND = re.compile(r"_(attributes_type|type|parsing_size|parsing|from_float)$")


def kind(value: Any) -> str:
    """What sort of value that is, as a reader calls it."""
    for types, word in (
        (bool, "true or false"),
        (dict, "a mapping"),
        ((list, tuple), "a list"),
        (str, "text"),
        ((int, float), "a number"),
        (type(None), "nothing"),
    ):
        if isinstance(value, types):
            return word
    return type(value).__name__


def shown(value: Any) -> str:
    """The value as it can stand in a message: JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def reason(details: ErrorDetails) -> str:
    """Why the value is refused, as a sentence without its full stop."""
    name, value, context = details["type"], details["input"], dict(details.get("ctx", {}))
    if told := _REASONS.get(name):
        if "pattern" in context:
            context["pattern"] = pattern(str(context["pattern"]))
        return told.format(**context, shown=shown(value))
    if wanted := _KINDS.get(_NOT_OF_KIND.sub("", name)):
        return _not_a(wanted, value)
    return f"{shown(value)}: {details['msg'][:1].lower()}{details['msg'][1:]}"


def legal(details: ErrorDetails) -> tuple[str, ...]:
    """The legal values, where they are few enough to be listed by pydantic."""
    if details["type"] not in {"literal_error", "enum"}:
        return ()
    expected = str(details.get("ctx", {}).get("expected", ""))
    found = (match[1] if match[1] is not None else match[2] for match in _QUOTED.finditer(expected))
    return tuple(word for word in found if word != "or")


def _not_a(wanted: str, value: Any) -> str:
    what = kind(value)
    if what == "nothing":
        return f"nothing stands here; it has to be {wanted}"
    # "1.5 is a number" alone would not say why it is no whole number.
    told = f" is {what}" if what.split()[-1] not in wanted else " doesn't fit"
    return f"{shown(value)}{told}; it has to be {wanted}"


def pattern(expression: str) -> str:
    """A pattern of character classes in words; any other as it stands."""
    inner = expression.removeprefix("^").removesuffix("$")
    parts = list(_CLASSES.finditer(inner))
    if not parts or "".join(part[0] for part in parts) != inner:
        return f"text like {expression}"
    words = []
    for part in parts:
        of = " ".join(_RANGE.findall(part[1]))
        words.append(f"one of {of}" if part[2] is None else f"{part[2]} to {part[3]} of {of}")
    return ", then ".join(words)


def count(number: int, what: str) -> str:
    """So many of them: 1 rpc, 2 rpcs."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

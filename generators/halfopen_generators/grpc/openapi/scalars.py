"""Values that are one thing: their Protobuf type by type and format, and the rules that protovalidate has for them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.facets import Schema
from halfopen_generators.grpc.openapi.losses import Loss, changed

ANY = "google.protobuf.Value"
_RANGES = {
    "int8": (-(2**7), 2**7 - 1), "int16": (-(2**15), 2**15 - 1), "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1), "uint8": (0, 2**8 - 1), "uint16": (0, 2**16 - 1), "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}  # fmt: skip
_PROTO_INTS = {"int8": "int32", "int16": "int32", "uint8": "int32", "uint16": "int32"}
_BYTES = ("byte", "binary")
# Formats of text for which protovalidate has a rule of its own.
_FORMATS: Mapping[str, Mapping[str, Any]] = {
    "uuid": {"uuid": True},
    "email": {"email": True},
    "hostname": {"hostname": True},
    "ipv4": {"ipv4": True},
    "ipv6": {"ipv6": True},
    "uri": {"uri": True},
    "url": {"uri": True},
    "uri-reference": {"uri_ref": True},
    "date": {"pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "time": {"pattern": r"^\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"},
}
# What RE2, which protovalidate matches with, leaves out of what a browser knows.
_NOT_RE2 = re.compile(r"\(\?(=|!|<=|<!|>)|\\[1-9]|\\k<|\\u|\\c[A-Za-z]|[*+?}]\+|\[\^?\]|\\Z|\(\?<[A-Za-z]")
_REPEATS = re.compile(r"\{([\d,]{1,12})\}")
_MOST_REPEATS = 1_000

LONG_AS_TEXT = changed(
    'A whole number of 64 bits: JSON of Protobuf writes it as text ("7"), where the document has a number. Read '
    "as JSON it may be either.",
    "Say int32 in the spec where that is enough; else make sure that clients of the JSON read text.",
)
DURATION = changed(
    'A duration is a google.protobuf.Duration, whose JSON is in seconds ("3.5s"), where the document has ISO 8601 '
    '("PT3.5S").',
    "Say `string` in the spec if clients of the JSON have to go on as they are.",
)
PATTERN = Loss(
    "A pattern isn't carried over: RE2, which protovalidate matches with, can't say it.",
    "Write it without looking around and back references, or check it in the server.",
)
EMPTY_RANGE = Loss("No value can keep both bounds, so neither is carried over.", "Mend the bounds in the document.")
OUT_OF_TYPE = Loss(
    "A bound or value that the type can't hold isn't carried over.",
    "Say a wider type in the spec, or mend the document.",
)


@dataclass(frozen=True)
class Type:
    """What a value becomes: a word of the spec, a message or an enum, and how many of it.

    `notes` are lines for the comment of whatever field it stands in.
    """

    name: str
    label: str = ""  # repeated or map
    rules: Mapping[str, Any] = field(default_factory=dict)
    nullable: bool = False
    notes: tuple[str, ...] = ()
    of: str = "scalar"  # scalar, message or enum

    @property
    def spelled(self) -> str:
        """As a spec writes it."""
        if self.label == "map":
            return f"map<string,{self.name}>"
        return f"{self.label} {self.name}".strip()


def scalar(schema: Schema, kind: str) -> Type:
    """The type of a text, a number or a truth value."""
    if kind == "boolean":
        return Type("bool")
    return _string(schema) if kind == "string" else _number(schema, whole=kind == "integer")


def _string(schema: Schema) -> Type:
    form = _format(schema)
    if form == "date-time":
        schema.text("format")
        return Type("timestamp", of="message")
    if form == "duration":
        schema.losses.tell(DURATION, (*next(schema.saying("format")).at, "format"))
        schema.text("format")
        return Type("duration", of="message")
    if form in _BYTES:
        schema.text("format")
        return Type("bytes")
    if schema.has("contentEncoding") and schema.text("contentEncoding") == "base64":
        return Type("bytes")
    rules: dict[str, Any] = dict(_FORMATS.get(form, {}))
    if rules:
        schema.text("format")
    shortest, longest = (_length(schema, key) for key in ("minLength", "maxLength"))
    rules |= bounds(schema, "minLength", {"min_len": shortest, "max_len": longest}, equal="len")
    for facet in schema.saying("pattern"):
        pattern = facet.text("pattern")
        if "pattern" in rules or not _is_re2(pattern):
            schema.losses.tell(PATTERN, (*facet.at, "pattern"))
        else:
            rules["pattern"] = pattern
    return Type("string", rules=rules)


def _format(schema: Schema) -> str:
    """The format, which counts as read only once something is made of it."""
    return next((str(facet.value["format"]) for facet in schema.saying("format")), "")


def _length(schema: Schema, key: str) -> int | None:
    found = [value for facet in schema.saying(key) if (value := facet.count(key)) is not None]
    return (max if key.startswith("min") else min)(found, default=None)


def _is_re2(pattern: str) -> bool:
    repeats = [int(number) for span in _REPEATS.findall(pattern) for number in span.split(",") if number]
    if _NOT_RE2.search(pattern) or max(repeats, default=0) > _MOST_REPEATS:
        return False
    # What RE2 knows and Python's own doesn't: classes by property.
    try:
        re.compile(re.sub(r"\\[pP](\{\^?\w+\}|[A-Z])", r"\\w", pattern).replace(r"\z", "$"))
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _number(schema: Schema, *, whole: bool) -> Type:
    form = _format(schema)
    low, high = _bound(schema, "minimum", "exclusiveMinimum", max), _bound(schema, "maximum", "exclusiveMaximum", min)
    if not whole:
        name = "float" if form == "float" else "double"
        if form in {"float", "double"}:
            schema.text("format")
        rules = bounds(schema, "minimum", {_rule("gt", low): low and low[0], _rule("lt", high): high and high[0]})
        return Type(name, rules=rules)
    if form in _RANGES:
        schema.text("format")
    # Over whole numbers every bound can be said as one that is in.
    least = None if low is None else math.floor(low[0]) + 1 if low[1] else math.ceil(low[0])
    most = None if high is None else math.ceil(high[0]) - 1 if high[1] else math.floor(high[0])
    fits = _RANGES["int32"]
    small = least is not None and most is not None and fits[0] <= least and most <= fits[1]
    form = form if form in _RANGES else "int32" if small else "int64"
    first, last = _RANGES[form]
    if form in _PROTO_INTS:
        least, most = max(first, least if least is not None else first), min(last, most if most is not None else last)
    name = _PROTO_INTS.get(form, form)
    if name.endswith("64"):
        schema.losses.tell(LONG_AS_TEXT, schema.first.at)
    outside = (least is not None and least > last) or (most is not None and most < first)
    if outside:
        schema.losses.tell(OUT_OF_TYPE, schema.first.at)
        return Type(name)
    # A bound that the type keeps by itself needs no rule.
    least = None if least is not None and least <= _RANGES[name][0] else least
    most = None if most is not None and most >= _RANGES[name][1] else most
    return Type(name, rules=bounds(schema, "minimum", {"gte": least, "lte": most}))


def in_range(name: str, value: Any) -> bool:
    """Whether a type can hold the value, as far as it is a whole number."""
    first, last = _RANGES.get(name, (value, value))
    return bool(first <= value <= last)


def _rule(word: str, bound: tuple[float, bool] | None) -> str:
    return word if bound is not None and bound[1] else f"{word}e"


Bound = tuple[int | float, bool]


def _bound(schema: Schema, inclusive: str, exclusive: str, strictest: Callable[..., Bound | None]) -> Bound | None:
    """The bound that counts, and whether it is itself left out: 3.0 has a flag for it, 3.1 a number."""
    found: list[Bound] = []
    for facet in schema.facets:
        said = facet.number(inclusive) if facet.value.get(inclusive) is not None else None
        # By its kind and not by the document's version, which many tools get wrong.
        if isinstance(facet.value.get(exclusive), bool):
            found += [(said, facet.flag(exclusive))] if said is not None else []
            continue
        outside = facet.number(exclusive) if facet.value.get(exclusive) is not None else None
        found += [(said, False)] if said is not None else []
        found += [(outside, True)] if outside is not None else []
    sign = 1 if strictest is max else -1
    return strictest(found, key=lambda bound: (bound[0] * sign, bound[1]) if sign > 0 else (bound[0], not bound[1]),
                     default=None)  # fmt: skip


def bounds(schema: Schema, key: str, said: Mapping[str, Any], *, equal: str = "const") -> dict[str, Any]:
    """A lower and an upper bound as rules: one rule where they are equal, and none where they exclude everything."""
    left = {name: value for name, value in said.items() if value is not None}
    if len(left) < 2:  # noqa: PLR2004 - a lower and an upper one
        return left
    (lower, low), (upper, high) = left.items()
    if low > high or (low == high and {lower, upper} & {"gt", "lt"}):
        place = next(schema.saying(key), schema.first)
        schema.losses.tell(EMPTY_RANGE, (*place.at, key) if key in place else place.at)
        return {}
    return {equal: low} if low == high and equal else left


def plain_values(part: Part, key: str) -> list[Any]:
    """The values of an `enum`, as they stand.

    Raises:
        BadInput: it is no list.
    """
    values = [each.value for each in part.items(key)]
    part.doc.whole.update((*part.at, key, index) for index in range(len(values)))
    return values

"""Names as a spec has them, made of names as somebody else wrote them: each is given once."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from halfopen.protobuf import Names, upper_snake
from halfopen.templates import pascal, snake, words
from halfopen_generators.grpc.references import MAX_NAME, value_name

# What is made of a name has room behind it, as for Request in CreateOrderRequest and a number.
LONGEST = MAX_NAME - 12
_TYPE = re.compile(r"[A-Z][A-Za-z0-9]*")
_LONGEST_SPELLED = 3
_OWN_KEYS = frozenset({"oneof"})
_ENDINGS = (
    ("series", "series"), ("news", "news"), ("ics", "ics"), ("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"),
    ("shes", "sh"), ("ss", "ss"), ("us", "us"), ("is", "is"), ("s", ""),
)  # fmt: skip


def type_name(wanted: str) -> str:
    """A name in PascalCase; as it stands if it is one."""
    name = wanted if _TYPE.fullmatch(wanted) else pascal(_ascii(wanted))
    if not name[:1].isalpha():
        name = f"Type{name}"
    name = name[:LONGEST]
    return f"{name}Type" if keyword.iskeyword(name) else name


def field_name(wanted: str) -> str:
    """A name in snake_case that no language refuses."""
    name = snake(_ascii(wanted))
    if not name[:1].isalpha():
        name = f"field_{name}".rstrip("_")
    name = name[:LONGEST].rstrip("_")
    return f"{name}_value" if keyword.iskeyword(name) or name in _OWN_KEYS else name


def singular(noun: str) -> str:
    """One of several, by the endings of English: Orders has Order."""
    for ending, instead in _ENDINGS:
        if noun.lower().endswith(ending) and len(noun) > len(ending) + 1:
            return noun[: len(noun) - len(ending)] + instead
    return noun


def plural(noun: str) -> str:
    """Several of one, by the endings of English."""
    if singular(noun) != noun:
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def last_word(name: str) -> str:
    """The last of a name's words, in lower case; empty if it has none."""
    return next(reversed(words(name)), "")


@dataclass
class Scope:
    """The names of a package: services, messages, enums and their values."""

    names: Names = field(default_factory=Names)
    values: set[str] = field(default_factory=set)

    def type(self, wanted: str) -> str:
        """A name for a message or service that nothing else bears."""
        return self.names.give(type_name(wanted))

    def enum(self, wanted: str, values: Iterable[str]) -> str:
        """A name for an enum none of whose values is one of another enum, with the prefixes that they get."""
        listed = (*values, "UNSPECIFIED")
        while True:
            name = self.type(wanted)
            spelt = {value_name(name, value) for value in listed}
            if not spelt & self.values:
                self.values |= spelt
                return name


def value_names(wanted: Iterable[str], enum: str) -> list[str]:
    """Names in UPPER_SNAKE for an enum's values, in their order, each of them once."""
    given, found = Names(), []
    prefix = f"{upper_snake(enum)}_"
    for word in wanted:
        name = snake(_in_letters(word)).upper()[:LONGEST].rstrip("_") or "EMPTY"
        # Two that differ by the prefix alone would be one value.
        full = given.give(value_name(enum, name))
        short = full.removeprefix(prefix)
        found.append(short if short[0].isalpha() and not short.startswith(prefix) else full)
    return found


def _in_letters(word: str) -> str:
    """The word with names for what would be lost of it: a sign before a number, or all of it."""
    word = _ascii(word)
    if words(word):
        sign = {"+": "plus ", "-": "minus "}.get(word[0], "") if word[1:2].isdigit() else ""
        return f"{sign}{word}"
    return " ".join(unicodedata.name(letter, "other").lower() for letter in word[:_LONGEST_SPELLED])


def _ascii(name: str) -> str:
    """The name without accents: Größe is Grosse."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))

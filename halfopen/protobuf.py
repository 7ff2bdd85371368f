"""Protobuf's words: field types as a spec writes them, and names that compilers, linters and languages bear."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

MAP_KEYS = ("string", "int32", "int64", "bool")
# Protobuf keeps these numbers for itself.
OWN_NUMBERS = range(19_000, 20_000)
_MESSAGE = re.compile(r"^[A-Z][A-Za-z0-9]{0,63}$")
_MAP = re.compile(r"^map<\s*([^,<>]+?)\s*,\s*([^<>]+?)\s*>$")
# Words that can't name a package in Java, Go or C#; Python's own come with the language.
_NO_PACKAGE = re.compile(
    r"abstract|assert|base|bool|boolean|byte|case|catch|char|checked|const|decimal|default|"
    r"defer|delegate|do|double|else|enum|event|explicit|extends|extern|final|finally|fixed|"
    r"float|foreach|func|go|google|goto|implements|implicit|import|instanceof|int|interface|"
    r"internal|lock|long|map|namespace|native|new|null|object|operator|out|override|package|"
    r"params|private|protected|public|range|readonly|ref|return|sbyte|sealed|select|short|"
    r"sizeof|stackalloc|static|strictfp|string|struct|super|switch|synchronized|this|throw|"
    r"throws|transient|try|type|typeof|uint|ulong|unchecked|unsafe|ushort|using|var|virtual|"
    r"void|volatile|while"
)


@dataclass(frozen=True)
class FieldType:
    """A field's type taken apart: what one value is, and whether there are several. `key` is a map's."""

    name: str
    label: Literal["", "optional", "repeated", "map"] = ""
    key: str = ""

    def spelled(self, name: str) -> str:
        """The type as Protobuf spells it, with that name for one value."""
        if self.label == "map":
            return f"map<{self.key}, {name}>"
        return f"{self.label} {name}".strip()


@lru_cache(maxsize=4_096)
def field_type(asked: str) -> FieldType:
    """The parts of a type in which `type_fault` finds no fault."""
    text = asked.strip()
    if match := _MAP.match(text):
        return FieldType(match[2], "map", match[1])
    for label in ("repeated", "optional"):
        if text.startswith(f"{label} "):
            return FieldType(text[len(label) :].strip(), label)
    return FieldType(text)


def type_fault(asked: str, known: Collection[str], *, optional: bool = False) -> str | None:
    """What is wrong with a type, as the rest of a sentence; None if nothing is.

    Args:
        asked: The type as the spec has it.
        known: The words that are types beside names of messages.
        optional: Whether a type may be `optional TYPE`.
    """
    text = asked.strip()
    if match := _MAP.match(text):
        if match[1] not in MAP_KEYS:
            return f"has keys of type {match[1]!r}; a map's keys are {', '.join(MAP_KEYS)}"
        return _fault_of_one(match[2], known, "a map's values are one type each, neither repeated nor a map")
    if text.startswith("repeated "):
        what = "what is repeated is one type, no map and no list"
        return _fault_of_one(text[len("repeated ") :].strip(), known, what)
    if optional and text.startswith("optional "):
        what = "what is optional is one type; a list or a map that is absent is an empty one"
        return _fault_of_one(text[len("optional ") :].strip(), known, what)
    return _fault_of_one(text, known, "is no type")


def _fault_of_one(text: str, known: Collection[str], otherwise: str) -> str | None:
    if text in known:
        return None
    if text.lower() in known:
        return f"is no type: it is written {text.lower()!r}"
    return None if _MESSAGE.match(text) else otherwise


@dataclass
class Names:
    """Hands out each name once: what would be the same to Protobuf or to its generators gets a number."""

    taken: set[str] = field(default_factory=set)

    def give(self, wanted: str) -> str:
        """The name, or the first one free that is made of it."""
        name, count = wanted, 1
        while (key := same_name(name)) in self.taken:
            count += 1
            name = f"{wanted}{count}" if wanted[:1].isupper() else f"{wanted}_n{count}"
        self.taken.add(key)
        return name


def same_name(name: str) -> str:
    """Equal for names that Protobuf's JSON or a language's generator can't tell apart: they ignore case and `_`."""
    return name.replace("_", "").lower()


def snake_field(name: str) -> str:
    """A field's name with single underscores and none at its end, as the style guide has it."""
    return re.sub(r"_+", "_", name).strip("_")


def upper_snake(name: str) -> str:
    """ORDER_STATUS of OrderStatus, split as buf's ENUM_VALUE_PREFIX splits: HTTPCode is HTTP_CODE, A1 is A1."""
    text = ""
    for index, letter in enumerate(name):
        after = name[index + 1 : index + 2]
        starts = letter.isupper() and ((after and not (after.isupper() or after.isdigit())) or text[-1:].islower())
        text += f"_{letter}" if index and starts else letter
    return text.upper()


def no_package(word: str) -> bool:
    """Whether the word is reserved in a language that most participants are written in."""
    return keyword.iskeyword(word) or bool(_NO_PACKAGE.fullmatch(word))

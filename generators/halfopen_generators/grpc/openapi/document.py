"""An OpenAPI document as it is read: each value with its place, and a record of what was read of it.

What nobody read is found at the end by walking the document (`Document.unread`), so that nothing of it can be lost in
silence. A `$ref` leads to another place of the same document, never out of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote

from halfopen import wording
from halfopen.source import BadInput, Limits, Location, Source, nearest, read_source
from halfopen.vocabulary import Evidence

PLACE = ("from_openapi",)
# More parts than this behind one schema, or below one another, are no description of anything.
MAX_DEPTH = 60
# Documents are longer than specs are.
LIMITS = Limits(size=4 * 1_048_576, values=200_000)
_VERSION = re.compile(r"3\.([01])(\.\d+)?(-.*)?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def is_finite(value: float) -> bool:
    """Whether a double can hold the number, as an infinite one or a whole one of a thousand digits can't be held."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def pointer(location: Location) -> str:
    """A place as a JSON pointer, such as #/paths/~1orders/get."""
    return "#" + "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)


@dataclass
class Document:
    """The document, and which places of it were read. `minor` is 0 for OpenAPI 3.0, 1 for 3.1."""

    source: Source
    minor: int = 0
    opened: set[Location] = field(default_factory=set)  # mappings and lists whose parts are read one by one
    whole: set[Location] = field(default_factory=set)  # values that were read as they stand

    @property
    def root(self) -> Part:
        """The document as a part of itself."""
        self.opened.add(())
        return Part(self, (), self.source.data)

    def evidence(self, location: Location) -> Evidence:
        """That place as evidence: its pointer, and the line in the document."""
        return Evidence(path=pointer(location), file=self.source.file, line=self.source.line(location))

    def refuse(self, location: Location, message: str) -> NoReturn:
        """Give up at that place.

        Raises:
            BadInput: always.
        """
        found = self.source.problem(location, message)
        raise BadInput([type(found)(message, pointer(location), found.file, found.line)])

    def unread(self) -> Iterator[Location]:
        """The outermost places that nobody read, in the order of the document."""
        level: list[Location] = [()]
        while level:
            location = level.pop()
            value = self.at(location)
            keys = value if isinstance(value, dict) else range(len(value))
            inner: list[Location] = []
            for key in keys:
                place = (*location, key)
                if place in self.opened:
                    inner.append(place)
                elif place not in self.whole:
                    yield place
            level.extend(reversed(inner))

    def at(self, location: Location) -> Any:
        """The value at a place that is there."""
        value = self.source.data
        for part in location:
            value = value[part]
        return value

    def target(self, place: Location, reference: str) -> Part:
        """What a reference leads to.

        Raises:
            BadInput: it leads out of the document, or nowhere.
        """
        if not reference.startswith("#"):
            self.refuse(
                place,
                f"{wording.shown(reference)} leads out of the document, and nothing is fetched or opened: bundle it "
                "into one file first, such as with `redocly bundle`.",
            )
        if reference != "#" and not reference.startswith("#/"):
            self.refuse(place, f"{wording.shown(reference)} is no JSON pointer, such as #/components/schemas/Order.")
        value: Any = self.source.data
        location: Location = ()
        for part in (unquote(part).replace("~1", "/").replace("~0", "~") for part in reference.split("/")[1:]):
            if isinstance(value, dict) and part in value:
                value, location = value[part], (*location, part)
            elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
                value, location = value[int(part)], (*location, int(part))
            else:
                near = nearest(part, value) if isinstance(value, dict) else None
                hint = f" Did you mean {near}?" if near else ""
                self.refuse(place, f"{wording.shown(reference)} leads nowhere: there is no {part[:60]!r}.{hint}")
        # What stands around it is known by now; whether all of it is read is asked of each part.
        self.opened.update(location[:end] for end in range(len(location)))
        return Part(self, location, value)


@dataclass(frozen=True)
class Part:
    """One value of the document. Each way to look into it records what was looked at, and refuses what doesn't fit."""

    doc: Document
    at: Location
    value: Any

    @property
    def name(self) -> str:
        """The key or index under which it stands."""
        return str(self.at[-1])

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def mapping(self) -> Part:
        """Itself, which has to be a mapping."""
        if not isinstance(self.value, dict):
            self._unfit(self.at, self.value, "a mapping of keys")
        self.doc.opened.add(self.at)
        return self

    def part(self, key: str) -> Part | None:
        """The value of a key, yet to be looked at; None if it isn't there or empty."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        if value is None:
            return None
        return Part(self.doc, (*self.at, key), value)

    def parts(self, key: str) -> dict[str, Part]:
        """The values of a mapping by their keys."""
        if (found := self.part(key)) is None:
            return {}
        found.mapping()
        return {name: Part(self.doc, (*found.at, name), value) for name, value in found.value.items()}

    def items(self, key: str) -> list[Part]:
        """The values of a list."""
        if (found := self.part(key)) is None:
            return []
        if not isinstance(found.value, list):
            self._unfit(found.at, found.value, "a list")
        self.doc.opened.add(found.at)
        return [Part(self.doc, (*found.at, index), value) for index, value in enumerate(found.value)]

    def raw(self, key: str) -> Any:
        """The value of a key as it stands, with all that is in it; None if it isn't there."""
        if key not in self:
            return None
        self.doc.whole.add((*self.at, key))
        return self.value[key]

    def text(self, key: str) -> str:
        """A text; empty if it isn't there."""
        return str(self._of(key, str, "text", ""))

    def flag(self, key: str, *, otherwise: bool = False) -> bool:
        """True or false."""
        return bool(self._of(key, bool, "true or false", otherwise))

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        parts = self.items(key)
        for part in parts:
            if not isinstance(part.value, str):
                self._unfit(part.at, part.value, "text")
            self.doc.whole.add(part.at)
        return [part.value for part in parts]

    def number(self, key: str) -> int | float | None:
        """A number that is finite; None if it isn't there."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._unfit((*self.at, key), value, "a number")
        if not is_finite(value):
            self._unfit((*self.at, key), value, "one that a double can hold")
        return value

    def count(self, key: str) -> int | None:
        """A whole number, not below zero; None if it isn't there."""
        value = self.number(key)
        if value is not None and (value < 0 or value != int(value)):
            self._unfit((*self.at, key), value, "a whole number, not below 0")
        return None if value is None else int(value)

    def followed(self) -> Part:
        """What it stands for: where its `$ref` leads to in the end, or itself.

        Raises:
            BadInput: it leads out of the document, nowhere, or in a circle.
        """
        found, seen = self, {self.at}
        while isinstance(found.value, dict) and "$ref" in found.value:
            if not isinstance(found.value["$ref"], str):
                if any(part in {"properties", "schemas"} for part in found.at[-1:]):
                    break  # a property or a schema that is called so
                self._unfit((*found.at, "$ref"), found.value["$ref"], "text")
            place = (*found.at, "$ref")
            self.doc.opened.add(found.at)
            self.doc.whole.add(place)
            found = self.doc.target(place, found.value["$ref"])
            if found.at in seen:
                self.doc.refuse(place, "leads back to itself, and so to nothing.")
            seen.add(found.at)
        return found

    def refuse(self, message: str) -> NoReturn:
        """Give up at this place.

        Raises:
            BadInput: always.
        """
        self.doc.refuse(self.at, message)

    def _of(self, key: str, kind: type, wanted: str, otherwise: Any) -> Any:
        value = self.raw(key)
        if value is None:
            return otherwise
        if not isinstance(value, kind):
            self._unfit((*self.at, key), value, wanted)
        return value

    def _unfit(self, location: Location, value: Any, wanted: str) -> NoReturn:
        self.doc.refuse(location, f"{wording.shown(value)} is {wording.kind(value)}; it has to be {wanted}.")


def read_document(given: str, source: Source) -> Document:
    """The document that the spec names.

    Raises:
        BadInput: it can't be read, lies outside the caller's folders, or is no OpenAPI 3.0 or 3.1.
    """
    found = read_source(source.inside(PLACE, given), given, regular=True, limits=LIMITS)
    doc = Document(found)
    root = doc.root
    if "swagger" in root:
        doc.refuse(
            ("swagger",),
            f"{wording.shown(root.value['swagger'])}: only OpenAPI 3.0 and 3.1 can be taken over. Convert it first, "
            "such as with `npx swagger2openapi`.",
        )
    version = root.raw("openapi")
    match = _VERSION.fullmatch(str(version)) if isinstance(version, str | float) else None
    if match is None:
        what = "the key `openapi` is missing" if version is None else f"{wording.shown(version)} isn't known"
        doc.refuse(("openapi",) if version is not None else (), f"{what}; it has to be 3.0 or 3.1, such as 3.1.0.")
    doc.minor = int(match[1])
    return doc

"""All that holds for one value: a schema with those of its allOf, read side by side as what they are, one schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from halfopen import wording
from halfopen.source import Location
from halfopen_generators.grpc.openapi.document import MAX_DEPTH, Part
from halfopen_generators.grpc.openapi.losses import Loss, Losses

MAX_FACETS = 500
# What is said of a value beside what it may be.
ANNOTATIONS = frozenset({
    "title", "description", "summary", "default", "nullable", "readOnly", "writeOnly", "deprecated", "example",
    "examples", "externalDocs", "xml", "$comment",
})  # fmt: skip
JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
CONFLICT = Loss(
    "Schemas that all have to hold contradict each other here: what stands first was taken.",
    "Mend the document, or say in the spec which of them is meant.",
)


def is_annotated(part: Part, besides: str) -> bool:
    """Whether the part says nothing beside that key that changes what a value may be."""
    return all(key in ANNOTATIONS or key == besides or key.startswith("x-") for key in part.value)


@dataclass(frozen=True)
class Schema:
    """One value's schemas, the outermost first."""

    facets: tuple[Part, ...]
    losses: Losses

    @property
    def first(self) -> Part:
        """The outermost."""
        return self.facets[0]

    def has(self, *keys: str) -> bool:
        """Whether one of them says one of these keys."""
        return any(key in facet for facet in self.facets for key in keys)

    def saying(self, key: str) -> Iterator[Part]:
        """Those that say something under that key."""
        return (facet for facet in self.facets if facet.value.get(key) is not None)

    def one(self, key: str, read: Callable[[Part], Any]) -> Any:
        """What they say under the key; None if nothing. Where they disagree the first is taken, and it is told."""
        found = [(facet, read(facet)) for facet in self.saying(key)]
        for facet, value in found[1:]:
            if value != found[0][1]:
                self.losses.tell(CONFLICT, (*facet.at, key))
        return found[0][1] if found else None

    def text(self, key: str) -> str:
        """A text; empty if none says it."""
        return self.one(key, lambda facet: facet.text(key)) or ""

    def most(self, key: str) -> int | float | None:
        """The greatest number under that key: of several lower bounds the one that counts."""
        return max(self._numbers(key), default=None)

    def least(self, key: str) -> int | float | None:
        """The smallest number under that key: of several upper bounds the one that counts."""
        return min(self._numbers(key), default=None)

    def _numbers(self, key: str) -> list[int | float]:
        return [value for facet in self.saying(key) if (value := facet.number(key)) is not None]

    def any(self, key: str) -> bool:
        """Whether one of them says that it is so."""
        return True in [facet.flag(key) for facet in self.saying(key)]

    def types(self) -> tuple[list[str], bool]:
        """The JSON types that a value may have, and whether it may be null; no type if nothing is said."""
        left: list[str] | None = None
        null = self.any("nullable")
        for facet in self.saying("type"):
            said = facet.texts("type") if isinstance(facet.value["type"], list) else [facet.text("type")]
            for word in said:
                if word not in JSON_TYPES:
                    legal = ", ".join(JSON_TYPES)
                    facet.doc.refuse((*facet.at, "type"), f"{wording.shown(word)} is no type. Legal: {legal}.")
            null = null or "null" in said
            kinds = [word for word in dict.fromkeys(said) if word != "null"]
            both = [word for word in left or kinds if word in kinds or (word == "integer" and "number" in kinds)]
            both += ["integer"] if "number" in (left or ()) and "integer" in kinds and "integer" not in both else []
            if not both and kinds and left:
                self.losses.tell(CONFLICT, (*facet.at, "type"))
            left = both or left or kinds
        return left or [], null


def flattened(part: Part, losses: Losses) -> Schema:
    """The schema with all that it refers to and that its allOf brings in.

    Raises:
        BadInput: it is nested too deeply, or made of too many.
    """
    return merged([part], losses)


def merged(parts: list[Part], losses: Losses) -> Schema:
    """Several schemas of one value as one.

    Raises:
        BadInput: as `flattened`.
    """
    found: dict[Location, Part] = {}
    for part in parts:
        for facet in _facets(part, 0, set()):
            found.setdefault(facet.at, facet)
            if len(found) > MAX_FACETS:
                part.refuse(f"is made of more than {MAX_FACETS} schemas.")
    return Schema(tuple(found.values()), losses)


def _facets(part: Part, depth: int, seen: set[Location]) -> Iterator[Part]:
    if depth > MAX_DEPTH:
        part.refuse(f"is made of schemas nested deeper than {MAX_DEPTH} levels.")
    if isinstance(part.value, bool):
        part.doc.whole.add(part.at)
        if not depth:
            yield Part(part.doc, part.at, {})
        return
    part.mapping()
    if part.at in seen:
        return  # what holds in a circle holds once
    seen.add(part.at)
    if isinstance(part.value.get("$ref"), str):
        target = part.followed()
        if part.doc.minor and not is_annotated(part, "$ref"):
            yield part
        yield from _facets(target, depth + 1, seen)
        return
    yield part
    for member in part.items("allOf"):
        yield from _facets(member, depth + 1, seen)

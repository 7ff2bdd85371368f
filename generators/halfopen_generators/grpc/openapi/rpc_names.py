"""Which operation is which rpc of which service: by its tag and id, else by method and path, as Google's AIPs do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from halfopen.protobuf import Names, same_name
from halfopen.templates import pascal, words
from halfopen_generators.grpc.openapi.document import Document, Part
from halfopen_generators.grpc.openapi.losses import Losses, changed
from halfopen_generators.grpc.openapi.naming import Scope, plural, singular, type_name

VERBS = ("get", "put", "post", "delete", "patch", "head")
_SHORT = 48  # of an rpc's name, so that its messages' names are names as well
_VARIABLE = re.compile(r"\{[^{}]*\}")
# What a path begins with before it comes to the point.
_NO_NOUN = re.compile(r"v\d+(\.\d+)*|api|apis|rest|services?", re.IGNORECASE)

SAME_NAME = changed(
    "Operations that would be one rpc: the name of the later one says its service too, or bears a number.",
    "Give it an operationId of its own in the document.",
)
NAMED = changed(
    "An operation without operationId: its rpc is named after its method and path, as Google's AIPs name methods.",
    "Give it an operationId, if the name says something else than it does.",
)


@dataclass(frozen=True)
class Operation:
    """One operation and the rpc that it becomes. `item` is what its path says of all of its operations."""

    path: str
    verb: str
    part: Part
    item: Part
    service: str
    rpc: str


@dataclass(frozen=True)
class _Found:
    path: str
    verb: str
    part: Part
    item: Part
    service: str


def operations(doc: Document, losses: Losses, scope: Scope) -> list[Operation]:
    """All of them, in the order of the document, with names that nothing else has.

    Raises:
        BadInput: the document's paths aren't what paths are.
    """
    found = list(_found(doc))
    services: dict[str, str] = {}
    for each in found:
        if same_name(each.service) not in services:
            services[same_name(each.service)] = scope.names.give(each.service)
    given = Names()
    named: list[Operation] = []
    for each in found:
        service = services[same_name(each.service)]
        wanted = _wanted(each, losses)
        name = given.give(wanted) if same_name(wanted) not in given.taken else ""
        if not name:
            losses.tell(SAME_NAME, each.part.at)
            base = service.removesuffix("Service")
            name = given.give(wanted if base in wanted else f"{wanted}{base}"[:_SHORT])
        named.append(Operation(each.path, each.verb, each.part, each.item, service, name))
    for made in named:
        for side in ("Request", "Response"):
            scope.names.taken.add(same_name(f"{made.rpc}{side}"))
    return named


def _found(doc: Document) -> Iterator[_Found]:
    tags = {str(tag.value.get("name")) for tag in doc.root.items("tags") if isinstance(tag.value, dict)}
    for path, given in doc.root.parts("paths").items():
        if path.startswith("x-"):
            doc.opened.discard(given.at)
            continue
        if not path.startswith("/"):
            given.refuse(f"{path[:60]!r} is no path: it begins with a slash.")
        item = given.followed().mapping()
        for verb, part in ((verb, item.part(verb)) for verb in item.value if verb in VERBS):
            if part is not None:
                part.mapping()
                yield _Found(path, verb, part, item, _service(path, part, tags))


def _service(path: str, part: Part, tags: set[str]) -> str:
    listed = part.items("tags")
    tag = listed[0].value if listed else None
    if isinstance(tag, str) and (words(tag) or tag in tags):
        part.doc.whole.add(listed[0].at)
        base = type_name(tag)
    else:
        base = type_name(next((part for part in _nouns(path) if not _NO_NOUN.fullmatch(part)), "Api"))
    base = base.removesuffix("Service") or base
    return f"{singular(base)[:_SHORT]}Service"


def _nouns(path: str) -> list[str]:
    return [part for part in path.partition(":")[0].split("/") if part and not _VARIABLE.search(part) and words(part)]


def _wanted(found: _Found, losses: Losses) -> str:
    given = found.part.text("operationId")
    if words(given):
        return type_name(given)[:_SHORT]
    losses.tell(NAMED, found.part.at)
    return type_name(_by_path(found))[:_SHORT]


def _by_path(found: _Found) -> str:
    """ListOrders, GetOrder, CreateOrder, UpdateOrder, DeleteOrder, CancelOrder."""
    path, _, action = found.path.rpartition(":") if ":" in found.path.rsplit("/", 1)[-1] else (found.path, "", "")
    parts = [part for part in path.split("/") if part]
    nouns = [part for part in _nouns(path) if not _NO_NOUN.fullmatch(part)] or ["root"]
    one = bool(parts) and bool(_VARIABLE.search(parts[-1]))
    noun = pascal(nouns[-1])
    # What stands below an item says whose it is: the lines of an order are OrderLines.
    below = len(nouns) > 1 and bool(_VARIABLE.search("/".join(parts[:-1])))
    owner = singular(pascal(nouns[-2])) if below and not _VARIABLE.fullmatch(noun) else ""
    if action and words(action):
        return f"{pascal(action)}{owner}{singular(noun) if one else noun}"
    several = not one and singular(noun) != noun
    if found.verb == "post" and not one and not several:
        # /orders/{id}/cancel, or /login.
        return f"{noun}{owner}"
    subject = f"{owner}{noun if several else singular(noun)}"
    both = "patch" in found.item.value
    verb = {
        "get": "List" if several else "Get",
        "head": "Check",
        "post": "Update" if one else "Create",
        "put": "Replace" if both or several else "Update",
        "patch": "Update",
        "delete": "Delete",
    }[found.verb]
    if verb == "Create":
        return f"Create{owner}{singular(noun)}"
    return f"{verb}{f'{owner}{plural(noun)}' if verb == 'List' else subject}"

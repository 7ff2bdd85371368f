"""Lists that are asked for page by page, however the document does it: to page_size and page_token."""

from __future__ import annotations

from halfopen.protobuf import field_type, same_name
from halfopen_generators.grpc.openapi.losses import Losses, guessed
from halfopen_generators.grpc.openapi.made import Body
from halfopen_generators.grpc.openapi.requests import Request

_SIZES = frozenset({"limit", "pagesize", "perpage", "maxresults", "maxitems", "count", "size", "top", "first", "take",
                    "pagelimit"})  # fmt: skip
_TOKENS = frozenset({"cursor", "pagetoken", "nexttoken", "continuationtoken", "continuation", "marker", "after",
                     "startingafter", "pagecursor", "nextcursor"})  # fmt: skip
_OFFSETS = frozenset({"offset", "skip", "start", "page", "pagenumber", "pageno", "pageindex", "startindex"})
_NEXT = frozenset({"nextpagetoken", "nextcursor", "nexttoken", "continuationtoken", "next", "nextmarker", "cursor",
                   "nextpage"})  # fmt: skip
_NUMBERS = ("int32", "int64")
_LARGEST = 2**31 - 1

PAGES = guessed(
    "A list that is asked for in parts: limit and offset, page or cursor are page_size and page_token, as Google's "
    "AIP 158 has it. A page_size of 0 means that the server chooses; the least and the default of the limit are the "
    "server's to keep.",
    "Let the server put into the token what it needs to go on, such as the last key it sent.",
)


def paginate(losses: Losses, taken: Request, given: Body) -> bool:
    """Whether the list comes in pages; if so, with the fields that pages have in place of the document's own."""
    lists = any(field_type(said["type"]).label == "repeated" for said in given.fields.values())
    size = _one(taken, _SIZES, _NUMBERS)
    places = [_one(taken, _TOKENS, ("string", *_NUMBERS)), _one(taken, _OFFSETS, ("string", *_NUMBERS))]
    asked = [name for name in places if name is not None]
    if not lists or not asked or taken.kind != "unary":
        return False
    body = taken.body
    rules = body.fields[size].get("rules", {}) if size else {}
    most = rules.get("lte", rules.get("const", 0))
    _replaced(losses, body, [size] if size else [], "page_size",
              {"type": "int32", **({"rules": {"lte": most}} if 0 < most <= _LARGEST else {})})  # fmt: skip
    _replaced(losses, body, asked, "page_token", {"type": "string"})
    follow = [name for name, said in given.fields.items()
              if same_name(name) in _NEXT and field_type(said["type"]).name in {"string", *_NUMBERS}
              and field_type(said["type"]).label != "repeated"]  # fmt: skip
    _replaced(losses, given, follow, "next_page_token", {"type": "string"})
    return True


def _one(taken: Request, names: frozenset[str], types: tuple[str, ...]) -> str | None:
    return next(
        (
            name
            for name in taken.query
            if same_name(name) in names and field_type(taken.body.fields[name]["type"]).name in types
            and field_type(taken.body.fields[name]["type"]).label in {"", "optional"}
        ),
        None,
    )  # fmt: skip


def _replaced(losses: Losses, body: Body, old: list[str], new: str, said: dict[str, object]) -> None:
    """The message with one field in place of the old ones, whose comments it keeps."""
    text = "\n".join(body.comments[name] for name in old if name in body.comments)
    places = [body.places[name] for name in old]
    fields: dict[str, dict[str, object]] = {}
    for name, field in body.fields.items():
        if name in old:
            fields.setdefault(new, said)
        elif name != new:
            fields[name] = field
    fields.setdefault(new, said)
    for name in old:
        del body.places[name]
        body.comments.pop(name, None)
    for place in places:
        losses.tell(PAGES, place)
    body.fields = fields
    if text:
        body.comments[new] = text
    if places:
        body.places[new] = places[0]

"""Names that several languages' stubs need: of the project, of methods beside the rpcs, and text inside comments."""

from __future__ import annotations

import re
from collections.abc import Collection

from halfopen_generators.grpc.plan import VERSION, Api
from halfopen_generators.grpc.proto_text import rpc_notes
from halfopen_generators.grpc.stubs.calls import Call


def plain_name(api: Api) -> str:
    """The API's name in letters, digits and underscores, a letter first."""
    name = re.sub(r"[^a-z0-9_]+", "_", api.name.lower()).strip("_")
    return name if name[:1].isalpha() else f"api{name}"


def version(api: Api) -> str:
    """The version that the package ends in; empty if it has none."""
    last = api.package.rsplit(".", 1)[-1]
    return last if VERSION.fullmatch(last) else ""


def apart(wanted: str, taken: Collection[str]) -> str:
    """The name, or with underscores behind it where an rpc has it."""
    while wanted in taken:
        wanted += "_"
    return wanted


def about(call: Call) -> tuple[str, ...]:
    """The lines of an rpc's comment, as they stand in the package."""
    return (*call.rpc.comment, "", *rpc_notes(call.rpc))


def in_block_comment(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines without what ends a block comment, javac reads as an escape, or a documentation tool as a tag."""
    escapes = (("&", "&amp;"), ("*/", "*&#47;"), ("\\", "&#92;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;"))
    found = []
    for line in lines:
        text = line
        for what, escaped in escapes:
            text = text.replace(what, escaped)
        found.append(text)
    return tuple(found)

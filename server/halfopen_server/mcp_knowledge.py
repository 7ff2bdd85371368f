"""What the engineer knows over MCP: a tool that searches it, and every entry as a resource.

The knowledge base is imported when it is first asked: a server starts without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, Resource, ResourceTemplate, TextContent, ToolAnnotations
from pydantic import Field

from halfopen.source import BadInput
from halfopen_server.mcp_answers import refusal

if TYPE_CHECKING:
    from halfopen.knowledge_search import EntryKind

SCHEME = "halfopen://"
_TITLES: dict[EntryKind, str] = {
    "laws": "One of the ten laws, by its id or number",
    "mantras": "A mantra",
    "patterns": "All that is known of a pattern: claims, figures, notes",
    "rules": "The page on a finding's code",
}
# What the variable of each address is called.
_VARIABLES: dict[EntryKind, str] = {"laws": "id", "mantras": "id", "patterns": "name", "rules": "code"}
# The protocol allows no more completions in one answer.
_MOST_COMPLETIONS = 100


def _search(
    query: Annotated[str, Field(description="Words or a question: 'outbox', 'how many retries'.")],
    limit: Annotated[int, Field(description="The most entries to give back.", ge=1, le=10)] = 5,
) -> CallToolResult:
    from halfopen.knowledge_pages import results  # noqa: PLC0415 - see above
    from halfopen.knowledge_search import search  # noqa: PLC0415 - see above

    try:
        found = results(query, search(query, limit))
    except BadInput as error:
        return refusal(error)
    return CallToolResult(content=[TextContent(type="text", text=found)])


def search_tool() -> Tool:
    """The tool: Markdown in answer, so it has no structured output."""
    return Tool.from_function(
        _search,
        name="search_knowledge",
        title="Look up distributed systems knowledge",
        description=(
            "Laws, patterns, defaults and mantras of distributed systems, and the rules behind findings: each in its "
            "own words, with dated notes where it is contested. Look a figure or a trade-off up here before you "
            "name one, and tell the user the note that stands beside it."
        ),
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        structured_output=False,
    )


def listed() -> list[Resource]:
    """The laws and patterns: a client may resolve an address that a user mentions only if it is listed."""
    from halfopen.knowledge import knowledge  # noqa: PLC0415 - see above

    known = knowledge()
    named = [("laws", law.id, law.title) for law in known.laws]
    named += [("patterns", pattern.name, pattern.title) for pattern in known.patterns]
    return [
        Resource(uri=f"{SCHEME}{kind}/{name}", name=f"{kind}/{name}", title=title, mime_type="text/markdown")
        for kind, name, title in named
    ]


def templates() -> list[ResourceTemplate]:
    """How the addresses of entries are formed."""
    return [
        ResourceTemplate(
            uri_template=_template(kind), name=kind.removesuffix("s"), title=_TITLES[kind], mime_type="text/markdown"
        )
        for kind in _TITLES
    ]


def _template(kind: EntryKind) -> str:
    return f"{SCHEME}{kind}/{{{_VARIABLES[kind]}}}"


def is_entry(uri: str) -> bool:
    """Whether the address is one of an entry."""
    return any(uri.startswith(f"{SCHEME}{kind}/") for kind in _TITLES)


def read(uri: str) -> str:
    """The page at that address.

    Raises:
        ResourceNotFoundError: there is no such entry; its text names the nearest.
    """
    from halfopen.knowledge_pages import page  # noqa: PLC0415 - see above

    kind, _, name = uri.removeprefix(SCHEME).partition("/")
    try:
        return page(kind, name)
    except BadInput as error:
        raise ResourceNotFoundError(str(error)) from None


def subjects(begun: str) -> list[str]:
    """What a request may be about that begins so: the titles of patterns."""
    from halfopen.knowledge import knowledge  # noqa: PLC0415 - see above

    titles = (pattern.title for pattern in knowledge().patterns)
    return [title for title in titles if title.lower().startswith(begun.lower())][:_MOST_COMPLETIONS]


def completions(uri_template: str, begun: str) -> list[str] | None:
    """How what was begun of an entry's address may go on: what starts so, then what holds it; None: not ours."""
    from halfopen.knowledge_pages import entries  # noqa: PLC0415 - see above

    for kind in _TITLES:
        if uri_template == _template(kind):
            low = begun.lower()
            fitting = [name for name in entries(kind) if low in name.lower()]
            return sorted(fitting, key=lambda name: not name.lower().startswith(low))[:_MOST_COMPLETIONS]
    return None

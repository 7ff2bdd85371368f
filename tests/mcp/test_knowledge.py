"""What is known, over MCP: the tool, the resources and their completions, in both protocol eras."""

from __future__ import annotations

import pytest
from mcp_types import ResourceTemplateReference, TextContent, TextResourceContents

from halfopen.knowledge_pages import KINDS, entries, page
from tests.mcp.conftest import Connect

pytestmark = pytest.mark.anyio


async def test_the_tool_answers_a_question(connect: Connect) -> None:
    async with connect() as client:
        reply = await client.call_tool("search_knowledge", {"query": "what is 2PC", "limit": 1})
    (block,) = reply.content
    assert isinstance(block, TextContent)
    assert block.text.startswith("## Distributed transactions\n> You need to update data across multiple services")
    assert not reply.is_error
    assert reply.structured_content is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": " "}, "400 characters at most"),
        ({"query": "x" * 401}, "400 characters at most"),
        ({"query": "saga", "limit": 0}, "limit"),
        ({}, "query"),
    ],
)
async def test_a_bad_question_is_told(connect: Connect, arguments: dict[str, object], told: str) -> None:
    async with connect() as client:
        reply = await client.call_tool("search_knowledge", arguments)
    assert reply.is_error
    assert told in reply.content[0].text  # type: ignore[union-attr] # text, as the next line would show
    assert "Traceback" not in reply.content[0].text  # type: ignore[union-attr] # as above


async def test_every_entry_is_a_resource(connect: Connect) -> None:
    async with connect() as client:
        for kind in KINDS:
            name = entries(kind)[0]
            (content,) = (await client.read_resource(f"halfopen://{kind}/{name}")).contents
            assert isinstance(content, TextResourceContents)
            assert (content.mime_type, content.text) == ("text/markdown", page(kind, name))


async def test_an_unknown_entry_names_the_nearest(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(Exception, match="Did you mean circuit-breaker") as refused:
            await client.read_resource("halfopen://patterns/circuit-braker")
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize(
    ("template", "begun", "first"),
    [
        ("halfopen://patterns/{name}", "circ", "circuit-breaker"),
        ("halfopen://patterns/{name}", "mesh", "service-mesh"),
        ("halfopen://laws/{id}", "IDEM", "idempotency"),
        ("halfopen://rules/{code}", "sag0", "SAG01"),
        ("halfopen://mantras/{id}", "saga", "saga-orchestration-centralizes-workflow"),
    ],
)
async def test_what_is_begun_is_completed(connect: Connect, template: str, begun: str, first: str) -> None:
    async with connect() as client:
        listed = {each.uri_template for each in (await client.list_resource_templates()).resource_templates}
        assert template in listed
        name = template.partition("{")[2].rstrip("}")
        found = await client.complete(ResourceTemplateReference(uri=template), {"name": name, "value": begun})
    assert found.completion.values[0] == first
    assert len(found.completion.values) <= 100


async def test_other_addresses_complete_to_nothing(connect: Connect) -> None:
    async with connect() as client:
        found = await client.complete(
            ResourceTemplateReference(uri="halfopen://reports/{id}"), {"name": "id", "value": ""}
        )
    assert found.completion.values == []


async def test_laws_and_patterns_are_listed_and_can_be_read(connect: Connect) -> None:
    async with connect() as client:
        listed = (await client.list_resources()).resources
        assert len(listed) == len(entries("laws")) + len(entries("patterns"))
        for resource in listed:
            assert (await client.read_resource(resource.uri)).contents

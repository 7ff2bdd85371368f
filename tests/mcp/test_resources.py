"""Reports and artifacts as resources, in both protocol eras."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from halfopen.vocabulary import Report
from tests.mcp.conftest import Connect

pytestmark = pytest.mark.anyio

CAR = {"toy": "car", "colour": "red", "parts": [{"name": "wheel", "weight": 4}]}


async def test_the_same_call_has_the_same_id_and_another_call_another(connect: Connect) -> None:
    async def identity(arguments: dict[str, Any]) -> str:
        async with connect() as client:
            result = await client.call_tool("design_toy", arguments)
        return str(result.structured_content["report"])

    assert await identity(CAR) == await identity(dict(reversed(CAR.items())))
    assert await identity(CAR) != await identity({**CAR, "shout": True})
    assert await identity(CAR) != await identity({**CAR, "colour": "blue"})


async def test_artifacts_and_the_whole_report_are_resources(connect: Connect) -> None:
    async with connect() as client:
        before = {resource.uri for resource in (await client.list_resources()).resources}
        told = (await client.call_tool("design_toy", {**CAR, "copies": 2, "shout": True})).structured_content
        after = (await client.list_resources()).resources
        listed = {resource.uri: resource.mime_type for resource in after if resource.uri not in before}
        artifact = told["artifacts"][1]
        read = (await client.read_resource(artifact["uri"])).contents[0]
        whole = (await client.read_resource(told["report"])).contents[0]
    assert listed == {
        told["report"]: "application/json",
        told["artifacts"][0]["uri"]: "text/markdown",
        artifact["uri"]: "text/markdown",
    }
    assert artifact["path"] == "docs/1/toy.md"
    assert (read.mime_type, read.text) == ("text/markdown", "CAR: 1 PARTS IN RED\n")
    assert len(read.text.encode()) == artifact["size"]
    assert Report.model_validate_json(whole.text).artifacts[1].text == read.text


async def test_templates_tell_how_resources_are_addressed(connect: Connect) -> None:
    async with connect() as client:
        templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == [
        "halfopen://reports/{id}",
        "halfopen://reports/{id}/{+path}",
        "halfopen://laws/{id}",
        "halfopen://mantras/{id}",
        "halfopen://patterns/{name}",
        "halfopen://rules/{code}",
    ]


@pytest.mark.parametrize(
    "path", ["", "/docs/0/other.md", "/../../etc/passwd", "/docs/0/../0/toy.md", "/%2e%2e/%2e%2e/etc/passwd"]
)
async def test_a_resource_that_is_not_kept_is_an_error_that_says_so(connect: Connect, path: str) -> None:
    async with connect() as client:
        report = (await client.call_tool("design_toy", CAR)).structured_content["report"]
        base = report if path else "halfopen://reports/0000000000000000"
        with pytest.raises(MCPError, match=r"has no artifact|is kept any more"):
            await client.read_resource(base + path)


async def test_the_oldest_reports_make_room(connect: Connect) -> None:
    async with connect() as client:
        uris = [
            (await client.call_tool("design_toy", {"toy": f"car{number}"})).structured_content["report"]
            for number in range(17)
        ]
        with pytest.raises(MCPError, match="call the tool again"):
            await client.read_resource(uris[0])
        assert (await client.read_resource(uris[1])).contents

"""Reports and artifacts as resources, in both protocol eras."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import jsonschema
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from halfopen.vocabulary import Report
from halfopen_server.databases import Execute, Memory, NotKept
from halfopen_server.mcp import LISTED_REPORTS, HalfopenServer, build_server
from halfopen_server.reports import SCHEME, Reports, upgrade
from tests.mcp.conftest import Connect
from tests.mcp.toy import Bench
from tests.reports.support import in_file

T = TypeVar("T")

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
        read = (await client.read_resource(f"{told['report']}/{artifact['path']}")).contents[0]
        whole = (await client.read_resource(told["report"])).contents[0]
    # Artifacts are many, and told by the answer itself.
    assert listed == {told["report"]: "application/json"}
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


async def test_the_latest_reports_are_listed_by_what_they_say(connect: Connect) -> None:
    async with connect() as client:
        for number in range(LISTED_REPORTS + 1):
            first = (await client.call_tool("design_toy", {"toy": f"car{number}"})).structured_content
            if number == 0:
                oldest = first["report"]
        listed = [each for each in (await client.list_resources()).resources if each.uri.startswith(SCHEME)]
        assert [each.title for each in listed] == [f"car{number}: 0 parts" for number in range(LISTED_REPORTS, 0, -1)]
        # One that isn't listed is there all the same.
        assert (await client.read_resource(oldest)).contents


async def test_what_one_server_made_another_reads(bench: Bench, era: str, tmp_path: Path) -> None:
    def server() -> HalfopenServer:
        return build_server([bench.capability()], in_file(tmp_path / "kept/reports.db"))

    async with Client(server(), mode=era) as client:
        told = (await client.call_tool("design_toy", {**CAR, "copies": 2})).structured_content
    async with Client(server(), mode=era) as client:
        listed = {resource.uri for resource in (await client.list_resources()).resources}
        assert told["report"] in listed
        for artifact in told["artifacts"]:
            read = (await client.read_resource(f"{told['report']}/{artifact['path']}")).contents[0]
            assert (len(read.text.encode()), read.mime_type) == (artifact["size"], "text/markdown")
        assert Report.model_validate_json((await client.read_resource(told["report"])).contents[0].text)


class Broken(Memory):
    """A database that was reached once and no more."""

    def run(self, work: Callable[[Execute], T], *, writes: bool) -> T:  # noqa: ARG002 - as its base has it
        raise NotKept("disk 17 of host db.internal is full")


async def test_an_answer_that_can_not_be_kept_is_given_all_the_same(
    bench: Bench, era: str, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(build_server([bench.capability()], Reports(Broken(upgrade))), mode=era) as client:
        tool = (await client.list_tools()).tools[0]
        result = await client.call_tool("design_toy", {**CAR, "write_to": "out"})
        listed = (await client.list_resources()).resources
        with pytest.raises(MCPError, match="try again later") as unread:
            await client.read_resource("halfopen://reports/0000000000000000")
    told = result.structured_content
    jsonschema.validate(told, tool.output_schema)
    assert told["outcome"] == "pass"
    assert told["artifacts"] == [{"path": "docs/0/toy.md", "size": 20}]
    assert told["written"]["files"] == len(list((project / "out/docs/0").iterdir())) == 1
    assert "report" not in told
    assert "could not be kept" in told["note"]
    assert not any(resource.uri.startswith(SCHEME) for resource in listed)
    # Whoever runs the server is told why; whoever calls it learns nothing of its insides.
    assert "db.internal" in caplog.text
    assert "db.internal" not in json.dumps(told) + str(unread.value)


async def test_keeping_and_reading_does_not_stop_the_loop(bench: Bench, era: str, project: Path) -> None:  # noqa: ARG001
    waiting, go_on = threading.Event(), threading.Event()

    class Slow(Memory):
        def run(self, work: Callable[[Execute], T], *, writes: bool) -> T:
            waiting.set()
            go_on.wait(60)
            return super().run(work, writes=writes)

    async with Client(build_server([bench.capability()], Reports(Slow(upgrade))), mode=era) as client:
        for slow in (
            partial(client.call_tool, "design_toy", CAR),
            client.list_resources,
            partial(client.read_resource, "halfopen://reports/0000000000000000"),
        ):
            waiting.clear()
            go_on.clear()
            async with anyio.create_task_group() as group:
                group.start_soon(_quiet, slow)
                await anyio.to_thread.run_sync(waiting.wait)
                assert (await client.list_tools()).tools
                go_on.set()


async def _quiet(call: Callable[[], Awaitable[Any]]) -> None:
    with suppress(MCPError):
        await call()

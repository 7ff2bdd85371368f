"""What clients of the protocol get over HTTP, in both eras, from a server that is a process of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.http.conftest import TOKEN, Serve, call, headers, wait_for

pytestmark = pytest.mark.anyio

SAGA = {
    "saga": "checkout",
    "steps": [
        {"name": "reserve", "service": "stock", "action": "Reserve", "compensation": "Release"},
        {"name": "charge", "service": "payment", "action": "Charge", "can_be_refused": True},
    ],
}


async def test_a_design_its_files_and_the_rest_over_http(serve: Serve, era: str) -> None:
    server = serve(token=TOKEN)
    async with server.client(era) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        assert {"design_saga", "search_knowledge", "explain"} < set(tools)
        result = await client.call_tool("design_saga", SAGA)
        assert not result.is_error, result.content
        report = result.structured_content
        assert report["verdicts"]
        read = await client.read_resource(f"{report['report']}/{report['artifacts'][0]['path']}")
        assert len(read.contents[0].text.encode()) == report["artifacts"][0]["size"]
        assert (await client.get_prompt("saga", {"request": "order"})).messages


async def test_every_answer_is_json(serve: Serve) -> None:
    async with serve().http() as http:
        modern = await http.post("/mcp", json=call("explain", {"code": "SAG06"}), headers=headers("explain"))
        legacy = await http.post(
            "/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={"Accept": "application/json, text/event-stream"},
        )
    assert (modern.status_code, modern.headers["content-type"]) == (200, "application/json")
    assert (legacy.status_code, legacy.headers["content-type"]) == (200, "application/json")
    assert "mcp-session-id" not in legacy.headers


async def test_with_stream_a_long_run_reports_its_progress(serve: Serve, era: str, tmp_path: Path) -> None:
    heard: list[float] = []
    enough = tmp_path / "enough"

    async def listen(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
        heard.append(progress)
        enough.touch()

    async with serve("--stream").client(era) as client:
        arguments = {"toy": "car", "until": str(enough)}
        result = await client.call_tool("design_toy", arguments, progress_callback=listen)
    assert result.structured_content["outcome"] == "pass"
    assert heard == sorted(set(heard))


@pytest.mark.parametrize("offered", [None, ["project"], ["/"]])
async def test_without_root_no_file_is_read_or_written(
    serve: Serve, era: str, tmp_path: Path, offered: list[str] | None
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "car.yaml").write_text("toy: car\n")
    roots = None if offered is None else [tmp_path / folder for folder in offered]
    async with serve().client(era, roots=roots) as client:
        for arguments in (
            {"toy": "car", "write_to": "out"},
            {"toy": "car", "write_to": str(project)},
            {"spec_file": "car.yaml"},
            {"spec_file": str(project / "car.yaml")},
        ):
            result = await client.call_tool("design_toy", arguments)
            assert result.is_error
            assert "without --root" in result.content[0].text
            assert "Give the spec inline" in result.content[0].text
    assert [file.name for file in project.iterdir()] == ["car.yaml"]
    assert not (tmp_path / "out").exists()


async def test_with_root_files_are_read_and_written_in_it_alone(serve: Serve, era: str, tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    for folder in (given, other):
        folder.mkdir()
        (folder / "car.yaml").write_text("toy: car\n")
    async with serve("--root", given).client(era) as client:
        inside = await client.call_tool("design_toy", {"spec_file": "car.yaml", "write_to": "out"})
        outside = [
            await client.call_tool("design_toy", {"spec_file": str(other / "car.yaml")}),
            await client.call_tool("design_toy", {"toy": "car", "write_to": str(other / "out")}),
        ]
    assert inside.structured_content["written"] == {"folder": str(given / "out"), "files": 1}
    assert all(result.is_error and "outside the allowed folders" in result.content[0].text for result in outside)
    assert [file.name for file in other.iterdir()] == ["car.yaml"]


async def test_a_client_may_narrow_what_the_operator_allows_and_not_widen_it(serve: Serve, tmp_path: Path) -> None:
    given, within, other = tmp_path / "given", tmp_path / "given/within", tmp_path / "other"
    within.mkdir(parents=True)
    other.mkdir()
    served = serve("--root", given)
    async with served.client("auto", roots=[within, other]) as client:
        narrow = await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
        wide = [
            await client.call_tool("design_toy", {"toy": "car", "write_to": str(folder / "new")})
            for folder in (given, other)
        ]
    async with served.client("auto", roots=[other]) as client:
        apart = await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
    assert narrow.structured_content["written"]["folder"] == str(within / "out")
    assert all(result.is_error and "outside the allowed folders" in result.content[0].text for result in wide)
    assert "no folder that the client offers" in apart.content[0].text
    assert list(other.iterdir()) == []


async def test_light_calls_are_answered_while_heavy_ones_run(serve: Serve, era: str, tmp_path: Path) -> None:
    done: list[str] = []
    until = tmp_path / "until"
    served = serve()
    async with served.client(era) as client, anyio.create_task_group() as group:

        async def heavy(number: int) -> None:
            arguments = {"toy": str(number), "begun": str(tmp_path / f"begun-{number}"), "until": str(until)}
            assert not (await client.call_tool("design_toy", arguments)).is_error
            done.append("heavy")

        # More of them than run at once: those that wait keep nobody waiting, either.
        for number in range(8):
            group.start_soon(heavy, number)
        await wait_for(tmp_path / "begun-0")
        assert not (await client.call_tool("explain", {"code": "SAG06"})).is_error
        assert not (await client.call_tool("search_knowledge", {"query": "outbox"})).is_error
        assert (await client.list_tools()).tools
        async with served.http() as http:
            assert (await http.get("/health/live")).status_code == 200
            assert (await http.get("/health/ready")).status_code == 200
        done.append("light")
        until.touch()
    assert done == ["light", *["heavy"] * 8]


async def test_a_client_that_hangs_up_ends_its_run(serve: Serve, tmp_path: Path) -> None:
    served = serve()
    for era, style in (("legacy", {"Accept": "application/json"}), ("modern", headers("design_toy"))):
        begun, until = tmp_path / f"begun-{era}", tmp_path / f"until-{era}"
        body = call("design_toy", {"toy": "car", "begun": str(begun), "until": str(until)})
        async with served.http() as http, anyio.create_task_group() as group:
            group.start_soon(partial(http.post, "/mcp", json=body, headers=style))
            await wait_for(begun)
            group.cancel_scope.cancel()
        await wait_for(Path(f"{until}.cancelled"))


async def test_a_call_that_the_client_cancels_ends_its_run(serve: Serve, tmp_path: Path) -> None:
    # Before 2026-07-28 a client says so in a request of its own, which a server without sessions can't connect with
    # the call: there the run ends when the client hangs up.
    begun, until = tmp_path / "begun", tmp_path / "until"
    async with serve().client("auto") as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "design_toy", {"toy": "x", "begun": str(begun), "until": str(until)})
            await wait_for(begun)
            group.cancel_scope.cancel()
        await wait_for(Path(f"{until}.cancelled"))
        assert not (await client.call_tool("design_toy", {"toy": "car"})).is_error


async def test_one_more_call_than_there_may_be_is_told_to_come_back(serve: Serve, tmp_path: Path) -> None:
    begun, until = tmp_path / "begun", tmp_path / "until"
    answers: list[httpx2.Response] = []
    async with serve("--max-calls", "1").http() as http, anyio.create_task_group() as group:

        async def post(arguments: dict[str, Any]) -> None:
            answers.append(await http.post("/mcp", json=call("design_toy", arguments), headers=headers("design_toy")))

        group.start_soon(post, {"toy": "slow", "begun": str(begun), "until": str(until)})
        await wait_for(begun)
        await post({"toy": "quick"})
        assert (await http.get("/health/live")).status_code == 200
        until.touch()
    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[0].json() == {"error": "This server is answering 1 calls, as many as it may."}


@pytest.mark.parametrize("many", [1000])
async def test_a_thousand_calls_at_once_each_get_their_own_answer(serve: Serve, many: int) -> None:
    served = serve("--max-calls", str(many), token=TOKEN)
    answers: dict[int, httpx2.Response] = {}
    limits = httpx2.Limits(max_connections=many, max_keepalive_connections=many)
    async with served.http(limits=limits) as http, anyio.create_task_group() as group:

        async def ask(number: int) -> None:
            body = call("design_toy", {"toy": f"toy-{number}"}, f"question-{number}")
            style = headers("design_toy") if number % 2 else {"Accept": "application/json, text/event-stream"}
            answers[number] = await http.post("/mcp", json=body, headers=style)

        for number in range(many):
            group.start_soon(ask, number)
    assert len(answers) == many
    for number, answer in answers.items():
        assert answer.status_code == 200
        told = answer.json()
        assert told["id"] == f"question-{number}"
        assert told["result"]["structuredContent"]["summary"] == f"the toy is toy-{number}"
    reports = {answer.json()["result"]["structuredContent"]["report"] for answer in answers.values()}
    assert len(reports) == many

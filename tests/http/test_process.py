"""The server as a process: where it listens, what it refuses, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest

from halfopen.source import BadInput
from halfopen_server.http_address import Address, parse_address, resolve
from halfopen_server.http_calls import Calls
from tests.cli.conftest import environment
from tests.http.conftest import META, TOKEN, WITH_TOY, Serve, Served, call, headers, wait_for, wait_until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", Address("127.0.0.1", 8000)),
        (":8000", Address("127.0.0.1", 8000)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),  # noqa: S104 - nothing is bound
        ("[::1]:8000", Address("::1", 8000)),
        ("localhost:80", Address("localhost", 80)),
    ],
)
def test_an_address_as_people_write_it(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "::1:80",
        "[::1]",
        "a:b:1",
        "[x]:1",
        "http://localhost:1",
        "localhost:٣",
        "localhost:1\n",
        "127.0.0.1:8000/mcp",
    ],
)
def test_what_is_no_address_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(BadInput, match=r"\[::1\]:8000"):
        parse_address(text)


def test_a_name_is_this_machine_alone_if_its_address_is() -> None:
    assert resolve(Address("localhost", 0)).is_loopback
    assert resolve(Address("127.3.2.1", 0)).is_loopback
    assert resolve(Address("::1", 0)).is_loopback
    assert not resolve(Address("0.0.0.0", 0)).is_loopback  # noqa: S104 - nothing is bound
    assert not resolve(Address("::", 0)).is_loopback
    assert not resolve(Address("192.0.2.1", 0)).is_loopback


def refused(*options: str, **variables: str) -> str:
    done = subprocess.run(
        [*WITH_TOY, "mcp", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(**variables),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_others_can_reach_needs_a_token() -> None:
    told = refused("--http", "0.0.0.0:0")
    assert told.startswith("halfopen: --http: 0.0.0.0:0 can be reached from other machines, and no token protects it.")
    assert "--token-file" in told
    assert "127.0.0.1" in told
    assert len(told.splitlines()) == 1


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        told = refused("--http", place)
    assert told == (
        f"halfopen: --http: can't listen on {place}: Address already in use. "
        "Choose another port, or 0 for one that is free.\n"
    )


def test_an_address_that_is_not_ours_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    told = refused("--http", "192.0.2.1:0", "--token-file", str(tmp_path / "tokens"))
    assert told.startswith("halfopen: --http: can't listen on 192.0.2.1:0: ")
    assert refused("--http", "no.such.host.invalid:1").startswith("halfopen: --http: no address is known")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--http", "nonsense"), "halfopen: --http: 'nonsense' is no HOST:PORT."),
        (("--root", "."), "halfopen: --root: this is for --http HOST:PORT, which is missing."),
        (("--http", "0", "--root", "/dev/null/nothing"), "halfopen: Invalid value for '--root'"),
        (("--http", "0", "--token-file", "/dev/null/nothing"), "halfopen: /dev/null/nothing: can't be read"),
        (("--http", "0", "--max-calls", "0"), "halfopen: Invalid value for '--max-calls'"),
        (("--http", "0", "--grace", "-1"), "halfopen: Invalid value for '--grace'"),
        (("--http", "0", "--allowed-host", "http://x"), "halfopen: --allowed-host: 'http://x' is no host"),
        (("--http", "0", "--allowed-origin", "x"), "halfopen: --allowed-origin: 'x' is no origin"),
    ],
)
def test_what_is_wrong_with_the_options_is_told(options: tuple[str, ...], told: str) -> None:
    assert refused(*options).startswith(told)


def test_a_token_is_never_an_option() -> None:
    done = subprocess.run([*WITH_TOY, "mcp", "--help"], capture_output=True, text=True, check=True, env=environment())
    assert "--token-file" in done.stdout
    assert "--token " not in done.stdout


async def test_one_line_tells_where_it_listens_and_what_protects_it(serve: Serve, tmp_path: Path) -> None:
    open_one, guarded = serve(), serve("--root", tmp_path, address="0.0.0.0:0", token=TOKEN)
    hosts = "hosts: 127.0.0.1, localhost, [::1]"
    whom = "no token: whoever is on this machine may call"
    assert open_one.lines == [
        f"halfopen: serving MCP at {open_one.url}/mcp; asks for {whom}; {hosts}; files: none (--root DIR)"
    ]
    assert guarded.lines == [
        f"halfopen: serving MCP at {guarded.url}/mcp; asks for a bearer token (1 known); {hosts}; files: {tmp_path}"
    ]


async def test_it_listens_on_ipv6(serve: Serve) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    served = serve(address="[::1]:0")
    assert served.url.startswith("http://[::1]:")
    async with served.http() as http:
        body = call("explain", {"code": "SAG06"})
        assert (await http.post("/mcp", json=body, headers=headers("explain"))).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_nothing_to_do_a_signal_ends_it_well(serve: Serve, number: signal.Signals) -> None:
    served = serve()
    assert served.stop(number) == 0
    assert served.lines[1:] == [
        "halfopen: shutting down: 0 running calls have 25 s to end; a second signal ends at once"
    ]


class Stopping:
    """A call in flight on a server that has been told to stop."""

    def __init__(self, served: Served, tmp_path: Path) -> None:
        self.served = served
        self.begun, self.until = tmp_path / "begun", tmp_path / "until"
        self.answers: list[httpx2.Response] = []

    async def call(self, http: httpx2.AsyncClient) -> None:
        arguments = {"toy": "late", "begun": str(self.begun), "until": str(self.until)}
        body = call("design_toy", arguments)
        self.answers.append(await http.post("/mcp", json=body, headers=headers("design_toy")))

    async def told(self) -> None:
        await wait_for(self.begun)
        self.served.process.send_signal(signal.SIGTERM)
        await wait_until(lambda: any("shutting down" in line for line in self.served.lines))


async def test_a_call_in_flight_is_answered_before_the_end(serve: Serve, tmp_path: Path) -> None:
    served = serve("--grace", "500")
    stopping = Stopping(served, tmp_path)
    async with served.http() as http, anyio.create_task_group() as group:
        group.start_soon(stopping.call, http)
        await stopping.told()
        ready = await http.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "why": "shutting down"})
        assert (await http.get("/health/live")).status_code == 200
        late = await http.post("/mcp", json=call("explain", {"code": "SAG06"}), headers=headers("explain"))
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        stopping.until.touch()
    assert stopping.answers[0].json()["result"]["structuredContent"]["summary"] == "the toy is late"
    assert served.process.wait(timeout=60) == 0
    assert served.lines[1] == "halfopen: shutting down: 1 running calls have 500 s to end; a second signal ends at once"


async def test_a_call_that_does_not_end_in_time_is_told_so(serve: Serve, tmp_path: Path) -> None:
    served = serve("--grace", "0.2")
    stopping = Stopping(served, tmp_path)
    async with served.http() as http, anyio.create_task_group() as group:
        group.start_soon(stopping.call, http)
        await stopping.told()
    assert stopping.answers[0].status_code == 503
    assert "shut down before" in stopping.answers[0].json()["error"]
    await wait_for(Path(f"{stopping.until}.cancelled"))
    assert served.process.wait(timeout=60) == 0


async def test_a_second_signal_ends_it_at_once(serve: Serve, tmp_path: Path) -> None:
    served = serve("--grace", "501")
    stopping = Stopping(served, tmp_path)
    async with served.http() as http, anyio.create_task_group() as group:

        async def call_in_vain() -> None:
            with pytest.raises(httpx2.RemoteProtocolError):
                await stopping.call(http)

        group.start_soon(call_in_vain)
        await stopping.told()
        served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 128 + signal.SIGTERM
    assert served.lines[-1] == "halfopen: ended by a second signal"


async def test_one_who_only_listens_does_not_hold_up_the_end(serve: Serve) -> None:
    served = serve("--grace", "502")
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": {"_meta": META, "notifications": {}}}
    async with (
        served.http() as http,
        http.stream("POST", "/mcp", json=body, headers=headers(method="subscriptions/listen")) as stream,
    ):
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        served.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(partial(served.process.wait, timeout=60)) == 0


async def test_a_request_that_does_not_come_in_gives_its_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halfopen_server.http_calls.BODY_SECONDS", 0)
    sent: list[Any] = []

    async def reads_it_all(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
        while (await receive()).get("more_body"):
            pass

    async def never_more() -> Any:
        await anyio.sleep_forever()

    async def send(message: Any) -> None:
        sent.append(message)

    calls = Calls(reads_it_all, 1)
    await calls({"type": "http", "method": "POST", "headers": []}, never_more, send)
    assert sent[0]["status"] == 408
    assert len(calls) == 0

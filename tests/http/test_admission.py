"""Who is let in: tokens, Host and Origin headers, sizes and methods."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from halfopen.source import BadInput
from halfopen_server.http_auth import Tokens, read_tokens
from halfopen_server.mcp_http import MOST_BYTES
from tests.http.conftest import TOKEN, Serve, call, headers

pytestmark = pytest.mark.anyio

EXPLAIN = call("explain", {"code": "SAG06"})
OTHER = "another-token-for-the-tests"


async def status(served: Any, body: Any = EXPLAIN, **changed: str) -> int:
    async with served.http() as http:
        sent = {**headers("explain"), **{name.replace("_", "-"): value for name, value in changed.items()}}
        return (await http.post("/mcp", json=body, headers=sent)).status_code


async def test_a_call_without_a_known_token_is_challenged(serve: Serve) -> None:
    served = serve(token=TOKEN)
    async with served.http() as http:
        del http.headers["authorization"]
        without = await http.post("/mcp", json=EXPLAIN, headers=headers("explain"))
        assert without.status_code == 401
        # RFC 6750, section 3.1: no error is named to a caller that sent no credentials.
        assert without.headers["www-authenticate"] == 'Bearer realm="halfopen"'
        for wrong in (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xff", f"Basic {TOKEN}", TOKEN):
            refused = await http.post(
                "/mcp", json=EXPLAIN, headers=[*headers("explain").items(), (b"authorization", wrong.encode("latin-1"))]
            )
            assert refused.status_code == 401, wrong
            assert refused.headers["www-authenticate"].startswith('Bearer realm="halfopen", error="invalid_token"')
        # Nothing is told to who has no token, not even which methods there are.
        assert (await http.get("/mcp")).status_code == 401
    assert await status(served) == 200
    assert await status(served, Authorization=f"bearer {TOKEN}") == 200


async def test_health_needs_no_token_and_tells_no_secret(serve: Serve) -> None:
    served = serve(token=TOKEN)
    async with served.http() as http:
        del http.headers["authorization"]
        live = await http.get("/health/live", headers={"Host": "10.1.2.3:8000"})
        ready = await http.get("/health/ready", headers={"Host": "10.1.2.3:8000"})
    assert (live.status_code, live.json()) == (200, {"live": True})
    assert ready.status_code == 200
    told = ready.json()
    assert told["ready"] is True
    assert set(told) == {"ready", "version", "capabilities", "prompts"}
    assert "saga" in told["capabilities"]
    assert "saga" in told["prompts"]


async def test_the_old_token_and_the_new_one_are_both_good(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# since Monday\n{TOKEN}\n\n{OTHER}\n")
    served = serve("--token-file", file)
    assert await status(served) == 401
    assert await status(served, Authorization=f"Bearer {TOKEN}") == 200
    assert await status(served, Authorization=f"Bearer {OTHER}") == 200
    assert "a bearer token (2 known)" in served.lines[0]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", 200),
        ("localhost:1234", 200),
        ("[::1]:80", 200),
        ("evil.example.com", 421),
        ("127.0.0.1.evil.example.com:80", 421),
        ("localhost.evil.example.com", 421),
        ("evil.example.com:127.0.0.1", 421),
        ("10.0.0.1:80", 421),
    ],
)
async def test_a_foreign_host_is_refused(serve: Serve, host: str, expected: int) -> None:
    assert await status(serve(), Host=host) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
        ("https://evil.example.com", 403),
        ("http://localhost.evil.example.com", 403),
        ("null", 403),
    ],
)
async def test_a_foreign_origin_is_refused(serve: Serve, origin: str, expected: int) -> None:
    assert await status(serve(), Origin=origin) == expected


async def test_hosts_and_origins_can_be_added(serve: Serve) -> None:
    served = serve("--allowed-host", "designs.example.com", "--allowed-origin", "https://app.example.com")
    assert "designs.example.com" in served.lines[0]
    assert await status(served, Host="designs.example.com") == 200
    assert await status(served, Host="designs.example.com:8443") == 200
    assert await status(served, Host="other.example.com") == 421
    assert await status(served, Origin="https://app.example.com") == 200
    assert await status(served, Origin="https://app.example.com.evil.org") == 403
    async with served.http() as http:
        asked = {
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,mcp-method",
        }
        granted = await http.options("/mcp", headers=asked)
        refused = await http.options("/mcp", headers={**asked, "Origin": "https://evil.org"})
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS", "PROPFIND"])
async def test_every_call_is_a_post(serve: Serve, method: str) -> None:
    async with serve().http() as http:
        answer = await http.request(method, "/mcp", headers={"Accept": "text/event-stream"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert (await http.request(method, "/elsewhere")).status_code == 404


async def test_a_body_may_have_four_mebibytes(serve: Serve) -> None:
    served = serve()
    frame = len(str(call("explain", {"code": ""}))) + 200
    assert await status(served, call("explain", {"code": "x" * (MOST_BYTES - frame)})) == 200
    assert await status(served, call("explain", {"code": "x" * MOST_BYTES})) == 413

    async def endless() -> Any:
        for _ in range(5):
            yield b" " * 1024 * 1024

    async with served.http() as http:
        answer = await http.post(
            "/mcp", content=endless(), headers={**headers("explain"), "Content-Type": "application/json"}
        )
    assert answer.status_code == 413


def test_a_request_line_and_headers_have_their_limit(serve: Serve) -> None:
    host, port = serve().url.removeprefix("http://").split(":")
    for sent in (
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"POST /mcp HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(sent)
            assert connection.recv(100).startswith(b"HTTP/1.1 4"), sent[:80]


def test_tokens_come_from_a_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"  {TOKEN}  \r\n")
    environment = {"HALFOPEN_TOKEN": OTHER, "HALFOPEN_TOKENS": f"{TOKEN} {'b' * 16}==\n"}
    assert read_tokens(file, environment) == (TOKEN, OTHER, "b" * 16 + "==")
    assert read_tokens(None, {}) == ()


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n\n", b"short\n", b"with a space in it\n", "ü".encode() * 20, b"\xff" * 20]
)
def test_a_bad_token_is_refused_and_never_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_tokens(file, {})
    assert str(file) in str(caught.value)
    words = content.decode("latin-1").split()
    assert not any(word in str(caught.value).replace(str(file), "") for word in words if len(word) > 4)


@pytest.mark.parametrize("name", ["HALFOPEN_TOKEN", "HALFOPEN_TOKENS"])
@pytest.mark.parametrize("value", ["", "  ", "short", "no/$/token-at-all-here"])
def test_a_variable_that_holds_no_token_does_not_leave_the_server_open(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        read_tokens(None, {name: value})


def test_replicas_that_share_a_token_read_what_the_other_sealed() -> None:
    first, second = Tokens([TOKEN, OTHER]), Tokens([OTHER])
    assert set(second.keys) < set(first.keys)
    assert all(len(key) >= 32 and TOKEN.encode() not in key for key in first.keys)

"""Requests that nobody should send, and a folder full of traps to send them at."""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.http.conftest import META

SECRET = "swordfish-of-the-outside"  # noqa: S105
GOOD = "toy: car\n"


@dataclass(frozen=True)
class Traps:
    """A folder that may be touched, and one beside it that may not."""

    inside: Path
    outside: Path

    def fingerprint(self) -> dict[str, Any]:
        """Everything outside, so that a change of it shows."""
        return {
            str(path): (stat.S_IFMT(path.lstat().st_mode), path.read_text() if path.is_file() else None)
            for path in sorted(self.outside.rglob("*"))
        }

    def paths(self) -> list[str]:
        """Names that lead nowhere good, and a few that do."""
        names = [entry.name for entry in self.inside.iterdir()]
        absolute = [str(self.outside), str(self.outside / "secret.yaml"), str(self.inside / "link/secret.yaml")]
        climbing = ["..", "../outside/secret.yaml", "a/../../outside", "./.././../etc/passwd", "good.yaml/..", "~/x"]
        system = [
            "/",
            "/etc/passwd",
            "/dev/zero",
            "/dev/stdin",
            "/proc/self/environ",
            "/proc/self/fd/0",
            "//etc/passwd",
        ]
        odd = ["", ".", " ", "\0", "a\0b", "x" * 300, "x/" * 3000, "file:///etc/passwd", "\ud800", "%2e%2e/outside"]
        deeper = [f"{name}/x" for name in names]
        return [*names, *deeper, *absolute, *climbing, *system, *odd]


def lay_traps(base: Path) -> Traps:
    """Links out, pipes, sockets and devices, under every name that is read."""
    inside, outside = base / "inside", base / "outside"
    for folder in (inside, outside, inside / "folder", inside / "kept-by-pipe", inside / "kept-by-link"):
        folder.mkdir()
    (outside / "secret.yaml").write_text(f"toy: {SECRET}\n")
    (outside / ".halfopen.json").write_text(json.dumps({"files": {"docs/0/toy.md": SECRET}}))
    (inside / "good.yaml").write_text(GOOD)
    (inside / "binary.yaml").write_bytes(bytes(range(256)))
    (inside / "bomb.yaml").write_text("a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(9)))
    (inside / "link").symlink_to(outside)
    (inside / "secret.yaml").symlink_to(outside / "secret.yaml")
    (inside / "loop").symlink_to(inside / "loop")
    (inside / "zero").symlink_to("/dev/zero")
    os.mkfifo(inside / "pipe")
    os.mkfifo(inside / "kept-by-pipe/.halfopen.json")
    (inside / "kept-by-link/.halfopen.json").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(inside / "socket"))
    try:
        os.mknod(inside / "device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        # Only root can make one; the links to devices are tried anyway.
        (inside / "device").symlink_to("/dev/zero")
    return Traps(inside, outside)


@dataclass(frozen=True)
class Sent:
    """One request, down to its bytes."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


_DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
_LISTS = b"[" * 100_000 + b"]" * 100_000
_RAW = [
    *(b"", b"{", b"null", b"[]", b"{}", b'""', b"0", b"true", b"NaN", b"\xff\xfe", b"\xef\xbb\xbf{}", b"\0" * 50),
    *(_DEEP, _LISTS, b'{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}', b"1" * 10_000, b'"\\ud800"', b'"\xc3\x28"'),
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}',
    b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"},{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"design_toy","arguments":' + _DEEP + b"}}",
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"design_toy","arguments":{"toy":"\xff"}}}',
]
_METHODS = [
    *("tools/call", "tools/list", "resources/read", "resources/list", "resources/templates/list", "prompts/get"),
    *("prompts/list", "completion/complete", "initialize", "ping", "server/discover", "logging/setLevel"),
    *("notifications/cancelled", "notifications/initialized", "resources/subscribe", "tasks/get", "", "x" * 2000, "\0"),
    *("__class__", "tools/call\r\nX: y", "rpc.discover", "roots/list", "sampling/createMessage", "elicitation/create"),
]
_SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**400, 1.5, -0.0, 1e308, "", "x", "\0", "\ud800", "\u202e", "x" * 5000, "../..", "[1", "{"]
)
_VALUES = _SCALARS | st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=5,
)
_URIS = [
    *(
        "halfopen://reports/",
        "halfopen://reports/../../etc/passwd",
        "halfopen://laws/../../../etc/passwd",
        "file:///etc/passwd",
    ),
    *(
        "halfopen://rules/%2e%2e",
        "halfopen://laws/",
        "halfopen://",
        "http://127.0.0.1/",
        "",
        "\0",
        "x" * 3000,
        "halfopen://laws/\0",
    ),
    *(
        "halfopen://patterns/" + "a" * 3000,
        "halfopen://reports/0000000000000000/../../x",
        "halfopen://rules/SAG06/../../..",
    ),
]
_NAMES = ["design_toy", "design_saga", "search_knowledge", "explain", "saga", "nothing", "", "../x", "\0", 1, None]


def _arguments(paths: list[str]) -> st.SearchStrategy[Any]:
    path = st.sampled_from(paths)
    return st.one_of(
        st.fixed_dictionaries({"spec_file": path}, optional={"write_to": path, "overwrite": st.booleans()}),
        st.fixed_dictionaries({"toy": st.just("car"), "write_to": path}, optional={"overwrite": st.booleans()}),
        st.fixed_dictionaries({}, optional=dict.fromkeys(("toy", "parts", "copies", "shout", "write_to"), _VALUES)),
        st.fixed_dictionaries({"saga": _VALUES, "steps": _VALUES}, optional={"services": _VALUES, "target": _VALUES}),
        st.fixed_dictionaries({"query": _VALUES}, optional={"limit": _VALUES}),
        st.fixed_dictionaries({"code": _VALUES}),
        st.dictionaries(st.text(max_size=5), _VALUES, max_size=3),
        _VALUES,
    )


def _bodies(paths: list[str]) -> st.SearchStrategy[bytes]:
    call = st.fixed_dictionaries(
        {"name": st.sampled_from(_NAMES), "arguments": _arguments(paths)}, optional={"_meta": st.just(META) | _VALUES}
    )
    read = st.fixed_dictionaries({"uri": st.sampled_from(_URIS) | _VALUES}, optional={"_meta": st.just(META)})
    prompt = st.fixed_dictionaries(
        {"name": st.sampled_from(_NAMES)}, optional={"arguments": st.just({"request": "\0x"}) | _VALUES}
    )
    other = st.fixed_dictionaries(
        {},
        optional={
            "_meta": st.just(META) | _VALUES,
            "name": st.sampled_from(_NAMES),
            "arguments": _VALUES,
            "cursor": _VALUES,
            "ref": st.just({"type": "ref/resource", "uri": "halfopen://laws/{id}"}) | _VALUES,
            "argument": st.just({"name": "id", "value": "x"}) | _VALUES,
            "protocolVersion": _VALUES,
            "inputResponses": _VALUES,
            "requestState": _VALUES,
        },
    )
    identity = st.sampled_from([1, "a", None, -1, 1.5, 10**30, "", [], {}, True])

    def message(method: Any, params: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        fixed = {"jsonrpc": st.sampled_from(["2.0", "2.0", "2.0", "1.0", None]), "method": method, "params": params}
        return st.fixed_dictionaries(fixed, optional={"id": identity, "result": _VALUES})

    messages = st.one_of(
        message(st.just("tools/call"), call),
        message(st.just("tools/call"), call),
        message(st.just("resources/read"), read),
        message(st.just("prompts/get"), prompt),
        message(st.sampled_from(_METHODS), other | _VALUES),
        _VALUES,
    )
    return st.sampled_from(_RAW) | messages.map(lambda each: json.dumps(each).encode()) | st.binary(max_size=40)


_HEADERS: dict[bytes, list[bytes]] = {
    b"content-type": [b"application/json", b"application/json", b"text/plain", b"", b"application/json; charset=utf-7"],
    b"accept": [
        b"application/json, text/event-stream",
        b"application/json, text/event-stream",
        b"*/*",
        b"text/html",
        b"",
    ],
    b"mcp-protocol-version": [b"2026-07-28", b"2025-11-25", b"2025-06-18", b"9999-99-99", b"", b"\xff", b"x" * 999],
    b"mcp-method": [b"tools/call", b"tools/list", b"resources/read", b"", b"\xff"],
    b"mcp-name": [b"design_toy", b"design_saga", b"explain", b"halfopen://laws/", b"=?base64?eA==?=", b""],
    b"mcp-session-id": [b"x", b"../../x", b""],
    b"last-event-id": [b"1", b"\xff"],
    b"host": [b"127.0.0.1", b"127.0.0.1", b"localhost:1", b"evil.example.com", b"", b"\xff"],
    b"origin": [b"http://localhost", b"https://evil.example.com", b"null"],
    b"mcp-param-toy": [b"x", b"=?base64?////?="],
    b"content-length": [b"1", b"99999999999", b"-1", b"x"],
}


def requests(traps: Traps) -> st.SearchStrategy[Sent]:
    """One request after the other that is wrong in some way, or looks right and leads astray."""
    some = st.fixed_dictionaries(
        {name: st.sampled_from(_HEADERS[name]) for name in (b"content-type", b"accept", b"host")},
        optional={
            name: st.sampled_from(values)
            for name, values in _HEADERS.items()
            if name not in {b"content-type", b"accept", b"host", b"content-length"}
        },
    )
    return st.builds(
        Sent,
        method=st.sampled_from([*["POST"] * 12, "GET", "DELETE", "PUT", "OPTIONS", "TRACE"]),
        path=st.sampled_from(
            [*["/mcp"] * 12, "/", "/mcp/", "/mcp/../x", "/health/live", "/health/ready", "/%00", "/mcp?x=1"]
        ),
        headers=some.map(lambda each: tuple(each.items())),
        body=_bodies(traps.paths()),
    )


def well_addressed(sent: Sent) -> Sent:
    """The same in a sound envelope, if it is a call: what gets past the door has to be borne inside."""
    try:
        body = json.loads(sent.body)
        method, params = body["method"], dict(body["params"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return sent
    name = params.get("uri" if method == "resources/read" else "name")
    if not isinstance(method, str) or not method.isascii() or not method.isprintable():
        return sent
    fitting = {
        b"content-type": b"application/json",
        b"accept": b"application/json, text/event-stream",
        b"host": b"127.0.0.1",
    }
    if b"mcp-session-id" not in dict(sent.headers):
        fitting |= {b"mcp-protocol-version": b"2026-07-28", b"mcp-method": method.encode()}
        if isinstance(name, str):
            plain = name.isascii() and name.isprintable()
            named = name.encode("utf-8", "surrogatepass")
            fitting[b"mcp-name"] = named if plain else b"=?base64?" + base64.b64encode(named) + b"?="
        params["_meta"] = META
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return Sent("POST", "/mcp", tuple(fitting.items()), json.dumps(message).encode())

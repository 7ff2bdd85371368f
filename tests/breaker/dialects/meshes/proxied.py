"""A real Envoy on the loopback with a rendered bootstrap, before hosts that do as they are told."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from halfopen.checkers import programs
from halfopen_generators.breaker.dialects.envoy import PROGRAM, bootstrap
from halfopen_generators.breaker.plan import CallPlan
from tests.oracles import require

PATH = "/acme.payment.v1.PaymentService/ChargeCard"
# Until somebody gives up on what ought to have happened long ago.
PATIENCE = 30


@dataclass
class Host:
    """One host of the dependency. Its behaviour gets the number of the call, from 1, and gives the status."""

    behaviour: Callable[[int], int] = lambda _call: 200
    seen: list[str] = field(default_factory=list)
    port: int = 0


@dataclass(frozen=True)
class Answer:
    status: int
    overloaded: bool
    body: str


@dataclass
class Proxy:
    """The listener that the caller speaks to."""

    port: int

    def ask(self, path: str = PATH) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", path, body=b"7")
            found = connection.getresponse()
            return Answer(found.status, found.getheader("x-envoy-overloaded") == "true", found.read().decode())
        finally:
            connection.close()


def until(done: Callable[[], bool], *, every: float = 0.05) -> bool:
    """Whether it came to be while anybody would wait."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if done():
            return True
        time.sleep(every)
    return False


@contextmanager
def envoy(plan: CallPlan, *hosts: Host, closed: int = 0) -> Iterator[Proxy]:
    """Envoy with the plan's bootstrap before those hosts, and as many that nobody listens at."""
    require("envoy", available=programs.find(PROGRAM) is not None, how_to_get=PROGRAM.how_to_get)
    executable = programs.find(PROGRAM)
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(_serving(host))
        ports = [host.port for host in hosts] + [free() for _ in range(closed)]
        proxy = Proxy(free())
        folder = stack.enter_context(programs.written({"bootstrap.yaml": addressed(plan, proxy.port, ports)}))
        command = [str(executable), "-c", "bootstrap.yaml", "--concurrency", "1", "--use-dynamic-base-id",
                   "--disable-hot-restart", "--log-level", "error"]  # fmt: skip
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            try:
                assert until(lambda: process.poll() is not None or _listens(proxy.port))
                assert process.poll() is None, Path(folder, "log").read_text()
                yield proxy
            finally:
                process.terminate()
                process.wait(PATIENCE)


def addressed(plan: CallPlan, port: int, ports: list[int]) -> str:
    """The bootstrap with addresses of this machine; nothing else of it changes."""
    tree: dict[str, Any] = bootstrap(plan)
    resources = tree["static_resources"]
    resources["listeners"][0]["address"]["socket_address"]["port_value"] = port
    (cluster,) = resources["clusters"]
    cluster["type"] = "STATIC"
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": each}}}} for each in ports
    ]
    return yaml.safe_dump(without_notes(tree), sort_keys=False)


def without_notes(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: without_notes(value) for key, value in tree.items() if not key.startswith("# ")}
    return [without_notes(value) for value in tree] if isinstance(tree, list) else tree


def free() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _serving(host: Host) -> Iterator[None]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            with lock:
                host.seen.append(self.path)
                number = len(host.seen)
            self.send_response(host.behaviour(number))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            # Envoy ends a try that is over its time.
            with suppress(ConnectionError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

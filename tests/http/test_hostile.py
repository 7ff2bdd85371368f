"""Ten thousand requests that nobody should send: none crashes it, none is answered with 500, none leads out.

Most go to the application in this process, which is quick; some hundred go over the wire.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from mcp.shared.exceptions import MCPError

from halfopen.registry import capability
from halfopen_server.mcp import build_server
from halfopen_server.mcp_http import HttpSettings, http_app
from halfopen_server.roots import Reach
from tests.http.conftest import Serve
from tests.http.hostile import GOOD, SECRET, Sent, Traps, lay_traps, requests, well_addressed
from tests.mcp.toy import Bench

pytestmark = pytest.mark.timeout(300)

IN_PROCESS, AT_ONCE = 10_000, 25
OVER_THE_WIRE = 300
# What may be said to such a request. 500 and 503 may not.
LEGAL = {200, 202, 400, 401, 403, 404, 405, 406, 413, 415, 421}


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Traps:
    return lay_traps(tmp_path_factory.mktemp("hostile"))


class Target:
    """The application in this process, asked from a test that waits for nothing itself."""

    def __init__(self, portal: BlockingPortal, client: httpx2.AsyncClient) -> None:
        self._portal = portal
        self._client = client
        self.seen: Counter[int] = Counter()

    def ask(self, batch: list[Sent]) -> list[httpx2.Response]:
        return self._portal.call(self._all, batch)

    async def _all(self, batch: list[Sent]) -> list[httpx2.Response]:
        answers: dict[int, httpx2.Response] = {}

        async def one(number: int, sent: Sent) -> None:
            answers[number] = await send(self._client, sent)

        async with anyio.create_task_group() as group:
            for number, sent in enumerate(batch):
                group.start_soon(one, number, sent)
        self.seen.update(answer.status_code for answer in answers.values())
        return [answers[number] for number in range(len(batch))]


async def send(client: httpx2.AsyncClient, sent: Sent) -> httpx2.Response:
    return await client.request(sent.method, sent.path, content=sent.body, headers=list(sent.headers))


@pytest.fixture(scope="module")
def target(traps: Traps) -> Iterator[Target]:
    server = build_server([Bench().capability(), capability("saga")], reach=Reach.of_operator([traps.inside]))
    app = http_app(server, HttpSettings(roots=(traps.inside,))).app
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        stack.enter_context(portal.wrap_async_context_manager(app.router.lifespan_context(app)))
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1", timeout=60, trust_env=False
        )
        yield Target(portal, client)


def bears(sent: Sent, status: int, body: str) -> None:
    """What has to hold of every answer, whatever was asked."""
    assert status in LEGAL, (status, body, sent)
    assert SECRET not in body, sent
    assert "root:x:0" not in body, sent
    # So the library says that our own code failed in a way that we had not thought of; with a colon: what is wrong.
    assert not re.search(r'Error executing tool \w+"', body), (body, sent)
    assert "-32603" not in body, (body, sent)
    assert "Traceback" not in body, sent


def is_a_fault(record: logging.LogRecord) -> bool:
    """Whether something went wrong that nobody had thought of.

    A notification that the library refuses has nobody to tell, so the library logs the refusal, as an error.
    """
    refused = record.exc_info is not None and isinstance(record.exc_info[1], MCPError)
    return not refused and (record.levelno >= logging.ERROR or bool(record.exc_info))


def test_a_refused_notification_is_logged_and_is_no_fault(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    notification = {"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": "a://b", "requestState": 5}}
    envelope = ((b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream"))
    with caplog.at_level(logging.WARNING):
        [answer] = target.ask([Sent("POST", "/mcp", envelope, json.dumps(notification).encode())])
    assert answer.status_code == 202
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == ["mcp.server.runner"]
    assert not any(is_a_fault(record) for record in caplog.records)


def test_ten_thousand_hostile_requests_do_no_harm(
    target: Target, traps: Traps, caplog: pytest.LogCaptureFixture
) -> None:
    before = traps.fingerprint()

    @seed(20261126)
    @settings(
        max_examples=IN_PROCESS // AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(traps), min_size=AT_ONCE, max_size=AT_ONCE), st.booleans())
    def attack(batch: list[Sent], straight: bool) -> None:  # noqa: FBT001 - drawn
        asked = [well_addressed(sent) for sent in batch] if straight else batch
        for sent, answer in zip(asked, target.ask(asked), strict=True):
            bears(sent, answer.status_code, answer.text)

    with caplog.at_level(logging.WARNING):
        attack()
    assert target.seen.total() >= IN_PROCESS
    # Some came through to the tools, and some didn't: the requests aren't all turned away for the same reason.
    assert {200, 202, 400, 403, 404, 405, 406, 421} <= set(target.seen), target.seen
    assert target.seen[200] > IN_PROCESS // 20, target.seen
    assert [record for record in caplog.records if is_a_fault(record)] == []
    assert traps.fingerprint() == before
    assert (traps.inside / "good.yaml").read_text() == GOOD


def test_hostile_requests_over_the_wire_do_no_harm(serve: Serve, tmp_path: Path) -> None:
    traps = lay_traps(tmp_path)
    before = traps.fingerprint()
    served = serve("--root", traps.inside)
    sent_in_all = 0

    @seed(20261126)
    @settings(
        max_examples=OVER_THE_WIRE // AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(requests(traps), min_size=AT_ONCE, max_size=AT_ONCE))
    def attack(batch: list[Sent]) -> None:
        nonlocal sent_in_all
        sent_in_all += anyio.run(over_the_wire, served, batch)

    attack()
    assert sent_in_all >= OVER_THE_WIRE - AT_ONCE
    assert served.process.poll() is None
    assert traps.fingerprint() == before
    assert "Traceback" not in served.log.read_text()
    assert "ERROR" not in served.log.read_text()


async def over_the_wire(served: Any, batch: list[Sent]) -> int:
    sent_in_all = 0
    async with served.http() as client:
        for sent in map(well_addressed, batch):
            answer = await send(client, sent)
            bears(sent, answer.status_code, answer.text)
            sent_in_all += 1
        assert (await client.get("/health/live")).status_code == 200
    return sent_in_all

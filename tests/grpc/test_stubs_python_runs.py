"""Python stubs on a real channel: the generated client calls the generated server, and both keep to the design."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.grpc.support_stubs_python import FILLED_IN, SPEC, Stubs, serving, written

pytestmark = pytest.mark.anyio
TRACE = "0af7651916cd43dd8448eb211c80319c"
SERVICE = "acme.calls.v1.CallService"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = written(SPEC, tmp_path_factory.mktemp("calls"))
    shutil.copy(FILLED_IN, made / "calls" / "services.py")
    return made


@pytest.fixture(scope="module")
def stubs(project: Path) -> Stubs:
    return Stubs(project, "calls")


def changed(project: Path, folder: Path, file: str, change: Callable[[str], str]) -> Stubs:
    """The stubs with one of their files changed."""
    copy = folder / "changed"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = (copy / "calls" / file).read_text("utf-8")
    after = change(before)
    assert after != before
    (copy / "calls" / file).write_text(after, encoding="utf-8")
    return Stubs(copy, "calls")


@asynccontextmanager
async def calling(stubs: Stubs, service: Any) -> AsyncIterator[Any]:
    """A client of a server that answers with that service."""
    async with serving(stubs, service) as address, stubs.client.connect(address) as channel:
        yield stubs.client.CallServiceClient(channel)


async def failed(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def connected(address: str) -> None:
    _, writer = await asyncio.open_connection(*address.split(":"))
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)


async def until_refused(call: Callable[[], Any]) -> None:
    while True:
        await call()


# ---- deadlines -----------------------------------------------------------------------------------------------


async def test_who_sets_no_deadline_has_the_designed_one_and_the_method_is_cancelled(stubs: Stubs) -> None:
    service = stubs.services.CallService()
    async with calling(stubs, service) as client:
        error = await failed(client.slow(stubs.skeleton.pb.SlowRequest()))
        await service.cancelled.wait()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # What the method itself calls has no more time than is left of the designed 200 ms.
    assert [0 < left <= 0.2 for left in service.left] == [True]


async def test_the_server_hears_of_a_deadline_that_is_sooner_than_designed(stubs: Stubs) -> None:
    service, pb = stubs.services.CallService(), stubs.skeleton.pb
    async with calling(stubs, service) as client:
        for timeout in (None, 3.0, 300.0):
            await client.get(pb.GetRequest(), timeout=timeout)
    designed, sooner, later = service.left
    # On the wire a timeout is rounded up by a percent or less.
    assert 0 < sooner < 4 < min(designed, later)
    assert max(designed, later) <= 6


async def test_a_call_within_a_call_has_no_more_time_than_is_left(stubs: Stubs) -> None:
    inner, pb = stubs.services.CallService(), stubs.skeleton.pb
    async with calling(stubs, inner) as behind:

        class Between(stubs.skeleton.CallService):  # type: ignore[name-defined,misc]
            async def charge(self, request: Any, context: Any) -> Any:
                del request, context
                await behind.get(pb.GetRequest())
                return pb.ChargeResponse()

        async with calling(stubs, Between()) as client:
            await client.charge(pb.ChargeRequest(), timeout=2.0)
    # By itself it would have six seconds.
    assert [0 < left < 3 for left in inner.left] == [True]


async def test_a_caller_can_not_stay_longer_than_designed(stubs: Stubs) -> None:
    service, pb = stubs.services.CallService(), stubs.skeleton.pb
    # A channel that knows nothing of the design.
    async with serving(stubs, service) as address, grpc.aio.insecure_channel(address) as channel:
        slow = channel.unary_unary(f"/{SERVICE}/Slow", pb.SlowRequest.SerializeToString, pb.SlowResponse.FromString)
        error = await failed(slow(pb.SlowRequest(), timeout=300))
        await service.cancelled.wait()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "the deadline passed while the call was answered"


async def test_a_call_whose_deadline_has_passed_is_refused(stubs: Stubs) -> None:
    told: list[Any] = []

    class Late:
        def time_remaining(self) -> float:
            return 0.0

        async def abort(self, code: Any, text: str) -> None:
            told.append((code, text))
            raise InterruptedError

    handler = grpc.unary_unary_rpc_method_handler(lambda *_: told.append("called"))
    held = stubs.deadlines._held(handler, 20.0)
    with pytest.raises(InterruptedError):
        await held.unary_unary(None, Late())
    assert told == [(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline had passed when the call came")]


# ---- retries -------------------------------------------------------------------------------------------------


async def test_a_call_that_may_be_repeated_is(stubs: Stubs) -> None:
    service = stubs.services.CallService()
    service.unavailable = 2
    async with calling(stubs, service) as client:
        answer = await client.get(stubs.skeleton.pb.GetRequest(name="you"))
    assert (answer.text, len(service.asked)) == ("hello you", 3)


async def test_a_call_that_must_not_be_repeated_is_not(stubs: Stubs) -> None:
    service = stubs.services.CallService()
    service.unavailable = 1
    async with calling(stubs, service) as client:
        error = await failed(client.charge(stubs.skeleton.pb.ChargeRequest()))
    assert (error.code(), len(service.asked)) == (grpc.StatusCode.UNAVAILABLE, 1)


async def test_without_the_retry_policy_nothing_is_repeated(project: Path, tmp_path: Path) -> None:
    """A mutant: what repeats calls is the policy, and the test above would see that it is gone."""

    def without(text: str) -> str:
        config = json.loads(text)
        for method in config["methodConfig"]:
            method.pop("retryPolicy", None)
        return json.dumps(config)

    mutant = changed(project, tmp_path, "service_config.json", without)
    service = mutant.services.CallService()
    service.unavailable = 2
    async with calling(mutant, service) as client:
        error = await failed(client.get(mutant.skeleton.pb.GetRequest()))
    assert (error.code(), len(service.asked)) == (grpc.StatusCode.UNAVAILABLE, 1)


# ---- pages and streams ---------------------------------------------------------------------------------------


async def test_all_pages_are_read_to_the_end(stubs: Stubs) -> None:
    service, request = stubs.services.CallService(), stubs.skeleton.pb.ListThingsRequest(page_size=3)
    async with calling(stubs, service) as client:
        pages = [list(page.things) async for page in client.list_things_pages(request)]
    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]]
    assert [asked.page_token for asked in service.asked] == ["", "3", "6"]
    assert request.page_token == ""


async def test_a_page_that_names_itself_as_the_next_one_ends_the_loop(stubs: Stubs) -> None:
    pb = stubs.skeleton.pb

    async def always_the_same(_: Any) -> Any:
        return pb.ListThingsResponse(next_page_token="7")  # noqa: S106 - no password

    with pytest.raises(RuntimeError, match="names itself"):
        async for _ in stubs.streams.pages(always_the_same, pb.ListThingsRequest()):
            pass


async def events(client: Any, stubs: Stubs) -> list[int]:
    return [each.event.number async for each in client.watch(stubs.skeleton.pb.WatchRequest())]


async def test_a_stream_that_breaks_goes_on_where_it_was(stubs: Stubs) -> None:
    service = stubs.services.CallService()
    service.breaks_after = {2: grpc.StatusCode.UNAVAILABLE, 5: grpc.StatusCode.UNAVAILABLE}
    async with calling(stubs, service) as client:
        assert await events(client, stubs) == list(range(1, 10))
    assert [asked.resume_token for asked in service.asked] == ["", "2", "5"]


async def test_without_the_token_events_come_twice(project: Path, tmp_path: Path) -> None:
    """A mutant: what keeps the place is the token, and the test above would see that it isn't sent."""
    mutant = changed(
        project,
        tmp_path,
        "streams.py",
        lambda text: text.replace("_go_on(asked, message, place)", "del place").replace(
            "failed = 0\n                del place", "failed = 0"
        ),
    )
    service = mutant.services.CallService()
    service.breaks_after = {2: grpc.StatusCode.UNAVAILABLE}
    async with calling(mutant, service) as client:
        assert await events(client, mutant) == [1, 2, *range(1, 10)]


async def test_a_stream_that_brings_nothing_is_opened_a_bounded_number_of_times(stubs: Stubs) -> None:
    pb, opened = stubs.skeleton.pb, []

    class Broken:
        def cancel(self) -> None:
            opened.append("cancelled")

        async def __aiter__(self) -> AsyncIterator[Any]:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "gone")
            yield

    def opening(asked: Any) -> Broken:
        opened.append(asked.resume_token)
        return Broken()

    place = stubs.streams.Place(("resume_token",), ("event", "resume_token"))
    again = stubs.streams.Again(attempts=3, first_wait=0.001, longest_wait=0.001, factor=2.0)
    with pytest.raises(grpc.aio.AioRpcError):
        async for _ in stubs.streams.resumed(opening, pb.WatchRequest(resume_token="4"), place, again):  # noqa: S106
            pass
    assert opened == ["4", "cancelled"] * 3


async def test_a_stream_that_is_refused_is_not_opened_again(stubs: Stubs) -> None:
    service = stubs.services.CallService()
    service.breaks_after = {2: grpc.StatusCode.PERMISSION_DENIED}
    async with calling(stubs, service) as client:
        error = await failed(events(client, stubs))
    assert (error.code(), len(service.asked)) == (grpc.StatusCode.PERMISSION_DENIED, 1)


async def test_a_stream_goes_on_behind_its_deadline(stubs: Stubs) -> None:
    service, found = stubs.services.CallService(), []
    async with calling(stubs, service) as client:
        async for each in client.watch_briefly(stubs.skeleton.pb.WatchBrieflyRequest()):
            found.append(each.event.number)
            if len(found) == 5:
                break
    assert found == [1, 2, 3, 4, 5]
    assert [asked.resume_token for asked in service.asked] == ["", "2", "4"]


def test_waits_grow_to_a_bound_and_differ(stubs: Stubs) -> None:
    again = stubs.streams.Again(attempts=5, first_wait=1.0, longest_wait=8.0, factor=2.0)
    waits = {failed: [again.pause(failed) for _ in range(200)] for failed in (1, 2, 3, 4, 9)}
    assert [max(found) <= most for found, most in zip(waits.values(), (1, 2, 4, 8, 8), strict=True)] == [True] * 5
    assert all(len(set(found)) > 100 for found in waits.values())
    assert max(waits[4]) > max(waits[1])


async def test_streams_of_the_caller_are_read_to_the_end(stubs: Stubs) -> None:
    pb = stubs.skeleton.pb

    async def numbers(kind: Any) -> AsyncIterator[Any]:
        for number in range(4):
            yield kind(number=number)

    async with calling(stubs, stubs.services.CallService()) as client:
        assert (await client.add(numbers(pb.AddRequest))).number == 6
        assert [each.number async for each in client.double(numbers(pb.DoubleRequest))] == [0, 2, 4, 6]


async def test_a_slow_reader_holds_the_sender_back(stubs: Stubs) -> None:
    pb, made = stubs.skeleton.pb, []
    # Far more than the windows of a connection and the buffers beside it hold.
    size, most = 64 * 1024, 1_000

    class Endless(stubs.skeleton.CallService):  # type: ignore[name-defined,misc]
        async def watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
            del request, context
            while len(made) < most:
                made.append(None)
                yield pb.WatchResponse(event=pb.Event(resume_token="x" * size))

    async with calling(stubs, Endless()) as client:
        messages = client.watch(pb.WatchRequest())
        await anext(messages)
        before = -1
        # Until the sender stands still.
        while len(made) != before:
            before = len(made)
            await asyncio.sleep(0.2)
        held = len(made)
        await messages.aclose()
    assert 1 <= held < most / 2


# ---- idempotency ---------------------------------------------------------------------------------------------


async def test_the_same_request_id_twice_gives_one_effect(stubs: Stubs) -> None:
    service, pb = stubs.services.CallService(), stubs.skeleton.pb
    async with calling(stubs, service) as client:
        first = await client.place(pb.PlaceRequest(name="a", request_id="1"))
        again = await client.place(pb.PlaceRequest(name="a", request_id="1"))
        other = await client.place(pb.PlaceRequest(name="a", request_id="2"))
    assert (first.text, again.text, other.text) == ("1: a", "1: a", "2: a")
    assert service.effects == ["a", "a"]


async def test_two_tries_at_once_give_one_effect(stubs: Stubs) -> None:
    service, request = stubs.services.CallService(), stubs.skeleton.pb.PlaceRequest(name="a", request_id="1")
    service.goes_on.clear()
    async with calling(stubs, service) as client:
        tries = [asyncio.create_task(client.place(request)) for _ in range(3)]
        await asyncio.wait(tries, timeout=0.05)
        service.goes_on.set()
        assert [answer.text for answer in await asyncio.gather(*tries)] == ["1: a"] * 3
    assert service.effects == ["a"]


async def test_the_same_request_id_with_another_body_is_refused(stubs: Stubs) -> None:
    service, pb = stubs.services.CallService(), stubs.skeleton.pb
    async with calling(stubs, service) as client:
        await client.place(pb.PlaceRequest(name="a", request_id="1"))
        error = await failed(client.place(pb.PlaceRequest(name="b", request_id="1")))
    failure = stubs.errors.failure(error)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    (detail,) = failure.details
    assert [violation.field for violation in detail.field_violations] == ["request_id"]
    assert service.effects == ["a"]


async def test_an_error_is_not_remembered(stubs: Stubs) -> None:
    service, request = stubs.services.CallService(), stubs.skeleton.pb.PlaceRequest(name="a", request_id="1")
    # As many as the channel tries.
    service.unavailable = 3
    async with calling(stubs, service) as client:
        assert (await failed(client.place(request))).code() is grpc.StatusCode.UNAVAILABLE
        assert (await client.place(request)).text == "1: a"


async def test_a_status_that_a_method_sets_and_returns_with_is_no_answer_to_remember(stubs: Stubs) -> None:
    pb, asked = stubs.skeleton.pb, []

    class Sets(stubs.skeleton.CallService):  # type: ignore[name-defined,misc]
        async def place(self, request: Any, context: Any) -> Any:
            asked.append(request)
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return pb.PlaceResponse()

    async with calling(stubs, Sets()) as client:
        for _ in range(2):
            error = await failed(client.place(pb.PlaceRequest(request_id="1")))
            assert error.code() is grpc.StatusCode.NOT_FOUND
    assert len(asked) == 2


async def test_a_request_id_is_made_once_for_all_tries_of_a_call(stubs: Stubs) -> None:
    service, request = stubs.services.CallService(), stubs.skeleton.pb.PlaceRequest(name="a")
    service.unavailable = 2
    async with calling(stubs, service) as client:
        await client.place(request)
        await client.place(request)
    ids = [asked.request_id for asked in service.asked]
    assert len(ids) == 4
    assert (len(set(ids[:3])), ids[2] != ids[3], all(ids)) == (1, True, True)
    assert request.request_id == ""


async def test_answers_are_kept_for_a_while_and_not_without_bound(stubs: Stubs) -> None:
    now = 0.0
    memory = stubs.idempotency.Memory(kept_for=10.0, most=2, clock=lambda: now)
    for key in ("a", "b", "c"):
        assert await memory.claim(key, b"body") is None
        await memory.keep(key, key.encode())
    # The oldest made room.
    assert [await memory.claim(key, b"body") for key in ("b", "c")] == [b"b", b"c"]
    now = 11.0
    assert await memory.claim("b", b"body") is None
    assert await memory.claim("c", b"body") is None
    # Both are under way, and neither is dropped for a third.
    with pytest.raises(stubs.idempotency.Full):
        await memory.claim("a", b"body")
    await memory.release("b")
    assert await memory.claim("a", b"body") is None


# ---- errors, traces, health, reflection ----------------------------------------------------------------------


async def test_an_rpc_that_is_not_filled_in_says_so(stubs: Stubs) -> None:
    pb = stubs.skeleton.pb
    async with calling(stubs, stubs.skeleton.CallService()) as client:
        unary = await failed(client.charge(pb.ChargeRequest()))
        stream = await failed(events(client, stubs))
    assert {unary.code(), stream.code()} == {grpc.StatusCode.UNIMPLEMENTED}


async def test_a_trace_goes_through_the_server_to_whom_it_calls(stubs: Stubs) -> None:
    inner, pb = stubs.services.CallService(), stubs.skeleton.pb
    async with calling(stubs, inner) as behind:

        class Between(stubs.skeleton.CallService):  # type: ignore[name-defined,misc]
            async def get(self, request: Any, context: Any) -> Any:
                del context
                return await behind.get(request)

        async with serving(stubs, Between()) as address, grpc.aio.insecure_channel(address) as channel:
            get = channel.unary_unary(f"/{SERVICE}/Get", pb.GetRequest.SerializeToString, pb.GetResponse.FromString)
            sent = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-00"), ("tracestate", "a=1"))
            await get(pb.GetRequest(), metadata=sent)
            await get(pb.GetRequest(), metadata=(("traceparent", "00-what-is-this"),))
    known, unknown = inner.traces
    assert (known.trace_id, known.flags, known.state) == (TRACE, "00", "a=1")
    assert known.span_id != "b7ad6b7169203331"
    assert len(unknown.trace_id) == 32
    assert unknown.trace_id != TRACE


@pytest.mark.parametrize(
    "parent",
    [
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{TRACE}-b7ad6b7169203331-01-more",
        f"00-{TRACE.upper()}-b7ad6b7169203331-01",
        "",
    ],
)
def test_a_trace_that_the_standard_refuses_is_begun_anew(stubs: Stubs, parent: str) -> None:
    assert stubs.tracing.read((("traceparent", parent),)).trace_id.lower() not in {TRACE, "0" * 32}


def test_a_later_version_of_the_standard_is_read_as_far_as_it_is_known(stubs: Stubs) -> None:
    read = stubs.tracing.read((("traceparent", f"01-{TRACE}-b7ad6b7169203331-01-more"),))
    assert (read.trace_id, read.span_id) == (TRACE, "b7ad6b7169203331")


async def test_health_and_reflection_answer(stubs: Stubs) -> None:
    async with serving(stubs, stubs.services.CallService()) as address, grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (told,) = [each async for each in reflection.ServerReflectionInfo(iter([asked]))]
        described = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
        (file,) = [each async for each in reflection.ServerReflectionInfo(iter([described]))]
    assert SERVICE in {service.name for service in told.list_services_response.service}
    assert b"WatchRequest" in b"".join(file.file_descriptor_response.file_descriptor_proto)


async def test_the_client_leaves_a_server_that_says_it_is_not_serving(stubs: Stubs) -> None:
    service, pb = stubs.services.CallService(), stubs.skeleton.pb
    server = stubs.server.Server([service])
    port = await server.start("127.0.0.1:0")
    async with stubs.client.connect(f"127.0.0.1:{port}") as channel:
        client = stubs.client.CallServiceClient(channel)
        await client.charge(pb.ChargeRequest())
        await server._health.enter_graceful_shutdown()
        # The channel hears of it by a stream, so it may take a call or two more.
        await failed(until_refused(lambda: client.charge(pb.ChargeRequest())))
        calls = len(service.asked)
        error = await failed(client.charge(pb.ChargeRequest()))
    await server.stop(notice=0, grace=0)
    assert (error.code(), len(service.asked)) == (grpc.StatusCode.UNAVAILABLE, calls)


@asynccontextmanager
async def process(project: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The server as a program of its own, and its address."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "calls.server", "--address", "127.0.0.1:0", "--notice", "2"),
        cwd=project,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stderr is not None
        line = (await asyncio.wait_for(server.stderr.readline(), 60)).decode()
        assert "listening on 127.0.0.1:" in line
        yield server, line.split()[-1]
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.wait()


async def test_sigterm_ends_it_in_order(project: Path, stubs: Stubs) -> None:
    pb, more = stubs.skeleton.pb, asyncio.Queue[Any]()

    async def numbers() -> AsyncIterator[Any]:
        while (number := await more.get()) is not None:
            yield pb.DoubleRequest(number=number)

    async with process(project) as (server, address), stubs.client.connect(address) as channel:
        under_way = stubs.client.CallServiceClient(channel).double(numbers())
        answers = aiter(under_way)
        more.put_nowait(1)
        assert (await anext(answers)).number == 2
        async with grpc.aio.insecure_channel(address) as other:
            health = health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
            server.send_signal(signal.SIGTERM)
            # First those who watch hear of it, and the client goes elsewhere, of its own accord.
            assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            health.cancel()
        client = stubs.client.CallServiceClient(channel)
        refused = await failed(until_refused(lambda: client.charge(pb.ChargeRequest())))
        # Then nobody is let in any more, and the call that is under way goes on to its end.
        with pytest.raises(ConnectionRefusedError):
            await until_refused(lambda: connected(address))
        more.put_nowait(21)
        assert (await anext(answers)).number == 42
        more.put_nowait(None)
        assert [each async for each in answers] == []
        assert await asyncio.wait_for(server.wait(), 60) == 0
        assert server.stderr is not None
        said = [line.split()[-1] for line in (await server.stderr.read()).decode().splitlines()]
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert said == ["stopping", "stopped"]

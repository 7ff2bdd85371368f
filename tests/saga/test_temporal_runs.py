"""The generated Temporal code on a server whose time skips: its own tests, and the ways in which sagas fail."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from halfopen_generators.saga.scenario import Delivery, Scenario
from tests.saga.support_dbos import LACKING, SPECS, python
from tests.saga.support_temporal import ORDER, PATIENCE, PIVOT, Fates, modules, program, written

pytestmark = pytest.mark.oracle

UNDONE = ("action", "compensation")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def server(loop: asyncio.Runner) -> Iterator[Any]:
    binary = program("temporal-test-server")
    from temporalio.testing import WorkflowEnvironment

    environment = loop.run(WorkflowEnvironment.start_time_skipping(test_server_existing_path=binary))
    yield environment
    loop.run(environment.shutdown())
    # Threads of the client that are busy while the interpreter ends would crash it.
    loop.run(asyncio.sleep(0.5))


@pytest.fixture(scope="module")
def order(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    assert server
    return modules(written(ORDER, tmp_path_factory.mktemp("order")), "order_saga")


@pytest.fixture(scope="module")
def parcel(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    assert server
    return modules(written(PIVOT, tmp_path_factory.mktemp("parcel")), "parcel_saga")


class Bench:
    """One run of a generated saga, in front of a scripted transport."""

    def __init__(self, server: Any, package: Any, folder: Path, **fates: Any) -> None:
        self.client = server.client
        self.package = package
        self.store = package.store.Store(f"sqlite:///{folder}/participants.db")
        self.transport = Fates(package, self.store, **fates)
        self.order = replace(package.example.example(), order_id=uuid.uuid4().hex[:8])

    async def start(self) -> Any:
        self.handle = await self.package.starter.start(self.client, self.order, self.order.order_id)
        return self.handle

    def worker(self, **more: Any) -> Any:
        return self.package.worker.build(self.client, self.transport, self.order.order_id, **more)

    async def run(self) -> Any:
        async with asyncio.timeout(PATIENCE), self.worker():
            return await (await self.start()).result()

    async def turned_back(self) -> None:
        """Wait until the run goes back, and then lose the request that is under way."""
        running = True
        while running:
            standing = await self.handle.query(self.package.workflow.SagaWorkflow.standing)
            running = standing.state == "running"
        raise ConnectionError("nobody waits for this any more")

    def effects(self) -> dict[str, tuple[str, ...]]:
        return dict(self.package.ledger.history(self.store, self.handle.id))

    async def is_deterministic(self) -> bool:
        from temporalio.worker import Replayer

        replayer = Replayer(workflows=[self.package.workflow.SagaWorkflow])
        history = await self.handle.fetch_history()
        return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure is None


Make = Callable[..., Bench]


@pytest.fixture
def bench(server: Any, tmp_path: Path) -> Make:
    return lambda package, **fates: Bench(server, package, tmp_path, **fates)


async def asked(handle: Any) -> Any:
    """Where the run stands. The test server offers tasks to polls of workers that are gone, so it is asked again."""
    from temporalio.service import RPCError

    for _ in range(5):
        try:
            return await handle.query("standing", rpc_timeout=timedelta(seconds=5))
        except RPCError:
            await asyncio.sleep(0.1)
    return await handle.query("standing")


async def replayed(bench: Bench) -> Any:
    standing = await bench.run()
    assert await bench.is_deterministic()
    return standing


def run(loop: asyncio.Runner, work: Coroutine[Any, Any, Any]) -> Any:
    return loop.run(work)


# ---- its own tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SPECS if name != "long"])
def test_the_generated_tests_pass(name: str, tmp_path: Path) -> None:
    program("temporal-test-server")
    folder = written(SPECS[name], tmp_path)
    process = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert process.returncode == 0, process.stdout + process.stderr


def test_a_counterexample_fails_until_the_spec_is_mended(tmp_path: Path) -> None:
    program("temporal-test-server")
    late = Scenario(
        name="late-action",
        title="s3 is applied after its compensation.",
        deliveries=tuple(Delivery("s3", "action", "late") for _ in range(3)),
        crash_after=None,
        outcome="cancelled",
        standing=(),
        undone=("s3", "s2", "s1"),
        breaks="SAG06",
    )
    mended = LACKING.replace("c: {refuses_late_actions: false}", "c: {}")
    for text, result in ((LACKING, "1 xfailed"), (mended, "XPASS(strict)")):
        folder = written(text, tmp_path / result[:1], [late])
        process = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "late-action")
        assert result in process.stdout, process.stdout + process.stderr


# ---- six ways in which sagas are known to fail ---------------------------------------------------------------


def test_a_first_step_that_fails_does_not_hang(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order, reserve_action=["refused"])
    standing = run(loop, replayed(it))
    assert (standing.state, standing.because) == ("cancelled", "reserve was refused: the test says no")
    assert it.transport.sent == ["reserve/action"]
    assert it.effects() == {}


def test_a_step_that_timed_out_is_compensated(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order, charge_action=["lost", "lost"])
    standing = run(loop, replayed(it))
    assert (standing.state, standing.because) == ("cancelled", "charge gave no answer in 2 tries")
    tries = ["reserve/action", "charge/action", "charge/action"]
    assert it.transport.sent == [*tries, "charge/compensation", "reserve/compensation"]
    assert it.effects() == {"reserve": UNDONE}


def test_an_answer_outside_its_contract_is_no_answer(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order, charge_action=["misfit", "misfit"])
    standing = run(loop, replayed(it))
    told = "what came does not fit: ChargeReply: payment_id is missing"
    assert (standing.state, standing.because) == ("cancelled", f"charge gave no answer in 2 tries; in the last, {told}")
    assert it.effects() == {"reserve": UNDONE, "charge": UNDONE}


def test_a_late_reply_does_not_revive_a_run_that_failed(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    from temporalio import activity
    from temporalio.service import RPCError, RPCStatusCode

    it, tokens, requests = bench(order), [], []

    @activity.defn(name="charge")
    async def answer_later(request: dict[str, Any]) -> None:
        tokens.append(activity.info().task_token)
        requests.append(request)
        activity.raise_complete_async()

    async def work() -> None:
        async with asyncio.timeout(PATIENCE), with_activity(it, answer_later):
            standing = await (await it.start()).result()
            assert standing.state == "cancelled"
            for token in tokens:
                with pytest.raises(RPCError) as unheard:
                    await it.client.get_async_activity_handle(task_token=token).complete({})
                assert unheard.value.status is RPCStatusCode.NOT_FOUND
        # The requests reach the participant only now; it refuses them.
        for request in requests:
            answer = await it.transport.local.send(order.messages.Request(**request))
            assert (answer.done, answer.reason) == (False, "compensated before")
        async with it.worker():
            assert (await asked(it.handle))["state"] == "cancelled"

    run(loop, work())
    assert len(tokens) == 2
    assert it.effects() == {"reserve": UNDONE}
    assert "ship/action" not in it.transport.sent


def test_a_duplicate_reply_skips_no_step(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    from temporalio import activity
    from temporalio.service import RPCError, RPCStatusCode

    it, tokens = bench(order), asyncio.Queue[bytes]()

    @activity.defn(name="reserve")
    async def answer_twice(request: dict[str, Any]) -> None:
        await it.transport.send(order.messages.Request(**request))
        tokens.put_nowait(activity.info().task_token)
        activity.raise_complete_async()

    async def work() -> None:
        async with asyncio.timeout(PATIENCE), with_activity(it, answer_twice):
            await it.start()
            handle = it.client.get_async_activity_handle(task_token=await tokens.get())
            await handle.complete({})
            with pytest.raises(RPCError) as unheard:
                await handle.complete({})
            assert unheard.value.status is RPCStatusCode.NOT_FOUND
            assert (await it.handle.result()).state == "committed"

    run(loop, work())
    assert it.transport.sent == ["reserve/action", "charge/action", "ship/action"]
    assert it.effects() == {"reserve": ("action",), "charge": ("action",), "ship": ("action",)}


def test_compensations_come_in_the_reverse_order(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order, ship_action=["refused"])
    assert run(loop, replayed(it)).state == "cancelled"
    assert it.transport.sent[3:] == ["charge/compensation", "reserve/compensation"]
    assert it.effects() == {"reserve": UNDONE, "charge": UNDONE}


# The sixth, a crash between saving and publishing, needs processes that are killed: test_temporal_kills.py.


# ---- giving up -----------------------------------------------------------------------------------------------


def test_a_run_that_is_called_off_is_undone(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order)

    async def call_off() -> None:
        await it.handle.cancel()
        await it.turned_back()

    it.transport.fates = {"ship/action": [call_off]}
    standing = run(loop, replayed(it))
    assert (standing.state, standing.because) == ("cancelled", "cancellation was asked for")
    assert it.transport.sent[3:] == ["ship/compensation", "charge/compensation", "reserve/compensation"]
    assert it.effects() == {"reserve": UNDONE, "charge": UNDONE}


@pytest.mark.parametrize("step", ["charge", "ship"])
def test_calling_off_a_run_without_a_way_back_changes_nothing(
    step: str, loop: asyncio.Runner, bench: Make, parcel: Any
) -> None:
    it = bench(parcel)
    seen: list[Any] = []

    async def call_off() -> None:
        await it.handle.cancel()
        while not seen or not seen[-1].overdue:
            seen.append(await it.handle.query(parcel.workflow.SagaWorkflow.standing))

    it.transport.fates = {f"{step}/action": [call_off]}
    standing = run(loop, replayed(it))
    assert (standing.state, standing.because) == ("committed", "")
    assert seen[-1].state == "running"
    assert it.effects() == {"reserve": ("action",), "charge": ("action",), "ship": ("action",)}


def test_a_pivot_that_refuses_after_the_run_was_called_off_is_heard(
    loop: asyncio.Runner, bench: Make, parcel: Any
) -> None:
    it = bench(parcel)

    async def call_off() -> None:
        await it.handle.cancel()
        raise ConnectionError("and this try is lost")

    it.transport.fates = {"charge/action": [call_off, "refused"]}
    standing = run(loop, replayed(it))
    assert standing.state == "cancelled"
    assert it.effects() == {"reserve": UNDONE}


def test_a_deadline_turns_a_run_back_that_is_not_past_its_pivot(
    loop: asyncio.Runner, bench: Make, order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order.saga, "DEADLINE", 0.5)
    it = bench(order)
    it.transport.fates = {"reserve/action": [it.turned_back]}
    standing = run(loop, replayed(it))
    assert (standing.state, standing.because) == ("cancelled", "the deadline has passed")
    assert it.transport.sent[-1] == "reserve/compensation"
    assert it.effects() == {}


def test_a_step_behind_the_pivot_that_is_refused_is_asked_again(loop: asyncio.Runner, bench: Make, parcel: Any) -> None:
    it = bench(parcel, ship_action=["refused"] * 5)
    assert run(loop, replayed(it)).state == "committed"
    assert it.transport.sent.count("ship/action") == 6


# ---- starting ------------------------------------------------------------------------------------------------


def test_whoever_starts_a_run_again_joins_it(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order)

    async def work() -> None:
        first, second = await it.start(), await it.start()
        assert first.id == second.id
        async with asyncio.timeout(PATIENCE), it.worker():
            ended = await second.result()
            again = await (await it.start()).result()
        assert ended == again

    run(loop, work())
    assert it.transport.sent == ["reserve/action", "charge/action", "ship/action"]


def test_a_worker_without_a_cache_replays_every_task(loop: asyncio.Runner, bench: Make, order: Any) -> None:
    it = bench(order, ship_action=["refused"])

    async def work() -> Any:
        async with asyncio.timeout(PATIENCE), it.worker(max_cached_workflows=0):
            return await (await it.start()).result()

    assert run(loop, work()).state == "cancelled"


def with_activity(bench: Bench, instead: Any) -> Any:
    """A worker in which that activity stands in for the generated one of its name."""
    from temporalio import activity
    from temporalio.worker import Worker

    name = activity._Definition.must_from_callable(instead).name
    generated = bench.package.worker.registered(bench.transport)
    others = [each for each in generated if each.__name__ != name]
    return Worker(
        bench.client,
        task_queue=bench.order.order_id,
        workflows=[bench.package.workflow.SagaWorkflow],
        activities=[*others, instead],
    )

"""The generated Temporal code on the full server, as a user runs it, with kill -9 of workers and of the server."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.saga.support_dbos import CHECKOUT, python
from tests.saga.support_temporal import PATIENCE, DevServer, free_port, modules, program, wait_for, worker, written

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner
        runner.run(asyncio.sleep(0.5))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    program("temporal")
    started = DevServer(tmp_path_factory.mktemp("server"))
    started.start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Short limits, so that a try that died with its worker is soon made again.
    short = CHECKOUT.replace("timeout: 5s", "timeout: 3s").replace("deadline: 30s", "deadline: 1h")
    return written(short, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def package(checkout: Path) -> Any:
    return modules(checkout, "checkout_saga")


def settings(server: DevServer, folder: Path) -> dict[str, str]:
    return {
        "CHECKOUT_TEMPORAL_ADDRESS": server.address,
        "CHECKOUT_TASK_QUEUE": folder.name,
        "CHECKOUT_PARTICIPANTS_URL": f"sqlite:///{folder}/participants.db",
    }


def effects(package: Any, folder: Path, run: str) -> dict[str, tuple[str, ...]]:
    store = package.store.Store(f"sqlite:///{folder}/participants.db")
    return dict(package.ledger.history(store, run))


async def started(server: DevServer, package: Any, key: str, queue: str) -> str:
    client = await server.client()
    order = package.contract.PlaceOrder(order_id=key, lines=[])
    run: str = (await package.starter.start(client, order, queue)).id
    return run


async def ended(server: DevServer, package: Any, run: str) -> Any:
    """How the run ended; and its history replays."""
    from temporalio.worker import Replayer

    client = await server.client()
    workflow = package.workflow.SagaWorkflow
    handle = client.get_workflow_handle_for(workflow.run, run)
    async with asyncio.timeout(PATIENCE):
        standing = await handle.result()
    result = await Replayer(workflows=[workflow]).replay_workflow(
        await handle.fetch_history(), raise_on_replay_failure=False
    )
    assert result.replay_failure is None
    return standing


def killed_at(folder: Path, plan: dict[str, Any], environment: dict[str, str], cwd: Path) -> None:
    """A worker that is killed, once for each point at which its requests hang."""
    for point in plan["hang"]:
        with worker(cwd, "checkout_saga", plan, **environment):
            wait_for(folder / point.replace("/", "_"))


def test_a_user_starts_server_worker_and_runs_as_the_readme_says(
    server: DevServer, checkout: Path, tmp_path: Path
) -> None:
    environment = settings(server, tmp_path)
    with worker(checkout, "checkout_saga", {"hang": [], "marks": str(tmp_path)}, **environment):
        order = json.dumps({"order_id": "o-1", "lines": [{"sku": "book"}]})
        first = starter(checkout, environment, "start", order)
        assert first.returncode == 0, first.stderr
        assert json.loads(first.stdout)["state"] == "committed"
        assert starter(checkout, environment, "start", order).stdout == first.stdout
        assert starter(checkout, environment, "standing", "o-1").stdout == first.stdout
    unknown = starter(checkout, environment, "standing", "o-2")
    assert (unknown.returncode, unknown.stderr) == (1, "there is no run checkout-o-2\n")
    bad = starter(checkout, environment, "start", '{"order_id": "o-3"}')
    assert bad.returncode == 2
    assert "that is no PlaceOrder" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_a_program_that_finds_no_service_says_where_it_looked(checkout: Path) -> None:
    program("temporal")
    environment = {"CHECKOUT_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}"}
    for program_name in ("starter", "worker"):
        arguments = ("standing", "o-1") if program_name == "starter" else ()
        ended = python(checkout, "-m", f"checkout_saga.{program_name}", *arguments, **environment)
        assert ended.returncode == 1
        said = f"no Temporal service answers at {environment['CHECKOUT_TEMPORAL_ADDRESS']}: "
        assert ended.stderr.startswith(said), ended.stderr
        assert "Traceback" not in ended.stderr


def starter(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "checkout_saga.starter", *arguments, **environment)


def test_a_crash_between_saving_and_publishing_recovers(
    loop: asyncio.Runner, server: DevServer, checkout: Path, package: Any, tmp_path: Path
) -> None:
    # The answer to reserve-stock is saved; the request to charge the card has not reached anybody. Worker and
    # server both die there, and once more after the card was charged, when the answer is not saved.
    environment = settings(server, tmp_path)
    points = ["charge-card/action/before", "charge-card/action/after"]
    run = loop.run(started(server, package, "crash", tmp_path.name))
    for point in points:
        killed_at(tmp_path, {"hang": [point], "marks": str(tmp_path)}, environment, checkout)
        server.kill()
        server.start()
    with worker(checkout, "checkout_saga", {"hang": [], "marks": str(tmp_path)}, **environment):
        standing = loop.run(ended(server, package, run))
    assert (standing.state, standing.because) == ("committed", "")
    steps = ("reserve-stock", "charge-card", "create-shipment")
    assert effects(package, tmp_path, run) == dict.fromkeys(steps, ("action",))


def test_a_run_that_turned_back_survives_kills_around_its_compensation(
    loop: asyncio.Runner, server: DevServer, checkout: Path, package: Any, tmp_path: Path
) -> None:
    environment = settings(server, tmp_path)
    run = loop.run(started(server, package, "back", tmp_path.name))
    plan = {
        "hang": ["reserve-stock/compensation/before", "reserve-stock/compensation/after"],
        "refuse": ["charge-card/action"],
        "marks": str(tmp_path),
    }
    killed_at(tmp_path, plan, environment, checkout)
    with worker(checkout, "checkout_saga", plan, **environment):
        standing = loop.run(ended(server, package, run))
    assert (standing.state, standing.because) == ("cancelled", "charge-card was refused: the plan says no")
    assert effects(package, tmp_path, run) == {"reserve-stock": ("action", "compensation")}


@pytest.mark.parametrize("refuse", [[], ["charge-card/action"]], ids=["committed", "cancelled"])
def test_a_lock_is_freed_though_workers_and_server_are_killed_around_the_release(
    refuse: list[str], loop: asyncio.Runner, server: DevServer, checkout: Path, package: Any, tmp_path: Path
) -> None:
    environment = settings(server, tmp_path)
    run = loop.run(started(server, package, f"lock-{len(refuse)}", tmp_path.name))
    for point in ("reserve-stock/release/before", "reserve-stock/release/after"):
        plan = {"hang": [point], "refuse": refuse, "marks": str(tmp_path)}
        killed_at(tmp_path, plan, environment, checkout)
        # Its effect may be there already; the run has not ended before it is answered.
        assert held(package, tmp_path, run) == ([] if point.endswith("after") else ["stock"])
        server.kill()
        server.start()
    with worker(checkout, "checkout_saga", {"hang": [], "marks": str(tmp_path)}, **environment):
        standing = loop.run(ended(server, package, run))
    assert standing.state == ("cancelled" if refuse else "committed")
    assert held(package, tmp_path, run) == []


def held(package: Any, folder: Path, run: str) -> list[str]:
    isolation = importlib.import_module(f"{package.__name__}.isolation")
    store = package.store.Store(f"sqlite:///{folder}/participants.db")
    with store.transaction() as connection:
        found: list[str] = isolation.held(connection, run)
    return found

"""The generated participants at work: every run replayed in memory, and on real brokers with real kills."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from halfopen_generators.saga.choreography_scenario import choreography_scenarios
from halfopen_generators.saga.targets.choreography_brokers import Broker
from tests.saga.designs import designed
from tests.saga.support_brokers import SESSION_TIMEOUT, nats_server, require_client, require_server, server
from tests.saga.support_choreography import ALL_BROKERS, CHECKOUT, SPECS, Replayed, meetings, replayed, written

pytestmark = pytest.mark.oracle

# What broke a popular saga reference when it was run, by the runs of the example that would show it.
FAMOUS = {
    "a failure of the first step does not hang": ("reserve-stock-refused",),
    "a duplicate event does not apply a step twice": (
        "order-placed-to-reserve-stock-twice",
        "stock-reserved-to-charge-card-twice",
        "payment-charged-to-create-shipment-twice",
        "charge-card-refused-payment-failed-to-undo-reserve-stock-twice",
    ),
    "a late event does not revive a cancelled run": (
        "reserve-stock-refused-everything-again",
        "charge-card-refused-everything-again",
    ),
    "a crash between saving and publishing recovers": (
        "order-placed-to-reserve-stock-killed-before-publish",
        "stock-reserved-to-charge-card-killed-before-publish",
        "payment-charged-to-create-shipment-killed-before-publish",
        "charge-card-refused-payment-failed-to-undo-reserve-stock-killed-before-publish",
    ),
    "a crash between publishing and acknowledging does no harm": (
        "order-placed-to-reserve-stock-killed-before-ack",
        "stock-reserved-to-charge-card-killed-before-ack",
        "payment-charged-to-create-shipment-killed-before-ack",
    ),
}
# The example undoes one step only; two that have to be undone in their order are in this one.
ORDERED = ("check-risk-refused", "check-risk-refused-hold-hotel-undone-early")


@pytest.mark.parametrize(
    ("name", "broker"),
    [*((name, "nats") for name in SPECS), ("checkout", "kafka"), ("diamond", "kafka"), ("checkout", "rabbitmq"),
     ("diamond", "rabbitmq"), ("tickets", "kafka"), ("tickets", "rabbitmq")],
)  # fmt: skip
def test_every_run_goes_as_expected_in_memory(name: str, broker: Broker, tmp_path: Path) -> None:
    require_client(broker)
    design = designed(SPECS[name])
    found = replayed(written(tmp_path, SPECS[name], broker))
    assert found.disagreeing((*choreography_scenarios(design), *meetings(design))) == {}, found.output


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        # Who reads nothing again can't read another value; what is restored over nobody loses nothing.
        ('fakes.read(work, "hold", "seats")', "pass"),
        ('fakes.restored(work, "hold", "seats")', "pass"),
    ],
)
def test_an_anomaly_counts_as_expected_only_if_it_is_the_one_that_is_told(kept: str, lost: str, tmp_path: Path) -> None:
    require_client("nats")
    folder = written(tmp_path, SPECS["tickets"], "nats")
    business = folder / "tickets_saga" / "business.py"
    assert business.read_text().count(kept) == 1
    business.write_text(business.read_text().replace(kept, lost))
    found = replayed(folder, "-k", "counterexample")
    gone = {"fuzzy"} if "read(" in kept else {"dirty", "lost"}
    told = {meeting.name: meeting.told[0] for meeting in meetings(designed(SPECS["tickets"]))}
    expected = {name: "failed" if what.startswith(tuple(gone)) else "xfailed" for name, what in told.items()}
    assert found.outcomes == expected, found.output
    assert len(expected) == 3


@pytest.fixture(scope="module", params=ALL_BROKERS)
def on_a_real_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    broker: Broker = request.param
    require_server(broker)
    folder = tmp_path_factory.mktemp("checkout")
    with server(broker, folder / "server") as url:
        yield replayed(
            written(folder, CHECKOUT, broker), CHECKOUT_TEST_BROKER=url, CHECKOUT_SESSION_TIMEOUT=SESSION_TIMEOUT
        )


def test_every_run_goes_as_expected_on_a_real_broker(on_a_real_broker: Replayed) -> None:
    expected = choreography_scenarios(designed(CHECKOUT))
    assert on_a_real_broker.disagreeing(expected) == {}, on_a_real_broker.output


@pytest.mark.parametrize("failure", FAMOUS)
def test_famous_failures_can_not_happen(failure: str, on_a_real_broker: Replayed) -> None:
    outcomes = {name: on_a_real_broker.outcomes.get(name) for name in FAMOUS[failure]}
    assert outcomes == dict.fromkeys(FAMOUS[failure], "passed")


def test_compensations_keep_their_order_on_a_real_nats(tmp_path: Path) -> None:
    require_server("nats")
    folder = written(tmp_path, SPECS["diamond"], "nats")
    with nats_server(tmp_path / "streams") as url:
        found = replayed(folder, "-k", "risk-refused] or undone-early", BOOKING_TEST_BROKER=url)
    assert found.outcomes == dict.fromkeys(ORDERED, "passed"), found.output


def test_without_an_outbox_a_kill_loses_the_event_on_a_real_nats(tmp_path: Path) -> None:
    require_server("nats")
    folder = written(tmp_path, SPECS["lacking"], "nats")
    processes = folder / "tests" / "processes.py"
    processes.write_text(processes.read_text().replace("PATIENCE = 60.0", "PATIENCE = 20.0"))
    with nats_server(tmp_path / "streams") as url:
        found = replayed(
            folder, "-k", "to-reserve-killed or (to-authorize-twice and not refused)", LACKING_TEST_BROKER=url
        )
    assert found.outcomes == {
        "lacking-requested-to-reserve-killed-before-publish": "xfailed",
        "lacking-requested-to-reserve-killed-before-ack": "passed",
        "reserve-stock-succeeded-to-authorize-twice": "xfailed",
    }, found.output


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    with _running("nats", tmp_path) as found:
        yield found


@contextmanager
def _running(broker: Broker, tmp_path: Path, **settings: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """All participants of the example in one process, as the README says; the folder and the environment."""
    require_server(broker)
    folder = written(tmp_path / "checkout", CHECKOUT, broker)
    with server(broker, tmp_path / "server") as url:
        environment = {**os.environ, **settings, "CHECKOUT_BROKER_URL": url}
        process = subprocess.Popen(_command("run", "all"), cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        try:
            yield folder, environment
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("broker", ALL_BROKERS)
def test_the_commands_of_the_readme_work(broker: Broker, tmp_path: Path) -> None:
    with _running(broker, tmp_path) as (folder, environment):
        commands = re.findall(
            r"^python -m checkout_saga\.main ([^#\n]+)", (folder / "README.md").read_text(), re.MULTILINE
        )
        told = [command.split() for command in commands]
        assert told == [["run", "all", "&"], ["start", "some-order_id"], ["outcome", "some-order_id"], ["asyncapi"]]
        for command in told[1:]:
            subprocess.run(_command(*command), cwd=folder, env=environment, check=True, capture_output=True)
        assert _outcome(folder, environment, "some-order_id") == "committed"


def test_what_can_not_be_read_goes_to_the_dead_letters_and_blocks_nobody(
    running: tuple[Path, dict[str, str]],
) -> None:
    folder, environment = running
    poison = """
import asyncio, nats, os
async def main():
    client = await nats.connect(os.environ["CHECKOUT_BROKER_URL"])
    stream = client.jetstream()
    for body in (b"\\xff no JSON", b"{}", b'{"name": "OrderPlaced", "order_id": ""}', b'{"name": "Other"}'):
        await stream.publish("checkout.OrderPlaced", body)
    buried = await stream.pull_subscribe("checkout.dead-letters", stream="CHECKOUT")
    found = []
    while len(found) < 8:  # the observer hears OrderPlaced, too
        found += await buried.fetch(8 - len(found), timeout=60)
    print(sorted({message.data for message in found}))
    print(all("can't be read" in message.headers["reason"] for message in found))
asyncio.run(main())
"""
    subprocess.run(_command("start", "order-2"), cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)
    done = subprocess.run(
        [sys.executable, "-c", poison], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        str(sorted([b"\xff no JSON", b"{}", b'{"name": "OrderPlaced", "order_id": ""}', b'{"name": "Other"}'])),
        "True",
    ]
    subprocess.run(_command("start", "order-3"), cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert [_outcome(folder, environment, order) for order in ("order-2", "order-3")] == ["committed", "committed"]


@pytest.mark.parametrize("broker", ALL_BROKERS)
def test_what_was_sent_to_the_wrong_place_goes_to_the_dead_letters(broker: Broker, tmp_path: Path) -> None:
    misplace = """
import asyncio, os
from checkout_saga import broker as module, contract
async def main():
    await module.prepare(os.environ["CHECKOUT_BROKER_URL"])
    broker = module.connect(os.environ["CHECKOUT_BROKER_URL"])
    await broker.start()
    # An event that can be read, but that nobody expects there.
    event = contract.make("PaymentCharged", "order-1", None, {})
    place = {
        "nats": lambda: {"subject": "checkout.OrderPlaced"},
        "kafka": lambda: {"topic": "checkout.OrderPlaced"},
        "rabbitmq": lambda: {"routing_key": "OrderPlaced", "exchange": module.EXCHANGE},
    }[os.environ["BROKER"]]()
    await broker.publish(event.wire(), **place)
    await broker.stop()
asyncio.run(main())
"""
    with _running(broker, tmp_path, CHECKOUT_MAX_DELIVER="2") as (folder, environment):
        program = [sys.executable, "-c", misplace]
        subprocess.run(program, cwd=folder, env={**environment, "BROKER": broker}, check=True, capture_output=True)
        program = [sys.executable, "-c", UNBURY[broker]]
        done = subprocess.run(
            program, cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
    assert json.loads(done.stdout)["name"] == "PaymentCharged"


# The oldest of the dead letters, as soon as there is one.
UNBURY: dict[Broker, str] = {
    "nats": """
import asyncio, nats, os
async def main():
    client = await nats.connect(os.environ["CHECKOUT_BROKER_URL"])
    buried = await client.jetstream().pull_subscribe("checkout.dead-letters", stream="CHECKOUT")
    print((await buried.fetch(1, timeout=50))[0].data.decode())
    await client.close()
asyncio.run(main())
""",
    "kafka": """
import aiokafka, asyncio, os
async def main():
    consumer = aiokafka.AIOKafkaConsumer(
        "checkout.dead-letters", bootstrap_servers=os.environ["CHECKOUT_BROKER_URL"], auto_offset_reset="earliest"
    )
    async with consumer:
        print((await consumer.getone()).value.decode())
asyncio.run(main())
""",
    "rabbitmq": """
import aio_pika, asyncio, os
async def main():
    async with await aio_pika.connect(os.environ["CHECKOUT_BROKER_URL"]) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("checkout.dead-letters", passive=True)
        async with queue.iterator() as letters:
            async for letter in letters:
                print(letter.body.decode())
                return
asyncio.run(main())
""",
}


def test_the_inbox_keeps_what_came_and_the_outbox_what_left(running: tuple[Path, dict[str, str]]) -> None:
    folder, environment = running
    subprocess.run(_command("start", "order-4"), cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL)
    assert _outcome(folder, environment, "order-4") == "committed"
    with sqlite3.connect(folder / "checkout-payment.db") as database:
        [(came,)] = database.execute("SELECT event FROM saga_inbox WHERE run_id = 'order-4'").fetchall()
        [(left,)] = database.execute("SELECT event FROM saga_outbox").fetchall()
    heard, said = json.loads(came), json.loads(left)
    assert (heard["name"], said["name"]) == ("StockReserved", "PaymentCharged")
    assert said["causation_id"] == heard["event_id"]
    assert said["order_id"] == heard["order_id"] == "order-4"


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "checkout_saga.main", *arguments]


def _outcome(folder: Path, environment: dict[str, str], order: str) -> str:
    said = "under way"
    give_up = time.monotonic() + 120
    while said == "under way" and time.monotonic() < give_up:
        done = subprocess.run(
            _command("outcome", order), cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        said = done.stdout.strip()
    return said

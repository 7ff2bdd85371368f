"""What a change breaks is exactly what buf says of the files themselves, and what was changed foretells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.checkers import programs
from halfopen.source import BadInput
from halfopen.vocabulary import Report
from tests.grpc.designs import answered, release

SPEC: dict[str, Any] = {
    "package": "acme.orders.v1",
    "services": {
        "OrderService": {
            "GetOrder": {"request": {"order_id": "string"}, "response": {"order": "Order"}},
            "PlaceOrder": {"request": {"order": "Order", "request_id": "string"}, "response": {"order": "Order"}},
            "WatchOrder": {"kind": "server-stream", "request": {"order_id": "string"}, "response": {"order": "Order"}},
        },
        "StockService": {"GetStock": {"request": {"sku": "string"}, "response": {"left": "int32"}}},
    },
    "messages": {
        "Order": {
            "order_id": "string", "lines": "repeated Line", "mood": "Mood", "labels": "map<string,string>",
            "total": "int64", "oneof": {"paid": {"card": "string", "cash": "bool"}},
        },
        "Line": {"sku": "string", "quantity": "int32", "note": "optional string"},
        "Unused": {"a": "string"},
    },
    "enums": {"Mood": {"GOOD": 1, "BAD": 2, "FINE": 3}, "Size": ["SMALL", "LARGE"]},
}  # fmt: skip
# A change, and the rules of buf of which it breaks at least one; none for a change that breaks nobody.
Mutation = tuple[str, Callable[[dict[str, Any]], Any], frozenset[str]]
FIELD_GONE = frozenset({"FIELD_NO_DELETE"})


def order(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["messages"]["Order"]
    return found


MUTATIONS: tuple[Mutation, ...] = (
    ("a field more", lambda spec: order(spec).update(weight="double"), frozenset()),
    ("a message more", lambda spec: spec["messages"].update(Parcel={"order": "Order"}), frozenset()),
    ("a value more", lambda spec: spec["enums"].update(Mood={**spec["enums"]["Mood"], "SAD": 9}), frozenset()),
    ("an rpc more", lambda spec: spec["services"]["StockService"].update(Restock={}), frozenset()),
    ("a service more", lambda spec: spec["services"].update(MoreService={"DoMore": {}}), frozenset()),
    ("an enum more", lambda spec: spec["enums"].update(More=["ONE"]), frozenset()),
    ("a member more", lambda spec: order(spec)["oneof"]["paid"].update(cheque="string"), frozenset()),
    ("a field less", lambda spec: order(spec).pop("labels"), FIELD_GONE),
    ("a field of a request less", lambda spec: spec["services"]["OrderService"]["PlaceOrder"]["request"].pop("order"),
     FIELD_GONE),
    ("a member less", lambda spec: order(spec)["oneof"]["paid"].pop("cash"), FIELD_GONE),
    ("a oneof less", lambda spec: order(spec).pop("oneof"), FIELD_GONE),
    ("a message less", lambda spec: spec["messages"].pop("Unused"), frozenset({"MESSAGE_NO_DELETE"})),
    ("a value less", lambda spec: spec["enums"]["Mood"].pop("BAD"), frozenset({"ENUM_VALUE_NO_DELETE"})),
    ("an enum less", lambda spec: spec["enums"].pop("Size"), frozenset({"ENUM_NO_DELETE"})),
    ("an rpc less", lambda spec: spec["services"]["OrderService"].pop("GetOrder"), frozenset({"RPC_NO_DELETE"})),
    ("a service less", lambda spec: spec["services"].pop("StockService"), frozenset({"SERVICE_NO_DELETE"})),
    ("a field renamed", lambda spec: order(spec).update(sum=order(spec).pop("total")), FIELD_GONE),
    ("a field renamed under its number", lambda spec: order(spec).update(
        {"sum": {"type": order(spec).pop("total"), "number": 5}}), frozenset({"FIELD_SAME_NAME"})),
    ("a message renamed", lambda spec: spec["messages"].update(Unneeded=spec["messages"].pop("Unused")),
     frozenset({"MESSAGE_NO_DELETE"})),
    ("a value renamed", lambda spec: spec["enums"]["Mood"].update(AWFUL=spec["enums"]["Mood"].pop("BAD")),
     frozenset({"ENUM_VALUE_SAME_NAME"})),
    ("another type", lambda spec: order(spec).update(total="string"), frozenset({"FIELD_WIRE_JSON_COMPATIBLE_TYPE"})),
    ("a kin type", lambda spec: order(spec).update(total="sfixed64"), frozenset({"FIELD_WIRE_JSON_COMPATIBLE_TYPE"})),
    ("several", lambda spec: order(spec).update(total="repeated int64"),
     frozenset({"FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY"})),
    ("presence", lambda spec: order(spec).update(total="optional int64"), frozenset({"FIELD_SAME_CARDINALITY"})),
    ("a stream", lambda spec: spec["services"]["OrderService"]["GetOrder"].update(kind="server-stream"),
     frozenset({"RPC_SAME_SERVER_STREAMING"})),
    ("no stream", lambda spec: spec["services"]["OrderService"]["WatchOrder"].update(kind="bidi"),
     frozenset({"RPC_SAME_CLIENT_STREAMING"})),
    ("another answer", lambda spec: spec["services"]["StockService"]["GetStock"].update(response="Line"),
     frozenset({"RPC_SAME_RESPONSE_TYPE"})),
)  # fmt: skip


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    release(answered(SPEC), folder)
    return folder


def mutated(*chosen: int) -> dict[str, Any]:
    spec = json.loads(json.dumps(SPEC))
    for number in chosen:
        MUTATIONS[number][1](spec)
    return {**spec, "previous": "."}


def by_buf(found: Report, released: Path) -> dict[str, str]:
    """What buf itself says of the new files beside the old ones: rule by message."""
    new = {each.path: each.text for each in found.artifacts if each.path.endswith((".proto", "buf.yaml"))}
    old = {path.relative_to(released).as_posix(): path.read_text() for path in released.rglob("*") if path.is_file()}
    executable = programs.find(programs.BUF)
    assert executable is not None
    texts = {
        **{f"new/{name}": text for name, text in new.items()},
        **{f"old/{name}": text for name, text in old.items()},
    }
    with programs.written(texts) as folder:
        ran = programs.run(executable, ("breaking", "new", "--against", "old", "--error-format", "json"), folder=folder)
    assert ran.status in {0, 100}, ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    return {row["message"].partition(" See https://")[0]: row["type"] for row in rows}


def by_us(found: Report) -> dict[str, str]:
    told = {}
    for each in found.findings:
        if each.code in {"PRT01", "PRT02"}:
            text, _, rest = each.message.partition(" Who is hurt:")[0].rpartition(" (")
            told[text] = rest.rstrip(")")
    return told


def subjects(text: str) -> tuple[str, ...]:
    """The first quoted word and what holds it."""
    words = text.split('"')[1::2]
    return tuple(words[:1])


@pytest.mark.parametrize("number", range(len(MUTATIONS)), ids=[name for name, _, _ in MUTATIONS])
def test_one_change_breaks_what_it_has_to(released: Path, number: int) -> None:
    name, _, expected = MUTATIONS[number]
    found = answered(mutated(number), released)
    ours, theirs = by_us(found), by_buf(found, released)
    assert bool(ours) == bool(expected), (name, ours)
    assert expected <= set(theirs.values()), (name, theirs)
    assert ours.items() <= theirs.items()


@settings(max_examples=10, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.permutations(range(len(MUTATIONS))).map(lambda order: order[:6]))
def test_several_changes_break_exactly_what_buf_says(released: Path, chosen: list[int]) -> None:
    try:
        spec = mutated(*chosen)
    except (KeyError, AttributeError):
        return  # one of them took away what another one changes
    try:
        found = answered(spec, released)
    except BadInput:
        return  # one of them needs what another one took away
    ours, theirs = by_us(found), by_buf(found, released)
    # Nothing is made up, and of each thing that buf calls broken we tell, if by the gravest of its rules alone.
    assert ours.items() <= theirs.items()
    assert {subjects(text) for text in theirs} == {subjects(text) for text in ours}

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.registry import Options
from halfopen.source import BadInput, Source, parse_source, validate
from halfopen.templates import words
from halfopen.vocabulary import Status
from halfopen_generators.saga import contracts
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import SagaSpec

CHECKOUT = """
saga: checkout
correlation_key: order_id
steps:
  - name: reserve-stock
    service: inventory
    action: ReserveStock
    compensation: ReleaseStock
    can_be_refused: true
    request: {order_id: string, lines: repeated OrderLine, notes: "map<string, Note>", until: timestamp}
    reply: {reservation_id: string, held_for: duration}
  - {name: charge-card, service: payment, action: ChargeCard, kind: pivot}
"""


def designed(spec: str | dict[str, Any]) -> tuple[SagaDesign, Source]:
    source = parse_source(spec) if isinstance(spec, str) else Source(spec)
    return design(validate(SagaSpec, source), source, Options()), source


def proto(found: SagaDesign) -> str:
    return next(artifact.text for artifact in contracts.artifacts(found) if artifact.path.endswith(".proto"))


def passed(found: SagaDesign) -> None:
    answers = contracts.checks(found)
    assert [answer.tool for answer in answers] == ["protoc (grpcio-tools)", "buf"]
    assert [answer.detail for answer in answers if answer.status != Status.PASSED] == [], proto(found)


def test_an_orchestrated_saga_has_requests_and_replies() -> None:
    found, _ = designed(CHECKOUT)
    passed(found)
    paths = [artifact.path for artifact in contracts.artifacts(found)]
    assert paths == ["proto/checkout/v1/checkout_saga.proto", "buf.yaml"]
    text = proto(found)
    names = [line.split()[1] for line in text.splitlines() if line.startswith("message ")]
    assert names == [
        *("ReserveStockRequest", "ReserveStockReply", "ReserveStockDone"),
        *("ReleaseStockRequest", "ReleaseStockReply", "ReleaseStockDone"),
        *("ChargeCardRequest", "ChargeCardReply", "ChargeCardDone", "Refused", "OrderLine", "Note"),
    ]
    request = text.split("message ReserveStockRequest {")[1].split("\n}")[0]
    assert [line.strip() for line in request.splitlines() if line.endswith(";")] == [
        "string order_id = 1;",
        "string idempotency_key = 2;",
        "repeated OrderLine lines = 10;",
        "map<string, Note> notes = 11;",
        "google.protobuf.Timestamp until = 12;",
    ]
    assert 'import "google/protobuf/timestamp.proto";' in text


def test_a_choreographed_saga_has_events() -> None:
    found, _ = designed(
        """
saga: checkout
style: choreography
trigger: OrderPlaced
correlation_key: order_id
steps:
  - {name: reserve, service: inventory, consumes: OrderPlaced, action: ReserveStock, emits: StockReserved,
     emits_on_refusal: StockRefused, can_be_refused: true, request: {sku: string}, reply: {shelf: int32},
     compensation: {consumes: PaymentFailed, action: ReleaseStock, emits: StockReleased}}
  - {name: charge, service: payment, consumes: StockReserved, action: ChargeCard, kind: pivot,
     can_be_refused: true, emits: PaymentCharged, emits_on_refusal: PaymentFailed}
"""
    )
    passed(found)
    text = proto(found)
    names = [line.split()[1] for line in text.splitlines() if line.startswith("message ")]
    assert names == [
        "OrderPlaced", "StockReserved", "StockRefused", "StockReleased", "PaymentCharged", "PaymentFailed"
    ]  # fmt: skip
    refused = text.split("message StockRefused {")[1].split("\n}")[0]
    assert [line.strip() for line in refused.splitlines() if line.endswith(";")] == [
        "string order_id = 1;",
        "string event_id = 2;",
        "google.protobuf.Timestamp occurred_at = 3;",
        "string reason = 10;",
    ]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("strin", "'strin' is no type. Did you mean string? Legal: string, int32"),
        ("String", "'String' is no type: it is written 'string'."),
        ("map<float, string>", "has keys of type 'float'; a map's keys are string, int32, int64, bool."),
        ("map<string, repeated A>", "a map's values are one type each, neither repeated nor a map."),
        ("repeated map<string, string>", "what is repeated is one type, no map and no list."),
        ("OrderLine; } message X {", "is no type."),
        ("order_line", "is no type."),
    ],
)
def test_a_bad_type_is_told_with_its_place_and_the_legal_ones(asked: str, said: str) -> None:
    text = CHECKOUT.replace("lines: repeated OrderLine", f"lines: {asked!r}")
    with pytest.raises(BadInput) as caught:
        designed(text)
    message = str(caught.value)
    assert message.startswith("input:10: steps[0].request.lines: ")
    assert said in message
    # A design that came by another way is refused where it would be spelled.
    good, _ = designed(CHECKOUT)
    first = replace(good.steps[0], request={"lines": asked})
    with pytest.raises(BadInput):
        list(contracts.artifacts(replace(good, steps=(first, *good.steps[1:]))))


def test_the_correlation_key_has_one_type() -> None:
    text = CHECKOUT + "  - {name: ship, service: shipping, action: Ship, request: {order_id: int64}}\n"
    with pytest.raises(BadInput, match="the correlation key 'order_id' is int64 here and string elsewhere"):
        designed(text)


def test_names_that_would_become_one_stay_apart() -> None:
    step = {"service": "a", "action": "Notify", "kind": "retriable"}
    spec = {
        "saga": "import",
        "correlation_key": "done",
        "steps": [
            {**step, "name": "one", "request": {"a__b": "string", "a_b": "string", "ab_": "Refused"}},
            {**step, "name": "two", "request": {"class": "NotifyRequest", "message": "bytes"}},
            {**step, "name": "three", "request": {"class": "NotifyRequest", "message": "bytes"}},
        ],
    }
    found, _ = designed(spec)
    passed(found)
    text = proto(found)
    assert "package import_saga.v1;" in text
    assert [line for line in text.splitlines() if line.startswith("message ")] == [
        "message NotifyRequest {",
        "message NotifyReply {",
        "message NotifyDone {}",
        "message TwoRequest {",
        "message TwoReply {",
        "message TwoDone {}",
        "message Refused {",
        "message Refused2 {}",
        "message NotifyRequest2 {}",
    ]


NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,11}", fullmatch=True)
WORD = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,11}", fullmatch=True)
FIELD = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
TYPE = st.sampled_from([*contracts.SCALARS, "repeated int32", "map<string, Part>", "Part", "HTTPThing", "A1b"])
FIELDS = st.dictionaries(FIELD, TYPE, max_size=5)


@settings(max_examples=25, deadline=None)
@given(
    saga=NAME,
    key=FIELD,
    style=st.sampled_from(["orchestration", "choreography"]),
    steps=st.lists(
        st.fixed_dictionaries(
            {"service": NAME, "action": WORD, "compensation": WORD, "request": FIELDS, "reply": FIELDS}
        ),
        min_size=1,
        max_size=4,
        # Choreographed steps of one action would emit one event, and so wait for themselves.
        unique_by=lambda step: "".join(words(step["action"])),
    ),
)
def test_whatever_the_names_the_contracts_compile_and_lint(
    saga: str, key: str, style: str, steps: list[dict[str, Any]]
) -> None:
    for index, step in enumerate(steps):
        step["name"] = f"s{index}"
        if step["compensation"] == step["action"]:
            step["compensation"] = "Undo"
        for part in ("request", "reply"):
            step[part].pop(key, None)
    found, _ = designed({"saga": saga, "style": style, "correlation_key": key, "steps": steps})
    passed(found)

"""What is decided where the spec is silent, and what is kept where something is released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.vocabulary import ReportOutcome, Status
from halfopen_generators.grpc.numbers import Wanted, field_numbers, reserve
from halfopen_generators.grpc.options import GrpcOptions
from halfopen_generators.grpc.plan import VERSION
from halfopen_generators.grpc.released import Released
from tests.grpc.designs import answered, designed, source, text


def api(rpcs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"package": "acme.v1", "services": {"ThingService": rpcs}, **more}


def decided(spec: dict[str, Any]) -> dict[str, str]:
    return {decision.about: decision.choice for decision in designed(spec).decisions}


def test_hot_fields_then_repeated_ones_get_the_numbers_of_one_byte() -> None:
    wide: dict[str, Any] = {f"f{number}": "string" for number in range(20)}
    wide |= {"tags": "repeated string", "id": {"type": "string", "hot": True}}
    spec = api({"GetThing": {}}, messages={"Wide": wide})
    numbers = {part.name: part.number for part in designed(spec).by_name["Wide"].fields}
    assert (numbers["id"], numbers["tags"], numbers["f0"], numbers["f19"]) == (1, 2, 3, 22)
    assert decided(spec)["messages.Wide.numbers"] == "1 to 15 for hot fields, then for repeated ones"


def test_few_fields_are_numbered_as_they_stand() -> None:
    spec = api({"GetThing": {}}, messages={"Few": {"a": "string", "tags": "repeated string"}})
    assert {part.name: part.number for part in designed(spec).by_name["Few"].fields} == {"a": 1, "tags": 2}


def test_a_list_gets_pages_unless_it_is_said_to_have_none() -> None:
    lists = {"response": {"things": "repeated Thing"}}
    for name, asked, pages in (
        ("ListThings", {}, True),
        ("ListThings", {"paginated": False}, False),
        ("GetThings", {}, False),
        ("GetThings", {"paginated": True}, True),
        ("ListThings", {"kind": "server-stream"}, False),
    ):
        made = designed(api({name: {**lists, **asked}}, messages={"Thing": {}}))
        assert made.methods[0].paginated is pages
        assert ("page_token" in made.by_name[f"{name}Request"].by_name) is pages
        assert ("next_page_token" in made.by_name[f"{name}Response"].by_name) is pages


def test_what_an_update_leaves_out_is_told_from_what_it_sets_to_zero() -> None:
    request = {
        "thing_id": "string",
        "count": "int32",
        "thing": "Thing",
        "tags": "repeated string",
        "request_id": "string",
    }
    spec = api({"UpdateThing": {"request": request}}, messages={"Thing": {}})
    kinds = {part.name: part.type for part in designed(spec).by_name["UpdateThingRequest"].fields}
    assert kinds == {**request, "count": "optional int32", "update_mask": "google.protobuf.FieldMask"}
    assert decided(spec)["services.ThingService.UpdateThing.request.presence"] == "optional: count"


def test_the_presence_of_what_is_released_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thing.proto").write_text(
        'syntax = "proto3";\npackage acme.v1;\n'
        "message UpdateThingRequest { int32 plain = 1; optional int32 told = 2; }\n"
    )
    request = {"plain": "int32", "told": "int32", "added": "int32"}
    made = designed(api({"UpdateThing": {"request": request}}, previous="."), tmp_path)
    kinds = {part.name: part.type for part in made.by_name["UpdateThingRequest"].fields}
    assert kinds == {"plain": "int32", "told": "optional int32", "added": "optional int32"}


@pytest.mark.parametrize(
    ("name", "fields", "errors"),
    [
        ("GetThing", {}, ("NOT_FOUND",)),
        ("GetThing", {"id": "string"}, ("INVALID_ARGUMENT", "NOT_FOUND")),
        ("CreateThing", {"id": "string"}, ("INVALID_ARGUMENT", "ALREADY_EXISTS")),
        ("DeleteThing", {"id": "string"}, ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION")),
        ("Ping", {}, ()),
    ],
)
def test_errors_follow_from_what_an_rpc_is_called(name: str, fields: dict[str, str], errors: tuple[str, ...]) -> None:
    assert designed(api({name: {"request": fields}})).methods[0].errors == errors


@pytest.mark.parametrize(
    ("asked", "retried"),
    [
        ({"idempotency": "no-side-effects"}, True),
        ({"idempotency": "idempotent"}, True),
        ({"idempotency": "non-idempotent"}, False),
        ({"idempotency": "non-idempotent", "retry": {"attempts": 3}}, False),
        ({}, False),
        ({"idempotency": "idempotent", "kind": "bidi"}, False),
        ({"idempotency": "idempotent", "kind": "client-stream"}, False),
        ({"idempotency": "idempotent", "kind": "server-stream"}, True),
    ],
)
def test_only_what_does_no_harm_twice_is_retried(asked: dict[str, Any], *, retried: bool) -> None:
    assert (designed(api({"DoIt": asked})).methods[0].retry is not None) is retried


def test_the_tries_of_a_call_fit_into_its_deadline() -> None:
    for deadline, first, longest in (("1ms", 0.001, 0.001), ("300ms", 0.03, 0.3), ("1m", 1.0, 8.0)):
        rpc = designed(api({"GetThing": {"deadline": deadline, "idempotency": "idempotent"}})).methods[0]
        assert rpc.retry is not None
        assert (round(rpc.retry.first_wait, 9), rpc.retry.longest_wait) == (first, longest)


def test_unsafe_codes_are_left_out_of_the_config() -> None:
    asked = {"idempotency": "idempotent", "retry": {"attempts": 4, "codes": ["UNAVAILABLE", "ABORTED"]}}
    rpc = designed(api({"DoIt": asked})).methods[0]
    assert rpc.retry is not None
    assert (rpc.retry.attempts, rpc.retry.codes) == (4, ("UNAVAILABLE",))


def test_two_services_may_have_an_rpc_of_one_name() -> None:
    found = answered({"package": "acme.v1", "services": {"Red": {"GetIt": {}}, "BlueService": {"GetIt": {}}}})
    assert [check.name for check in found.checks if check.status is not Status.PASSED] == []
    proto = text(found, ".proto")
    assert "rpc GetIt(RedServiceGetItRequest) returns (RedServiceGetItResponse)" in proto
    assert "rpc GetIt(BlueServiceGetItRequest) returns (BlueServiceGetItResponse)" in proto


AIP = {"Get": "Thing", "Update": "Thing", "Delete": "empty"}
LINT = "the package is well formed"


def test_responses_as_aip_has_them_are_declared_in_buf_yaml() -> None:
    rpcs = {
        "GetThing": {"response": "Thing"},
        "UpdateThing": {"response": "Thing"},
        "DeleteThing": {"response": "empty"},
    }
    spec = api(rpcs, messages={"Thing": {"id": "string"}}, style="aip")
    found = answered(spec)
    assert [check.name for check in found.checks if check.status is not Status.PASSED] == []
    assert "  except:\n    - RPC_REQUEST_RESPONSE_UNIQUE\n    - RPC_RESPONSE_STANDARD_NAME\n" in text(found, "buf.yaml")
    assert "returns (google.protobuf.Empty)" in text(found, ".proto")
    undeclared = answered({**spec, "style": "buf"})
    assert [check.name for check in undeclared.checks if check.status is Status.FAILED] == [
        "the package is well formed"
    ]
    assert {finding.code for finding in undeclared.findings if finding.severity == "error"} == {"PRT11"}


class Interrupted(Silent):
    """Cancelled once the compiler has answered."""

    def __init__(self) -> None:
        self.done = 0

    def report(self, done: int, what: str) -> None:
        assert what == "checks done"
        self.done = done

    def cancelled(self) -> bool:
        return self.done > 0


def test_who_interrupts_hears_what_was_known_by_then() -> None:
    found = run(capability("grpc"), source(api({"GetThing": {}})), GrpcOptions(), Interrupted())
    passed, *skipped = found.checks
    assert passed.status is Status.PASSED
    assert {(check.status, check.detail) for check in skipped} == {(Status.SKIPPED, "interrupted.")}
    assert found.outcome is ReportOutcome.WARN
    assert [finding.code for finding in found.findings] == ["IDP05"]


def test_google_type_is_named_where_it_is_used() -> None:
    found = answered(api({"GetThing": {"response": {"price": "money"}}}))
    assert "deps:\n  - buf.build/googleapis/googleapis\n" in text(found, "buf.yaml")
    assert 'import "google/type/money.proto";' in text(found, ".proto")
    assert "deps" not in text(answered(api({"GetThing": {}})), "buf.yaml")


def test_what_is_released_by_other_names_keeps_them(tmp_path: Path) -> None:
    (tmp_path / "old.proto").write_text(
        'syntax = "proto3";\npackage acme.v1;\n'
        "service Things { rpc GetThing(GetThingRequest) returns (ThingsServiceGetThingResponse); }\n"
        "message GetThingRequest { reserved 3 to 5, 900 to max; reserved 'gone'; string id = 7; }\n"
        "message ThingsServiceGetThingResponse { Mood mood = 1; }\n"
        "enum Mood { NEUTRAL = 0; GOOD = 4; reserved 2, 9; reserved 'UGLY'; }\n"
    )
    found = answered(
        {
            "package": "acme.v1",
            "services": {"Things": {"GetThing": {"request": {"a": "string"}, "response": {"mood": "Mood"}}}},
            "enums": {"Mood": ["BAD", "GOOD"]},
            "previous": ".",
        },
        tmp_path,
    )
    # Where it is released: whoever imports the file finds it there.
    assert [each.path for each in found.artifacts if each.path.endswith(".proto")] == ["proto/old.proto"]
    proto = text(found, "old.proto")
    assert "service Things {" in proto
    assert "rpc GetThing(GetThingRequest) returns (ThingsServiceGetThingResponse)" in proto
    assert '  reserved 3 to 5, 7, 900 to max;\n  reserved "gone", "id";\n\n  // A.\n  string a = 8;\n' in proto
    assert '  reserved 2, 9;\n  reserved "UGLY";\n' in proto
    assert "  NEUTRAL = 0;\n" in proto
    assert "  // buf:lint:ignore ENUM_VALUE_PREFIX\n  GOOD = 4;\n" in proto
    assert "  MOOD_BAD = 10;\n" in proto
    assert {finding.code: str(finding.severity) for finding in found.findings if finding.code == "PRT03"} == {
        "PRT03": "warning"
    }


names = st.sampled_from("abcdefgh")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(names, st.booleans(), st.booleans()), unique_by=lambda each: each[0]),
    st.dictionaries(names, st.integers(1, 30), max_size=6).filter(lambda d: len(set(d.values())) == len(d)),
    st.sets(st.integers(31, 60), max_size=3),
)
def test_no_number_is_given_twice_or_again(
    asked: list[tuple[str, bool, bool]], released: dict[str, int], back: set[int]
) -> None:
    old = Released(released, tuple((number, number) for number in back), ())
    wanted = [Wanted(name, None, hot, repeated) for name, hot, repeated in asked]
    numbers = field_numbers(wanted, old)
    assert len(set(numbers.values())) == len(numbers)
    assert {name: number for name, number in numbers.items() if name in released} == {
        name: number for name, number in released.items() if name in numbers
    }
    new = {number for name, number in numbers.items() if name not in released}
    assert new.isdisjoint({*released.values(), *back})
    spans, _ = reserve(old, numbers)
    held = {number for first, last in spans for number in range(first, last + 1)}
    assert held == ({*released.values(), *back} - set(numbers.values()))


@pytest.mark.parametrize("version", ["v1", "v12", "v1beta1", "v1alpha", "v1p1beta1", "v1test", "v1testfoo"])
def test_a_version_is_what_buf_takes_for_one(version: str) -> None:
    assert VERSION.fullmatch(version)
    found = answered({"package": f"acme.{version}", "services": {"ThingService": {"GetThing": {}}}})
    assert [check.name for check in found.checks if check.status is not Status.PASSED] == []


@pytest.mark.parametrize("version", ["v0", "version1", "v1x", "v1gamma1"])
def test_what_is_no_version_fails_the_lint_and_the_rule(version: str) -> None:
    found = answered({"package": f"acme.{version}", "services": {"ThingService": {"GetThing": {}}}})
    assert [check.name for check in found.checks if check.status is not Status.PASSED] == [LINT]
    assert "PRT05" in {finding.code for finding in found.findings}

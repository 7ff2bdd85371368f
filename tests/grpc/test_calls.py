"""How an rpc is called beyond its types: hedged, by a mask, over HTTP and JSON, and with values that keep rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.source import BadInput
from halfopen.vocabulary import Report, Status
from tests.grpc.designs import answered, designed, release, text


def api(rpc: dict[str, Any], name: str = "GetThing", **more: Any) -> dict[str, Any]:
    return {"package": "acme.v1", "services": {"ThingService": {name: rpc}}, **more}


def refused(spec: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as caught:
        answered(spec)
    return str(caught.value)


def config(report: Report) -> dict[str, Any]:
    (method,) = json.loads(text(report, "service-config.json"))["methodConfig"]
    return dict(method)


READ = {"request": {"id": "string"}, "idempotency": "no-side-effects", "deadline": "2s"}


def test_a_read_is_hedged_where_that_is_asked_for() -> None:
    report = answered(api({**READ, "hedging": {}}))
    found = config(report)
    assert found["hedgingPolicy"] == {
        "maxAttempts": 2,
        "hedgingDelay": "0.500000000s",
        "nonFatalStatusCodes": ["UNAVAILABLE"],
    }
    assert "retryPolicy" not in found
    assert "retryThrottling" in json.loads(text(report, "service-config.json"))
    assert "2 tries at once, the next each 500ms" in text(report, "API.md")
    (decision,) = [each for each in report.decisions if each.about.endswith("GetThing.hedging")]
    assert "those of Go and of C-core (Python, C++) send one try" in decision.because
    assert not [each for each in report.decisions if each.about == "service config: hedging"]
    again = answered(text(report, ".grpc.yaml"))
    assert config(again) == found
    exact = config(answered(api({**READ, "hedging": {"attempts": 3, "delay": "20ms"}})))
    assert exact["hedgingPolicy"]["maxAttempts"] == 3
    assert exact["hedgingPolicy"]["hedgingDelay"] == "0.020000000s"


@pytest.mark.parametrize(
    "rpc",
    [{"idempotency": "idempotent"}, {"idempotency": "non-idempotent"}, {}, {**READ, "kind": "bidi"},
     {**READ, "kind": "client-stream"}],
)  # fmt: skip
def test_what_may_do_harm_twice_is_not_hedged(rpc: dict[str, Any]) -> None:
    report = answered(api({**rpc, "hedging": {}}))
    assert "hedgingPolicy" not in config(report)
    (found,) = [each for each in report.findings if each.code == "PRT09"]
    assert found.evidence[0].path == "services.ThingService.GetThing.hedging"


def test_retry_and_hedging_exclude_each_other() -> None:
    assert "an rpc is retried or hedged, not both" in refused(api({**READ, "hedging": {}, "retry": {}}))


UPDATE = {"request": {"thing": "Thing", "request_id": "string"}, "idempotency": "idempotent"}
THING = {"messages": {"Thing": {"id": "string"}}}


def mask(spec: dict[str, Any], folder: Path | None = None) -> str | None:
    part = designed(spec, folder).by_name["UpdateThingRequest"].by_name.get("update_mask")
    return part.type if part else None


def test_an_update_of_a_resource_says_what_it_changes(tmp_path: Path) -> None:
    spec = api(UPDATE, "UpdateThing", **THING)
    assert mask(spec) == "google.protobuf.FieldMask"
    # Not where one is there by another name, where no resource is sent, or where it is released without.
    assert mask(api({"request": {"thing": "Thing", "fields": "field_mask"}}, "UpdateThing", **THING)) is None
    assert mask(api({"request": {"name": "string"}}, "UpdateThing", **THING)) is None
    own = api({"request": {"thing": "Thing", "update_mask": "repeated string"}}, "UpdateThing", **THING)
    assert mask(own) == "repeated string"
    release(answered(api(UPDATE, "ReplaceThing", **THING)), tmp_path)
    assert mask({**spec, "previous": "."}, tmp_path) == "google.protobuf.FieldMask"
    proto = next(tmp_path.rglob("*.proto"))
    proto.write_text(proto.read_text().replace("ReplaceThing", "UpdateThing"))
    assert mask({**spec, "previous": "."}, tmp_path) is None
    # What is released with one that was decided keeps it.
    first = answered(spec)
    proto.write_text(text(first, ".proto"))
    again = answered({**spec, "previous": "."}, tmp_path)
    assert text(again, ".proto") == text(first, ".proto")


def test_a_path_becomes_an_option_that_compiles() -> None:
    report = answered(api({**READ, "http": {"get": "/v1/things/{id}"}}))
    assert [each.name for each in report.checks if each.status is not Status.PASSED] == []
    assert 'option (google.api.http) = {get: "/v1/things/{id}"};' in text(report, ".proto")
    assert 'import "google/api/annotations.proto";' in text(report, ".proto")
    assert "buf.build/googleapis/googleapis" in text(report, "buf.yaml")
    post = answered(
        api({"request": {"thing": "Thing"}, "http": {"post": "/v1/things", "body": "thing"}}, "Do", **THING)
    )
    assert '    option (google.api.http) = {\n      post: "/v1/things"\n      body: "thing"\n    };\n' in text(
        post, ".proto"
    )
    assert text(answered(text(post, ".grpc.yaml")), ".proto") == text(post, ".proto")


@pytest.mark.parametrize(
    ("http", "message"),
    [
        (
            {"get": "/v1/things/{di}"},
            "http.get: the path names 'di', which is no field of the request.",
        ),
        ({"post": "/v1", "body": "thing"}, "http.body: the body names 'thing', which is no field of the request."),
        ({"get": "/v1", "response_body": "no"}, "the answer names 'no', which is no field of the response."),
        ({"get": "/v1", "post": "/v1"}, "takes one of get, put, post, delete, patch, with the path"),
        ({}, "takes one of get, put, post, delete, patch, with the path"),
        ({"get": "v1"}, "http.get"),
        ({"get": '/v1"; evil'}, "http.get"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(http: dict[str, Any], message: str) -> None:
    assert message in refused(api({**READ, "http": http}))


def test_over_json_a_name_is_on_the_wire(tmp_path: Path) -> None:
    plain = api({**READ, "response": {"note": "string"}})
    release(answered(plain), tmp_path)
    changed = api({**READ, "response": {"remark": {"type": "string", "number": 1}}}, previous=".")
    assert "PRT01" in {each.code for each in answered(changed, tmp_path).findings}
    changed["services"]["ThingService"]["GetThing"]["http"] = {"get": "/v1/things/{id}"}
    codes = {each.code: each for each in answered(changed, tmp_path).findings}
    assert "PRT01" not in codes
    assert codes["PRT10"].evidence[0].path == "services.ThingService.GetThing.response.remark"


def test_a_name_in_json_can_be_another(tmp_path: Path) -> None:
    spec = api({**READ, "response": {"note": {"type": "string", "json_name": "@note"}}})
    report = answered(spec)
    assert 'string note = 1 [json_name = "@note"];' in text(report, ".proto")
    release(report, tmp_path)
    # It stays, unless another one is said.
    same = answered(api({**READ, "response": {"note": "string"}}, previous="."), tmp_path)
    assert 'string note = 1 [json_name = "@note"];' in text(same, ".proto")
    assert [each.code for each in same.findings] == []
    other = api({**READ, "response": {"note": {"type": "string", "json_name": "n"}}}, previous=".")
    assert [each.code for each in answered(other, tmp_path).findings] == ["PRT01"]


RULES = {
    "name": {"type": "string", "rules": {"min_len": 1, "max_len": 50, "pattern": '^[a-z\\d"]+$', "required": True}},
    "mail": {"type": "string", "rules": {"email": True}},
    "kind": {"type": "string", "rules": {"in": ["a", "b"]}},
    "count": {"type": "int32", "rules": {"gte": 1, "lt": 10, "not_in": [5]}},
    "share": {"type": "double", "rules": {"lte": 1}},
    "tags": {"type": "repeated string", "rules": {"min_items": 1, "unique": True, "items": {"max_len": 9}}},
    "limits": {"type": "map<string,int64>", "rules": {"max_pairs": 3, "keys": {"len": 2}, "values": {"gt": 0}}},
    "mood": {"type": "Mood", "rules": {"defined_only": True}},
    "moods": {"type": "repeated Mood", "rules": {"items": {"not_in": [0]}}},
    "until": {"type": "timestamp", "rules": {"gt_now": True}},
    "wait": {"type": "duration", "rules": {"lte": "1.5s"}},
    "thing": {"type": "Thing", "rules": {"required": True}},
    "raw": {"type": "bytes", "rules": {"max_len": 9}},
}


def test_rules_become_options_that_the_compiler_takes() -> None:
    report = answered(api({"request": RULES, "idempotency": "no-side-effects"}, enums={"Mood": ["GOOD"]}, **THING))
    assert [each.detail for each in report.checks if each.status is not Status.PASSED] == []
    proto = text(report, ".proto")
    start = proto.index("message GetThingRequest {")
    assert "\n".join(line for line in proto[start:].splitlines() if "//" not in line) == snapshot("""\
message GetThingRequest {
  string name = 1 [
    (buf.validate.field).required = true,
    (buf.validate.field).string = {
      min_len: 1
      max_len: 50
      pattern: "^[a-z\\\\d\\"]+$"
    }
  ];
  string mail = 2 [(buf.validate.field).string.email = true];
  string kind = 3 [(buf.validate.field).string = {
    in: "a"
    in: "b"
  }];
  int32 count = 4 [(buf.validate.field).int32 = {
    gte: 1
    lt: 10
    not_in: 5
  }];
  double share = 5 [(buf.validate.field).double.lte = 1];
  repeated string tags = 6 [(buf.validate.field).repeated = {
    min_items: 1
    unique: true
    items: {
      string: {max_len: 9}
    }
  }];
  map<string, int64> limits = 7 [(buf.validate.field).map = {
    max_pairs: 3
    keys: {
      string: {len: 2}
    }
    values: {
      int64: {gt: 0}
    }
  }];
  Mood mood = 8 [(buf.validate.field).enum.defined_only = true];
  repeated Mood moods = 9 [(buf.validate.field).repeated = {
    items: {
      enum: {not_in: 0}
    }
  }];
  google.protobuf.Timestamp until = 10 [(buf.validate.field).timestamp.gt_now = true];
  google.protobuf.Duration wait = 11 [(buf.validate.field).duration = {
    lte: {
      seconds: 1
      nanos: 500000000
    }
  }];
  Thing thing = 12 [(buf.validate.field).required = true];
  bytes raw = 13 [(buf.validate.field).bytes.max_len = 9];
}

message GetThingResponse {}

message Thing {
  string id = 1;
}

enum Mood {
  MOOD_UNSPECIFIED = 0;
  MOOD_GOOD = 1;
}\
""")
    assert "buf.build/bufbuild/protovalidate" in text(report, "buf.yaml")
    assert text(answered(text(report, ".grpc.yaml")), ".proto") == proto


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"type": "string", "rules": {"min_lenn": 1}}, "no rule of string is called 'min_lenn'. Did you mean min_len?"),
        ({"type": "int32", "rules": {"email": True}}, "no rule of int32 is called 'email'."),
        ({"type": "Thing", "rules": {"min_len": 1}}, "no rule of Thing is called 'min_len'. Legal: required."),
        ({"type": "string", "rules": {"min_len": "x"}}, "rules.min_len: 'x': is a whole number, not below 0."),
        ({"type": "string", "rules": {"min_len": -1}}, "rules.min_len: '-1': is a whole number, not below 0."),
        ({"type": "string", "rules": {"in": "a"}}, "rules.in: 'a': is a list."),
        ({"type": "string", "rules": {"required": "yes"}}, "rules.required: 'yes': is true or false."),
        ({"type": "double", "rules": {"gt": "x"}}, "rules.gt: 'x': is a number."),
        ({"type": "repeated string", "rules": {"items": 3}}, "rules.items: '3': holds rules of its own"),
        ({"type": "repeated string", "rules": {"items": {"x": 3}}}, "rules.items.x: 'x': no rule of string"),
        ({"type": "duration", "rules": {"lt": "soon"}}, "is a duration in seconds, such as 30s."),
        ({"type": "timestamp", "rules": {"lt": "soon"}}, "is a time, such as 2030-01-01T00:00:00Z."),
    ],
)
def test_a_rule_that_does_not_hold_for_the_type_is_told(part: dict[str, Any], message: str) -> None:
    assert message in refused(api({"request": {"part": part}}, **THING))


LONG = {"request": {"thing": "Thing", "request_id": "string"}, "response": {"thing": "Thing"},
        "idempotency": "idempotent", "long_running": "Progress"}  # fmt: skip
MORE = {"messages": {"Thing": {"id": "string"}, "Progress": {"percent": "int32"}}}


def test_what_takes_long_answers_with_an_operation() -> None:
    report = answered(api(LONG, "BuildThing", **MORE))
    assert [each.detail for each in report.checks if each.status is not Status.PASSED] == []
    assert report.findings == ()
    proto = text(report, ".proto")
    assert 'import "google/longrunning/operations.proto";' in proto
    assert "  rpc BuildThing(BuildThingRequest) returns (google.longrunning.Operation) {" in proto
    assert (
        '    option (google.longrunning.operation_info) = {\n      response_type: "BuildThingResponse"\n'
        '      metadata_type: "Progress"\n    };\n'
    ) in proto
    assert "message BuildThingResponse {" in proto
    assert "google.longrunning.Operation, in the end BuildThingResponse; meanwhile Progress" in text(report, "API.md")
    again = answered(text(report, ".grpc.yaml"))
    assert text(again, ".proto") == proto
    assert text(again, ".grpc.yaml") == text(report, ".grpc.yaml")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"long_running": "Progres"},
            "no message and no enum is called 'Progres'. Did you mean Progress?",
        ),
        ({"kind": "bidi"}, "long_running: an operation is started by one request and answered once"),
    ],
)
def test_what_is_no_operation_is_told(more: dict[str, Any], message: str) -> None:
    assert message in refused(api({**LONG, **more}, "BuildThing", **MORE))

"""A package taken over from its files means the same when it is rendered again, and keeps what it is released with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.checkers import programs
from halfopen.progress import Silent
from halfopen.run import run
from halfopen.source import BadInput, parse_source
from halfopen.vocabulary import Report, Status
from halfopen_generators.grpc import capability
from tests.grpc.designs import answered, text
from tests.grpc.meaning import meaning

SHARED = """\
syntax = "proto3";
package acme.common.v1;
import "google/protobuf/descriptor.proto";
option go_package = "acme/common/v1;commonv1";
// Says who may call.
extend google.protobuf.MethodOptions { Access access = 50001; repeated string scopes = 50002; }
message Access { string role = 1; repeated Access or = 2; map<string, int32> limits = 3; double share = 4; }
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
"""
TYPES = """\
syntax = "proto3";
package acme.things.v1;
import "acme/common/v1/common.proto";
import public "google/protobuf/timestamp.proto";
option java_package = "com.acme.things.v1";
option java_multiple_files = true;
option deprecated = true;
// A thing
// of two lines.
message Thing {
  option deprecated = true;
  reserved 4, 9 to 11, 500 to max;
  reserved "old";
  // How it is.
  enum State { option allow_alias = true; STATE_UNSPECIFIED = 0; STATE_ON = 1; STATE_LIVE = 1; NEGATIVE = -3; }
  message Part {
    message Screw { uint64 size = 1; }
    repeated Screw screws = 1;
    Thing of = 2;
  }
  string id = 1 [json_name = "ID", deprecated = true];
  State state = 2 [deprecated = true];
  optional int32 count = 3;
  map<string, Part.Screw> screws = 5;
  acme.common.v1.Colour colour = 6;
  repeated int32 numbers = 7 [packed = false];
  oneof either { // one of
    string left = 12; Part right = 13; }
  google.protobuf.Timestamp made_at = 14;
  bytes raw = 15;
  Thing parent = 16;
  string camelCase = 17;
}
"""
SERVICE = """\
syntax = "proto3";
package acme.things.v1;
import "acme/common/v1/common.proto";
import "acme/things/v1/types.proto";
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/longrunning/operations.proto";
import "google/protobuf/any.proto";
service Things {
  option deprecated = true;
  // Gets one.
  rpc GetThing(GetThingRequest) returns (Thing) {
    option (google.api.http) = { get: "/v1/{id=things/*}" additional_bindings { post: "/v1/get" body: "*" } };
    option (acme.common.v1.access) = {
      role: "a\\"b\\n" or { role: "x" or { share: 0.5 } } limits { key: "k" value: 2 }
    };
    option (acme.common.v1.scopes) = "one";
    option (acme.common.v1.scopes) = "two";
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc Delete(google.protobuf.Empty) returns (google.longrunning.Operation);
  rpc Touch(google.protobuf.Timestamp) returns (google.protobuf.Any);
  rpc ListThings(ListThingsRequest) returns (ListThingsResponse);
  rpc Watch(stream GetThingRequest) returns (stream Thing);
}
message GetThingRequest { string id = 1; }
message ListThingsRequest { int32 page_size = 1; string page_token = 2; }
message ListThingsResponse { repeated Thing things = 1; string next_page_token = 2; int32 total = 3; }
"""


def laid(folder: Path, **files: str) -> Path:
    names = {"common": "acme/common/v1/common.proto", "types": "acme/things/v1/types.proto",
             "service": "acme/things/v1/service.proto"}  # fmt: skip
    for name, said in {"common": SHARED, "types": TYPES, "service": SERVICE, **files}.items():
        path = folder / "protos" / names.get(name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said)
    return folder


def taken(folder: Path, package: str = "acme.things.v1", **more: Any) -> Report:
    return answered({"package": package, "from_proto": "protos", **more}, folder)


def images(folder: Path, report: Report) -> tuple[bytes, bytes]:
    root = folder / "protos"
    before = {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*.proto")}
    after = {each.path.removeprefix("proto/"): each.text for each in report.artifacts if each.path.endswith(".proto")}
    return programs.descriptor_set(".", before), programs.descriptor_set(".", after)


@pytest.mark.parametrize("package", ["acme.things.v1", "acme.common.v1"])
def test_a_package_that_is_rendered_again_means_the_same(tmp_path: Path, package: str) -> None:
    report = taken(laid(tmp_path), package)
    before, after = images(tmp_path, report)
    assert meaning(after, package) == meaning(before, package)
    assert [check.name for check in report.checks if check.status is not Status.PASSED] == []
    assert len(meaning(before, package)) == snapshot({"acme.things.v1": 44, "acme.common.v1": 12})[package]


def test_its_checked_spec_loads_to_the_same(tmp_path: Path) -> None:
    report = taken(laid(tmp_path))
    spec = parse_source(text(report, "things.grpc.yaml"))
    again = run(capability, replace(spec, folders=(tmp_path,)), capability.options(), Silent())
    protos = [each for each in report.artifacts if each.path.endswith(".proto")]
    assert protos == [each for each in again.artifacts if each.path.endswith(".proto")]
    assert text(again, "things.grpc.yaml") == text(report, "things.grpc.yaml")


def test_each_element_stays_in_its_file_and_what_it_imports_is_there(tmp_path: Path) -> None:
    report = taken(laid(tmp_path))
    assert [each.path for each in report.artifacts if each.path.endswith(".proto")] == [
        "proto/acme/common/v1/common.proto", "proto/acme/things/v1/service.proto", "proto/acme/things/v1/types.proto",
    ]  # fmt: skip
    # Somebody else's file is theirs: to the byte.
    assert text(report, "common.proto") == SHARED
    types = text(report, "types.proto")
    assert 'import public "google/protobuf/timestamp.proto";' in types
    assert "service.proto" not in types
    assert "// A thing\n// of two lines.\nmessage Thing {" in types
    assert "deps:\n  - buf.build/googleapis/googleapis\n" in text(report, "buf.yaml")


def test_options_are_spelled_as_they_were(tmp_path: Path) -> None:
    service = text(taken(laid(tmp_path)), "service.proto")
    start = service.index("  rpc GetThing")
    assert service[start : service.index("\n  }\n", start)] == snapshot("""\
  rpc GetThing(GetThingRequest) returns (Thing) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (acme.common.v1.access) = {
      role: "a\\"b\\n"
      or: {
        role: "x"
        or: {share: 0.5}
      }
      limits: {
        key: "k"
        value: 2
      }
    };
    option (acme.common.v1.scopes) = "one";
    option (acme.common.v1.scopes) = "two";
    option (google.api.http) = {
      get: "/v1/{id=things/*}"
      additional_bindings: {
        post: "/v1/get"
        body: "*"
      }
    };\
""")


def test_findings_lead_to_the_line_of_the_file(tmp_path: Path) -> None:
    assert [f"{each.code} {each.severity} {each.evidence[0]}" for each in taken(laid(tmp_path)).findings] == snapshot(
        [
            "PRT07 error protos/acme/things/v1/service.proto:24 (services.Things.Watch.kind)",
            "IDP05 warning protos/acme/things/v1/service.proto:21 (services.Things.Delete)",
            "IDP05 warning protos/acme/things/v1/service.proto:23 (services.Things.ListThings)",
            "IDP05 warning protos/acme/things/v1/service.proto:22 (services.Things.Touch)",
            "IDP05 warning protos/acme/things/v1/service.proto:24 (services.Things.Watch)",
            "PRT06 warning protos/acme/things/v1/service.proto:21 (services.Things.Delete.request)",
            "PRT06 warning protos/acme/things/v1/service.proto:21 (services.Things.Delete.response)",
            "PRT06 warning protos/acme/things/v1/service.proto:12 (services.Things.GetThing.request)",
            "PRT06 warning protos/acme/things/v1/service.proto:22 (services.Things.Touch.request)",
            "PRT06 warning protos/acme/things/v1/service.proto:22 (services.Things.Touch.response)",
            "PRT06 warning protos/acme/things/v1/service.proto:24 (services.Things.Watch.request)",
            "PRT06 warning protos/acme/things/v1/service.proto:24 (services.Things.Watch.response)",
            "PRT11 warning protos/acme/things/v1/service.proto:12 (services.Things.GetThing.response)",
        ]
    )


def test_changes_keep_numbers_reserve_what_goes_and_are_told(tmp_path: Path) -> None:
    report = taken(
        laid(tmp_path),
        messages={"Thing": {"weight": "int64"}, "Note": {"text": "string"}},
        services={"Things": {"AddNote": {"request": {"note": "Note", "request_id": "string"}, "response": {}}}},
        remove=["Thing.raw", "Thing.left", "Thing.State.LIVE", "Things.Watch", "ListThingsResponse.total"],
    )
    types, service = text(report, "types.proto"), text(report, "service.proto")
    assert "  reserved 4, 9 to 11, 12, 15, 500 to max;\n" in types
    assert '  reserved "left", "old", "raw";\n' in types
    assert "  int64 weight = 18;\n" in types
    assert "rpc AddNote(AddNoteRequest) returns (AddNoteResponse)" in service
    assert "message Note {" in service
    assert '  reserved 3;\n  reserved "total";\n' in service
    told = [each.message.partition(" Who")[0] for each in report.findings if each.code == "PRT02"]
    assert [(text.rpartition("(")[2].rstrip(")"), *text.split('"')[1::2]) for text in told] == snapshot(
        [
            ("RPC_NO_DELETE", "Watch", "Things"),
            ("FIELD_NO_DELETE", "12", "left", "Thing"),
            ("FIELD_NO_DELETE", "15", "raw", "Thing"),
            ("FIELD_NO_DELETE", "3", "total", "ListThingsResponse"),
        ]
    )


def test_our_own_files_are_taken_over_with_what_they_say(tmp_path: Path) -> None:
    first = answered(
        {
            "package": "acme.orders.v1",
            "services": {
                "OrderService": {
                    "GetOrder": {
                        "request": {"order_id": "string"}, "response": {"order": "Order"}, "deadline": "300ms",
                        "idempotency": "no-side-effects", "errors": ["NOT_FOUND"],
                    },
                    "Pay": {"request": {"request_id": "string"}, "deadline": "2s", "idempotency": "non-idempotent",
                            "errors": []},
                }
            },
            "messages": {"Order": {"order_id": "string", "total": "money"}},
            "enums": {"Mood": ["GOOD", "BAD"]},
            "comments": {"Order.total": "What it costs."},
        }
    )  # fmt: skip
    path = tmp_path / "protos" / "acme/orders/v1/orders.proto"
    path.parent.mkdir(parents=True)
    path.write_text(text(first, ".proto"))
    again = taken(tmp_path, "acme.orders.v1")
    assert text(again, ".proto") == text(first, ".proto")
    assert text(again, "service-config.json") == text(first, "service-config.json")


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        ({"types": "syntax = 'proto2'; package acme.things.v1;", "service": "syntax='proto3';"}, {},
         "protos': acme/things/v1/types.proto is proto2: only proto3 can be taken over."),
        ({}, {"package": "acme.thing.v1"}, "Did you mean acme.things.v1?"),
        ({}, {"remove": ["Thing.cuont"]}, "'Thing.cuont' isn't in what is imported. Did you mean Thing.count?"),
        ({}, {"from_openapi": "x.yaml"}, "from_proto: takes the place of from_openapi: give one or the other."),
        ({}, {"from_proto": "nowhere"}, "there is no folder and no file 'nowhere'"),
        ({"types": 'syntax = "proto3"; package acme.things.v1; message'}, {}, "doesn't compile"),
    ],
)  # fmt: skip
def test_what_can_not_be_taken_over_is_told(
    tmp_path: Path, files: dict[str, str], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput) as caught:
        taken(laid(tmp_path, **files), **{"package": "acme.things.v1", **more})
    assert message.removeprefix("protos': ") in str(caught.value)


def test_nothing_is_removed_from_nothing() -> None:
    with pytest.raises(BadInput, match="remove: nothing is imported"):
        answered({"package": "acme.v1", "services": {"A": {"GetB": {}}}, "remove": ["A"]})


def test_a_descriptor_set_is_taken_over_too(tmp_path: Path) -> None:
    image = programs.descriptor_set(
        ".", {"acme/v1/a.proto": 'syntax = "proto3"; package acme.v1; message A { int32 b = 2; }'}
    )
    (tmp_path / "api.binpb").write_bytes(image)
    report = answered({"package": "acme.v1", "from_proto": "api.binpb"}, tmp_path)
    assert "message A {\n  // B.\n  int32 b = 2;\n}" in text(report, ".proto")

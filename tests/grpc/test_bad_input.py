"""A spec that can't be used is refused with the place, the bad value and what is legal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from halfopen.source import BadInput, Source, parse_source, validate
from halfopen_generators.grpc.spec import GrpcSpec
from tests.grpc.designs import answered, release

HEAD = "package: acme.v1\nservices:\n  ThingService:\n"


def said(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(BadInput) as caught:
        answered(text, folder)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("from: string", "request.from: 'from' is a reserved word of a language that stubs are generated in"),
        ("orderId: string", "request.orderId: 'orderId' can't name a field: a name is lower_snake_case"),
        ("a__b: string", "request.a__b: 'a__b' can't name a field"),
        ("{a_b: string, ab: string}", "request.ab: 'ab' and 'a_b' become one name in JSON and in code."),
        ("{a: string, oneof: {k: {a: string}}}", "request.oneof.k.a: 'a' stands twice."),
        ("oneof: {k: {a: repeated string}}", "'repeated string' can't stand in a oneof"),
        ("{a: {type: string, number: 2}, b: {type: string, number: 2}}", "b.number: the number 2 is that of a too"),
        ("a: {type: string, number: 19001}", "a.number: 19001 is a number that Protobuf keeps for itself"),
        ("a: {type: string, number: 0}", "a.number: 0 is out of range; it has to be 1 or more."),
        ("a: {typ: string}", 'unknown key "typ", and the key "type" is missing. Did you mean type?'),
        ("a: Thingg", "request.a: no message and no enum is called 'Thingg'. Did you mean Thing?"),
        ("a: Timestamp", "'Timestamp' is no type: it is written 'timestamp'."),
        ("a: strin", "'strin' is no type. Did you mean string? Legal: string, "),
        ("a: String", "'String' is no type: it is written 'string'."),
        ("a: repeated repeated string", "what is repeated is one type, no map and no list."),
        ('a: "optional map<string,string>"', "what is optional is one type"),
        ('a: "map<double,string>"', "has keys of type 'double'; a map's keys are string, int32, int64, bool."),
        ('a: "map<string,map<string,string>>"', "'map<string,map<string,string>>' is no type."),
        ("a: 3", "request.a: 3: a field is its type, such as string, or a mapping with the key type."),
    ],
)
def test_a_field_that_can_not_be_is_told(field: str, message: str) -> None:
    braced = field if field.startswith("{") else f"{{{field}}}"
    (only,) = said(f"{HEAD}    DoIt: {{request: {braced}}}\nmessages: {{Thing: {{}}}}\n")
    assert only.startswith("input:4: services.ThingService.DoIt.request")
    assert message in only


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("messages: {A: {b: B}, B: {c: C}, C: {a: A}}", "needs C needs A: such a message never ends."),
        ("messages: {A: {a: A}}", "A needs A: such a message never ends."),
        ("messages: {DoItRequest: {}}", "the message DoItRequest of ThingService.DoIt and the message DoItRequest"),
        ("messages: {None: {}}", "'None' is a reserved word"),
        ("messages: {Thing: {}, THING: {}}", "the message THING and the message Thing become one name"),
        ("messages: {thing: {}}", "'thing' can't name a service, rpc, message or enum: a name is PascalCase"),
        ("enums: {Mood: [GOOD, good]}", "enums.Mood[1]: 'good' and 'GOOD' are one value: both are MOOD_GOOD."),
        ("enums: {Mood: [SWING_UP], MoodSwing: [UP]}", "MOOD_SWING_UP is a value of Mood too"),
        ("enums: {Mood: {GOOD: 1, BAD: 1}}", "enums.Mood.BAD: the number 1 is that of GOOD too"),
        ("enums: {Mood: {UNSPECIFIED: 4}}", "UNSPECIFIED is what a field holds that nobody set: its number is 0."),
        ("enums: {Mood: []}", "enums.Mood: [] is too short"),
        ("comments: {ThingServic.DoIt: x}", "the spec has no 'ThingServic.DoIt'. Did you mean ThingService.DoIt?"),
        ("from_swagger: x.yaml", 'unknown key "from_swagger".'),
        ("previous: ../released", "previous: '../released' climbs with '..'"),
        ("previous: released", "previous: there is no folder and no file 'released', and no git repository around."),
    ],
)
def test_what_does_not_meet_is_told(rest: str, message: str, tmp_path: Path) -> None:
    told = said(f"{HEAD}    DoIt: {{}}\n{rest}\n", tmp_path)
    assert message in "\n".join(told)
    assert all(each.startswith("input:5: ") or "ThingService.DoIt." in each for each in told)


@pytest.mark.parametrize(
    ("rpc", "message"),
    [
        ("{kind: server-stream, paginated: true}", "a stream has no pages"),
        ("{paginated: true}", "the response holds no repeated field"),
        ("{paginated: true, response: Thing}", "an rpc with pages has fields of its own"),
        ("{paginated: true, request: {page_size: string}, response: {a: repeated Thing}}", "page_size is string; "),
        ("{response: Thin}", "no message is called 'Thin'. Did you mean Thing?"),
        ("{kind: stream}", '"stream" is not a legal value. Did you mean server-stream?'),
        ("{deadline: 3}", "a duration is written with its unit"),
        ("{errors: [NOT_FOUD]}", "Did you mean NOT_FOUND?"),
        ("{retry: {attempts: 1}}", "1 is out of range; it has to be 2 or more."),
    ],
)
def test_an_rpc_that_can_not_be_is_told(rpc: str, message: str) -> None:
    (only,) = said(f"{HEAD}    DoIt: {rpc}\nmessages: {{Thing: {{}}}}\n")
    assert only.startswith("input:4: services.ThingService.DoIt.")
    assert message in only


def test_ten_thousand_fields_are_one_message() -> None:
    many = "".join(f"    f{number}: string\n" for number in range(10_000))
    (only,) = said(f"{HEAD}    DoIt: {{}}\nmessages:\n  Big:\n{many}")
    assert only.endswith("a message has at most 1000 fields, this one 10000: split it.")
    assert len(only) < 200


def test_a_released_version_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    spec = f"{HEAD}    DoIt: {{}}\nprevious: old\n"
    old = tmp_path / "old"
    old.mkdir()
    assert said(spec, tmp_path) == ["input:5: previous: 'old' holds no .proto file."]
    (old / "a.proto").write_text('syntax = "proto3";\npackage acme.v2;\n')
    assert said(spec, tmp_path) == [
        "input:5: previous: the package acme.v1 is not in 'old'. Did you mean acme.v2? Legal: acme.v2."
    ]
    (old / "a.proto").write_text('syntax = "proto3";\npackage acme.v1;\nmessage A { B b = 1; }\n')
    assert said(spec, tmp_path) == ["input:5: previous: 'old' doesn't compile: a.proto:3:13: \"B\" is not defined."]
    (old / "a.proto").unlink()
    (tmp_path / "elsewhere.proto").write_text("package acme.v1;")
    (old / "a.proto").symlink_to(tmp_path / "elsewhere.proto")
    found = parse_source(spec)
    inside = Source(found.data, lines=found.lines, folders=(old.resolve(),))
    with pytest.raises(BadInput, match="outside the allowed folders"):
        inside.inside(("previous",), str(tmp_path))
    (tmp_path / "old.binpb").write_bytes(b"\xff\xfe no image")
    assert "is no descriptor set" in said(spec.replace("old", "old.binpb"), tmp_path)[0]


def test_a_link_in_the_released_folder_leads_nowhere_else(tmp_path: Path) -> None:
    project, secret = tmp_path / "project", tmp_path / "secret.proto"
    (project / "old").mkdir(parents=True)
    secret.write_text("package acme.v1;")
    (project / "old" / "a.proto").symlink_to(secret)
    (only,) = said(f"{HEAD}    DoIt: {{}}\nprevious: old\n", project)
    assert "outside the allowed folders" in only


def test_who_offers_no_folder_can_not_name_one(tmp_path: Path) -> None:
    release(answered(f"{HEAD}    DoIt: {{}}\n"), tmp_path)
    assert said(f"{HEAD}    DoIt: {{}}\nprevious: proto\n") == [
        "input:5: previous: 'proto' can't be used: the caller offers no folder."
    ]


def test_what_stands_bare_is_empty() -> None:
    found = parse_source(f"{HEAD}    DoIt:\nmessages:\n  Thing:\n")
    spec = validate(GrpcSpec, found)
    assert spec.services["ThingService"]["DoIt"].kind == "unary"
    assert spec.messages["Thing"].fields == {}


@pytest.mark.timeout(30)
def test_a_pipe_among_what_is_released_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    os.mkfifo(tmp_path / "old/a.proto")
    spec = f"{HEAD}    DoIt: {{}}\nprevious: old\n"
    assert said(spec, tmp_path) == ["input:5: previous: 'a.proto' can't be read: It is no ordinary file."]

"""Whatever a spec says, it compiles, lints and is taken by a channel, or it is refused in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.checkers import programs
from halfopen.source import BadInput
from halfopen.vocabulary import Check, Report, Status
from tests.grpc.designs import answered, designed, release, specs, text

# Each example starts buf twice and a Python once, so there are few of them, and none is shrunk.
few = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def answer(spec: dict[str, Any], folder: Path | None = None) -> Report | None:
    try:
        return answered(spec, folder)
    except BadInput as refused:
        problems = refused.problems
    assert problems
    assert all(problem.message and problem.path for problem in problems)
    return None


def failed(found: Report) -> list[Check]:
    return [check for check in found.checks if check.status is not Status.PASSED]


@few
@given(specs())
def test_a_spec_compiles_lints_and_is_taken_by_a_channel_or_is_refused(spec: dict[str, Any]) -> None:
    found = answer(spec)
    if found is not None:
        assert failed(found) == []


@few
@given(specs())
def test_the_spec_as_checked_gives_the_same_package(spec: dict[str, Any]) -> None:
    found = answer(spec)
    if found is None:
        return
    again = answered(text(found, ".grpc.yaml"))
    for ending in (".proto", "service-config.json", ".grpc.yaml", "API.md"):
        assert text(again, ending) == text(found, ending)


@few
@given(specs(), st.data())
def test_what_is_released_keeps_its_numbers_whatever_is_added_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, spec: dict[str, Any], data: st.DataObject
) -> None:
    found = answer(spec)
    if found is None:
        return
    folder = tmp_path_factory.mktemp("released")
    release(found, folder)
    before = designed(spec)
    again = answer({**spec, "previous": "."}, folder)
    assert again is not None
    assert failed(again) == []
    assert text(again, ".proto") == text(found, ".proto")
    # One field goes and one comes: the others stay, and what went is reserved.
    name = data.draw(st.sampled_from(sorted(spec["messages"])))
    message = dict(spec["messages"][name])
    gone = message.pop(data.draw(st.sampled_from(sorted(message)))) if message else None
    message = {"newly_added": "repeated string", **message}
    changed = designed({**spec, "messages": {**spec["messages"], name: message}, "previous": "."}, folder)
    old, new = before.by_name[name], changed.by_name[name]
    kept = {part.name: part.number for part in new.fields}
    assert {part: number for part, number in kept.items() if part != "newly_added"} == {
        part.name: part.number for part in old.fields if part.name in message
    }
    assert kept["newly_added"] not in {part.number for part in old.fields}
    if gone is not None:
        (left,) = (part for part in old.fields if part.name not in message)
        assert new.reserved_names == (left.name,)
        assert new.reserved == ((left.number, left.number),)


def test_what_is_left_out_is_told_and_what_is_added_is_not(tmp_path: Path) -> None:
    spec = {
        "package": "a.v1",
        "services": {"ThingService": {"GetThing": {"request": {"id": "string"}, "response": {"thing": "Thing"}}}},
        "messages": {"Thing": {"one": "string", "two": "Mood", "three": "int64"}},
        "enums": {"Mood": ["GOOD", "BAD"]},
    }
    release(answered(spec), tmp_path)
    added = {
        **spec,
        "previous": "proto",
        "messages": {"Thing": {"zero": "string", "one": "string", "two": "Mood", "three": "int64"}, "More": {}},
        "enums": {"Mood": ["FINE", "GOOD", "BAD"]},
    }
    found = answered(added, tmp_path)
    assert [finding.code for finding in found.findings if finding.code.startswith("PRT0")] == []
    assert re.findall(r"(\w+) = (\d+);", text(found, ".proto").partition("message Thing")[2]) == [
        ("one", "1"), ("two", "2"), ("three", "3"), ("zero", "4"),
        ("MOOD_UNSPECIFIED", "0"), ("MOOD_GOOD", "1"), ("MOOD_BAD", "2"), ("MOOD_FINE", "3"),
    ]  # fmt: skip
    mutated = {
        **spec,
        "previous": "proto",
        "messages": {"Thing": {"one": "int32", "two": "Mood", "four": {"type": "int64", "number": 3}}},
        "enums": {"Mood": ["BAD"]},
    }
    told = {
        (finding.code, str(finding.severity), finding.evidence[0].path, re.findall(r"\((\w+)\)", finding.message)[0])
        for finding in answered(mutated, tmp_path).findings
        if finding.code.startswith("PRT0")
    }
    assert told == {
        ("PRT01", "error", "messages.Thing.one", "FIELD_WIRE_JSON_COMPATIBLE_TYPE"),
        ("PRT01", "error", "messages.Thing.four", "FIELD_SAME_NAME"),
        ("PRT02", "warning", "enums.Mood", "ENUM_VALUE_NO_DELETE"),
    }
    # A descriptor set says the same as the folder that it was made of.
    protos = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.proto")}
    (tmp_path / "released.binpb").write_bytes(programs.descriptor_set("proto", protos))
    by_set = answered({**mutated, "previous": "released.binpb"}, tmp_path)
    assert by_set.findings == answered(mutated, tmp_path).findings

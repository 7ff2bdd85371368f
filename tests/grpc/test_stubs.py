"""The stubs of languages that are not Python: the orders example as it is kept, and what they leave out."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from hypothesis import given, settings

from halfopen_generators.grpc import stubs
from halfopen_generators.grpc.stubs import go, java
from halfopen_generators.grpc.stubs.calls import calls, gaps, grace
from halfopen_generators.grpc.stubs.java_names import capital, java_file
from tests.golden_folder import GOLDEN, kept
from tests.grpc.designs import designed, specs
from tests.grpc.stub_projects import LIBRARY, ORDERS, STRANGE, stub_files

LANGUAGES = ["go", "java", "typescript"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_stubs_of_the_example_are_the_golden_ones(language: str) -> None:
    """HALFOPEN_UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it."""
    found = {artifact.path: artifact.text for artifact in stub_files(designed(ORDERS.read_text("utf-8")), language)}
    assert found == kept(GOLDEN / f"orders-{language}", found)
    assert all(name.startswith(f"stubs/{language}/") for name in found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_left_out_is_said_once_and_in_the_readme(language: str) -> None:
    api = designed(STRANGE.read_text("utf-8"))
    (readme,) = (file.text for file in stub_files(api, language) if file.path.endswith("README.md"))
    told = importlib.import_module(f"halfopen_generators.grpc.stubs.{language}").unsupported(api)
    assert set(gaps(api)) <= set(told)
    assert [text for text in told if readme.count(text) != 1] == []


def test_gaps_are_named_with_their_reason() -> None:
    assert [text.partition(":")[0] for text in gaps(designed(STRANGE.read_text("utf-8")))] == [
        "GateService.DeleteThing is idempotent, and its request has no id that is a string",
        "Http2ThingService.Gather is idempotent, and it streams",
        "Http2ThingService.Talk carries its place, and is not opened anew by itself",
    ]
    assert list(gaps(designed(ORDERS.read_text("utf-8")))) == []
    (told,) = go.unsupported(designed(LIBRARY.read_text("utf-8"), LIBRARY.parent))
    assert told.startswith("LibraryService.LendBook takes or answers with a message of another package")


STREAM = """
package: acme.feed.v1
services:
  FeedService:
    Watch: {kind: server-stream, idempotency: %s, request: {%s}, response: {%s}}
messages:
  Place: {cursor: string}
"""


@pytest.mark.parametrize(
    ("idempotency", "request_fields", "response_fields", "found"),
    [
        ("no-side-effects", "cursor: string", "cursor: string", ("cursor", "cursor")),
        # Of two that fit, the one of the same name.
        ("no-side-effects", "offset: int64, revision: int64", "revision: int64", ("revision", "revision")),
        ("no-side-effects", "at: Place", "at: repeated Place, cursor: string", ("at.cursor", "cursor")),
        ("idempotent", "offset: optional int64", "sequence: int64", ("offset", "sequence")),
        ("no-side-effects", "offset: int64", "cursor: string", "the place has one type in the request"),
        ("no-side-effects", "cursor: repeated string", "cursor: string", "a oneof or a list holds the place"),
        ("no-side-effects", "oneof: {since: {cursor: string}}", "cursor: string", "a oneof or a list holds the place"),
        ("non-idempotent", "cursor: string", "cursor: string", "a second call may act again"),
    ],
)
def test_a_stream_goes_on_only_from_a_place_that_both_sides_have(
    idempotency: str, request_fields: str, response_fields: str, found: tuple[str, str] | str
) -> None:
    api = designed(STREAM % (idempotency, request_fields, response_fields))
    (call,) = calls(api)
    told = list(gaps(api))
    if isinstance(found, str):
        assert call.resume is None
        assert found in next(text for text in told if "opened anew" in text)
    else:
        assert call.resume is not None
        sides = (call.resume.request, call.resume.response)
        assert tuple(".".join(field.name for field in side) for side in sides) == found
        assert not any("opened anew" in text for text in told)


@pytest.mark.parametrize(("deadlines", "seconds"), [(("300ms", "2s"), 2.0), (("1s", "1h"), 25.0)])
def test_a_server_waits_as_long_as_its_calls_may_last_and_no_longer_than_it_may(
    deadlines: tuple[str, str], seconds: float
) -> None:
    rpcs = {f"Do{index}": {"request": "empty", "response": {"x": "string"}, "deadline": each}
            for index, each in enumerate(deadlines)}  # fmt: skip
    assert grace(designed({"package": "acme.a.v1", "services": {"A": rpcs}})) == seconds


@pytest.mark.parametrize(
    ("name", "in_go"),
    [("order_id", "OrderId"), ("a1", "A1"), ("b2c", "B2C"), ("get_id_1", "GetId_1"), ("x", "X"), ("url2_of", "Url2Of")],
)
def test_go_names_are_those_of_its_generator(name: str, in_go: str) -> None:
    assert go.camel(name) == in_go


def test_a_field_that_java_has_no_name_for_is_told() -> None:
    api = designed(STREAM % ("no-side-effects", "descriptor: string", "x: string"))
    (told,) = java.unsupported(api)
    assert told.startswith("WatchRequest.descriptor has a name that protoc can't give in Java")
    assert go.unsupported(api) == ()


@pytest.mark.parametrize(
    ("name", "in_java"),
    [
        ("order_id", "OrderId"),
        ("a1", "A1"),
        ("b2c", "B2C"),
        ("get_id_1", "GetId1"),
        ("serialized_size", "SerializedSize_"),
    ],
)
def test_java_names_are_those_of_its_generator(name: str, in_java: str) -> None:
    assert capital(name) == in_java


def test_a_java_class_that_would_hide_another_is_written_with_its_package() -> None:
    api = designed({"package": "acme.status.v1", "services": {"A": {"DoIt": {"request": {}, "response": {}}}}})
    (service,) = (file.text for file in stub_files(api, "java") if file.path.endswith("service/AService.java"))
    assert "acme.status.v1.Status.DoItRequest request" in service
    taken = designed({"package": "acme.things.v1", "services": {}, "messages": {"Things": {}}} | {
        "services": {"A": {"DoIt": {"request": "Things", "response": {}}}}})  # fmt: skip
    assert java_file(taken.files[0], taken.package).outer == "ThingsOuterClass"


@settings(max_examples=10, deadline=None)
@given(specs())
def test_any_spec_has_stubs_that_name_each_file_once_and_leave_nothing_to_fill_in(spec: dict[str, Any]) -> None:
    api = designed(spec)
    for language in LANGUAGES:
        found = list(stub_files(api, language))
        assert len({file.path for file in found}) == len(found)
        assert [file.path for file in found if re.search(r"\{\{|\{%|TODO|Undefined", file.text)] == []
        assert [file.path for file in found if not file.text.endswith("\n")] == []
        assert found == list(stub_files(api, language))


@pytest.mark.parametrize("language", [*LANGUAGES, "python"])
def test_what_is_left_out_is_a_finding_at_its_rpc(language: Any) -> None:
    api = designed(STRANGE.read_text("utf-8"))
    module = importlib.import_module(f"halfopen_generators.grpc.stubs.{language}")
    found = list(stubs.findings(api, language))
    assert [each.message for each in found] == list(module.unsupported(api))
    assert {each.code for each in found} == {"PRT14"}
    assert {str(each.severity) for each in found} == {"info"}
    places = [each.evidence[0].path for each in found if " is idempotent, and " in each.message]
    assert places == ["services.GateService.DeleteThing", "services.Http2Thing.Gather"]
    assert list(stubs.findings(api, "none")) == []

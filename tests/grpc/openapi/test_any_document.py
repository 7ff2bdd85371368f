"""Whatever a document says becomes a spec that compiles and lints, or is told; nothing of it vanishes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.source import BadInput
from halfopen.vocabulary import Status
from halfopen_generators.grpc.imported import Imported
from halfopen_generators.grpc.openapi.document import pointer
from tests.grpc.openapi.documents import NAME, answer, documents, imported, leaves, places

# Each document is read several times, so there are fewer of them than usual, and none is shrunk.
some = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
few = settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def changed(found: dict[str, Any], at: tuple[str | int, ...]) -> dict[str, Any]:
    """The document without what stands at that place."""
    other = copy.deepcopy(found)
    holder: Any = other
    for part in at[:-1]:
        holder = holder[part]
    del holder[at[-1]]
    return other


# What implies a schema's type, so that the type says no more.
IMPLYING = {"enum", "const", "properties", "items", "additionalProperties", "minLength", "maxLength", "pattern",
            "minimum", "maximum", "exclusiveMinimum"}  # fmt: skip


def says_something(found: dict[str, Any], at: tuple[str | int, ...]) -> bool:
    """Whether the place adds to what the rest of the document says."""
    holder: Any = found
    for part in at[:-1]:
        holder = holder[part]
    key, value = at[-1], holder[at[-1]]
    usual = (
        value in ({}, [], "")
        or (value is False and key != "additionalProperties")
        or (value is True and (key == "additionalProperties" or at[-2] == "allOf"))
    )
    implied = (
        key in {"style", "explode"}  # told where they matter
        or (key == "required" and (holder.get("in") == "path" or at[-2] == "requestBody"))
        or (key == "format" and {"minimum", "maximum"} <= set(holder))
        or (key in {"minimum", "exclusiveMinimum"} and {"minimum", "exclusiveMinimum"} <= set(holder))
        or (
            "allOf" in at and (key in {"$ref", *IMPLYING} or at[-2] == "enum")
        )  # of those that all hold, one says it for others
        or (key == "type" and (bool(IMPLYING & set(holder)) or "allOf" in at))
    )
    return not usual and not implied


def is_told(at: tuple[str | int, ...], named: list[tuple[str, str]]) -> bool:
    """Whether a finding names the place, or says that all around it is lost."""
    place = pointer(at)
    null = bool({"nullable", "type"} & set(at[-2:]))
    return any(
        place == other
        or ("carried over" in message and place.startswith(f"{other}/"))
        or (null and "null" in message and place.startswith(f"{other}/"))
        for other, message in named
    )


def made_of(found: dict[str, Any], folder: Path) -> Imported | str:
    """What is made of a document; or why it is refused."""
    try:
        return imported(found, folder)
    except BadInput as refused:
        return str(refused)


def what_is_said(found: dict[str, Any], folder: Path) -> Any:
    """What a document becomes, findings aside; or why it is refused."""
    made = made_of(found, folder)
    return made if isinstance(made, str) else made.data


@some
@given(documents(), st.data())
def test_what_is_taken_away_changes_the_spec_or_was_told(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("api")
    made = made_of(found, folder)
    if isinstance(made, str):
        return
    named = list(places(made.unsaid))
    saying = [at for at in leaves(found) if says_something(found, at)]
    for at in data.draw(st.lists(st.sampled_from(saying), min_size=4, max_size=8, unique=True)):
        assert is_told(at, named) or what_is_said(changed(found, at), folder) != made.data, pointer(at)


@some
@given(documents())
def test_the_same_document_gives_the_same_spec(tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("api")
    first = what_is_said(found, folder)
    assert what_is_said(copy.deepcopy(found), folder) == first


@few
@given(documents())
def test_what_is_made_compiles_and_lints(tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("api")
    refused = made_of(found, folder)
    if isinstance(refused, str):
        # Said of the document, at its place; what is made of a document is never refused.
        assert refused.startswith(f"{NAME}:")
        assert "#" in refused
        return
    report = answer(found, folder)
    assert [check for check in report.checks if check.status is not Status.PASSED] == []

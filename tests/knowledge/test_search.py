"""The search answers what engineers ask: a table of questions, and what must hold of any query."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.knowledge import knowledge
from halfopen.knowledge_search import LONGEST_QUERY, search
from halfopen.source import BadInput

QUESTIONS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))["questions"]


def test_there_are_ninety_four_questions() -> None:
    assert len({question for question, _, _ in QUESTIONS}) == 94


@pytest.mark.parametrize(("question", "wanted", "place"), QUESTIONS)
def test_the_entry_that_answers_comes_first_or_among_the_first(question: str, wanted: str, place: int) -> None:
    found = [f"{hit.kind}/{hit.id}" for hit in search(question, limit=place)]
    assert wanted in found


def test_a_hit_says_what_fits_the_question() -> None:
    (hit,) = search("how long should a timeout be", limit=1)
    assert (hit.uri, hit.says, hit.laws) == snapshot(
        (
            "halfopen://patterns/timeout",
            (
                "**Rule:** Every external call needs a timeout (network, database, service-to-service)",
                "**Default:** 5s for service-to-service, 30s for long-running operations",
            ),
            ("Circuit Breakers Everywhere",),
        )
    )


def test_a_hit_names_the_tools_that_act_on_it() -> None:
    assert search("saga orchestrator", limit=1)[0].tools == ("design_saga",)


def test_every_entry_is_found_by_its_own_words() -> None:
    for mantra in knowledge().mantras:
        assert f"mantras/{mantra.id}" in [f"{hit.kind}/{hit.id}" for hit in search(mantra.text, limit=6)], mantra.text
    for law in knowledge().laws:
        assert search(f"{law.title} {law.text}"[:LONGEST_QUERY], limit=1)[0].id == law.id
    for pattern in knowledge().patterns:
        assert pattern.name in [hit.id for hit in search(f"{pattern.title} {' '.join(pattern.also)}", limit=2)]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("idempotancy", "idempotency"),
        ("bulkhed", "bulkhead"),
        ("choreografy", "choreography"),
        ("protobuff", "protobuf"),
    ],
)
def test_a_misspelt_word_finds_what_the_right_one_finds(misspelt: str, meant: str) -> None:
    assert search(misspelt)
    assert search(misspelt)[0].uri == search(meant)[0].uri


@pytest.mark.parametrize("unknown", ["debezium", "webhook", "leader election", "terraform"])
def test_a_word_that_nothing_is_known_of_is_not_taken_for_another(unknown: str) -> None:
    assert search(unknown) == ()


def test_what_only_a_note_says_is_found_and_told() -> None:
    (hit,) = search("grpcurl", limit=1)
    assert hit.id == "grpc"
    assert "grpc-from-a-shell" in [note.id for note in hit.notes]


@given(st.text(max_size=LONGEST_QUERY).filter(str.strip), st.integers(1, 9))
def test_any_text_is_a_query(text: str, limit: int) -> None:
    found = search(text, limit)
    assert len(found) <= limit
    assert len({hit.uri for hit in found}) == len(found)
    assert found == search(text, limit)


@pytest.mark.parametrize("query", ["", "  \n", "x" * (LONGEST_QUERY + 1)])
def test_no_query_and_too_long_a_query_are_refused(query: str) -> None:
    with pytest.raises(BadInput, match="400 characters at most"):
        search(query)


@pytest.mark.parametrize("query", ['"', "saga AND", "NEAR(", "title:saga", "*", "saga'; DROP TABLE entry; --"])
def test_the_language_of_the_index_is_not_the_user_s(query: str) -> None:
    search(query)
    assert search("saga")

"""The pages on what is known, and how a search is told."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from halfopen.knowledge import knowledge
from halfopen.knowledge_pages import KINDS, entries, page, results
from halfopen.knowledge_search import search
from halfopen.source import BadInput


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_has_a_page_that_says_all_of_it(kind: str) -> None:
    names = entries(kind)  # type: ignore[arg-type] # one of KINDS
    assert names
    for name in names:
        text = page(kind, name)
        assert text.startswith("# ")
        assert text.endswith("\n")


def test_the_page_on_a_pattern_holds_every_claim_figure_and_note() -> None:
    for pattern in knowledge().patterns:
        text = page("patterns", pattern.name)
        refs = [ref for ref, _ in pattern.statements()]
        assert all(statement.text in text for _, statement in pattern.statements())
        assert all(f"`{each.id}`" in text for each in knowledge().thresholds if set(each.said_in) & set(refs))
        assert all(note.text in text for ref in refs for note in knowledge().notes_on(ref))


def test_a_law_is_known_by_its_number_and_its_id() -> None:
    assert page("laws", "7") == page("laws", "idempotency")


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (
            "patterns",
            "circuit-braker",
            snapshot("circuit-braker: none of the patterns is called that. Did you mean circuit-breaker?"),
        ),
        ("laws", "11", snapshot("11: none of the laws is called that. Did you mean 1?")),
        ("sayings", "x", snapshot("sayings: nothing of that kind is known.")),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest(kind: str, name: str, told: str) -> None:
    with pytest.raises(BadInput) as refused:
        page(kind, name)
    assert str(refused.value).partition(" Legal:")[0] == told


def test_results_tell_what_fits_and_where_the_rest_is() -> None:
    assert results("lazy loading", search("lazy loading", 1)) == snapshot("""\
## Cache-aside
> 1. Check cache → miss → query database → write to cache
> 2. Use for read-heavy data (user profiles, product catalog)

All of it: halfopen://patterns/cache-aside
""")


def test_a_note_is_told_once_in_an_answer() -> None:
    hits = search("retry", 3)
    note = next(note for note in hits[0].notes if note.id == "retries-add-up")
    assert sum(note in hit.notes for hit in hits) > 1
    told = results("retry", hits)
    assert told.count(note.text) == 1
    assert f"- **Corrected**: see '{hits[0].title}' above" in told


def test_no_results_say_what_to_try() -> None:
    assert results("zzz", search("zzz")) == snapshot(
        "Nothing is known of 'zzz'. Ask for the thing by its name, such as: timeout, saga, partition key.\n"
    )


def test_a_default_answer_is_small() -> None:
    # 3,000 tokens, at four characters each.
    questions = ("how many retries with which backoff and timeout", "kafka", "service mesh istio linkerd consul")
    assert all(len(results(question, search(question))) < 12_000 for question in questions)

"""The notes beside the claims: each stands beside something, says when, and names where it is from."""

from __future__ import annotations

import pytest

from halfopen.knowledge import Note, knowledge
from halfopen.knowledge_pages import page
from halfopen.knowledge_search import search


@pytest.mark.parametrize("note", knowledge().notes, ids=lambda note: note.id)
def test_a_note_stands_beside_claims_that_there_are_and_names_its_source(note: Note) -> None:
    assert note.about
    assert set(note.about) <= set(knowledge().claims)
    assert len(note.text) <= 400
    assert note.sources
    assert all(source == "arithmetic" or source.startswith("https://") for source in note.sources)


def test_no_two_notes_bear_one_id() -> None:
    ids = [note.id for note in knowledge().notes]
    assert len(ids) == len(set(ids))


def test_whoever_asks_for_a_figure_is_told_the_note_beside_it() -> None:
    (hit,) = search("how many retries", limit=1)
    (note,) = (note for note in hit.notes if note.id == "retries-add-up")
    assert f"**{note.status.capitalize()}** ({note.date}): {note.text}" in page("patterns", "retry")

"""Specs are read by the quicker of two parsers, and it makes no difference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen.source import BadInput, parse_source

PIECES = st.sampled_from(
    ["a: 1", "b: [x, 2, {c: d}]", "k: 'it''s'", 'j: "\\u00e9\\n"', "t: |\n  two\n  lines", "f: >-\n  fold\n  ed",
     "n: ~", "o: 0o17", "h: 0x1f", "y: no", "s: 1:30", "e: ''", "w: 1.5e3", "i: .inf", "d: 2020-01-01",
     "m: &m {p: q}", "r: *m", "<<: *m", "q: !!str 5", "u: {}", "v: []", "z: - 1", "x: 'a", "g: a: b", "l:\n- 1\n- 2",
     "c: a # no", "'quoted key': 1", "? complex\n: 1", "%TAG", "---", "tab:\t1", "b\u2028c: 1", "x: a\u0085b", "#",
     "'': 1", "yes: on", "1: 2", "~: 3", "long: " + "x" * 200]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=6).map("\n".join))
def test_the_quick_parser_reads_what_the_other_one_does(text: str) -> None:
    def read(text: str) -> tuple[Any, ...]:
        try:
            found = parse_source(text)
        except BadInput as error:
            return tuple(str(problem) for problem in error.problems)
        return found.data, dict(found.lines)

    quick = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr("yaml.CSafeLoader")
        assert repr(read(text)) == repr(quick)

"""The claims are the seed's, word for word, and nothing of the seed is missing."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from halfopen.knowledge import knowledge

SEED = Path(__file__).with_name("seed.md").read_text(encoding="utf-8")
SECTIONS = {
    int(found[1]): found[2]
    for found in re.finditer(r"^## (\d+)\. [^\n]*\n(.*?)(?=^## )", SEED, re.MULTILINE | re.DOTALL)
}
# What stands between the statements: headings, rules, blank lines, and bold lines that open a group.
BETWEEN = re.compile(r"#.*|⸻|\s*|\*\*[^*]+\*\*:?")
# A figure: digits that number no list and stand in no name.
FIGURE = re.compile(r"(?<![\w.])\d+(?!PC\b)")
NUMBERING = re.compile(r"^(\*\*)?\d\. ")
# Claims with figures that nobody would set anything to.
NO_THRESHOLDS = {
    "laws/fallacies": "how many fallacies there are",
    "laws/circuit-breakers": "number one",
    "laws/no-distributed-transactions": "the name of 2-phase commit",
    "kafka-partitioning/rule-2": "an example",
    "grpc/when-3": "how many languages there are",
}


def section(number: int) -> list[str]:
    return [line.strip() for line in SECTIONS[number].splitlines() if not BETWEEN.fullmatch(line)]


def test_the_seed_is_read_whole() -> None:
    assert list(SECTIONS) == list(range(11))
    assert sum(len(section(number)) for number in range(2, 11)) == 156


@pytest.mark.parametrize("number", range(2, 11))
def test_every_line_of_a_section_is_a_statement_and_every_statement_is_a_line(number: int) -> None:
    said = [
        (part.heading, statement.text)
        for pattern in knowledge().patterns
        for part in pattern.part
        if part.section == number
        for statement in part.says
    ]
    assert Counter(text for _, text in said) == Counter(section(number))
    for heading, text in said:
        under = SECTIONS[number].split(f"### {heading}\n")[1].split("\n### ")[0]
        assert text in under


def test_every_group_of_statements_stands_under_its_line() -> None:
    for pattern in knowledge().patterns:
        for part in pattern.part:
            under = SECTIONS[part.section].split(f"### {part.heading}\n")[1].split("\n### ")[0]
            if part.group is not None:
                under = under.split(f"**{part.group}**")[1]
            places = [under.index(statement.text) for statement in part.says]
            assert places == sorted(places), (pattern.name, part.heading)


def test_the_ten_laws_are_the_seed_s_in_its_order() -> None:
    found = re.findall(r"^\d+\.\s+\*\*(.+?)\*\*\n +(.+)$", SECTIONS[0], re.MULTILINE)
    assert [(law.title, law.text) for law in knowledge().laws] == found
    assert [law.number for law in knowledge().laws] == list(range(1, 11))


def test_the_ninety_one_mantras_are_the_seed_s_in_its_order() -> None:
    found = re.findall(r'^- "(.+)"$', SEED.split("## Mantras")[1], re.MULTILINE)
    assert len(found) == 91
    assert [mantra.text for mantra in knowledge().mantras] == found


def test_what_is_referred_to_exists_and_ids_are_unique() -> None:
    known = knowledge()
    names = {pattern.name for pattern in known.patterns}
    numbers = {law.number for law in known.laws}
    for mantra in known.mantras:
        assert set(mantra.patterns) <= names
        assert mantra.law is None or mantra.law in numbers
    assert all(set(pattern.laws) <= numbers for pattern in known.patterns)
    assert all(set(figure.said_in) <= set(known.claims) for figure in known.thresholds)
    for ids in (
        [law.id for law in known.laws],
        [mantra.id for mantra in known.mantras],
        [figure.id for figure in known.thresholds],
        [ref for pattern in known.patterns for ref, _ in pattern.statements()],
    ):
        assert len(ids) == len(set(ids))


def test_every_figure_of_a_claim_is_a_threshold() -> None:
    told = {ref for figure in knowledge().thresholds for ref in figure.said_in}
    with_digits = {ref for ref, text in knowledge().claims.items() if FIGURE.search(NUMBERING.sub("", text))}
    assert with_digits - told - set(NO_THRESHOLDS) == set()
    assert set(NO_THRESHOLDS) - with_digits == set()

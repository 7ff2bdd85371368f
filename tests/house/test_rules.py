"""Every code that a finding can bear has a page, and every page says what a reader of a finding needs."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict

import pytest

from halfopen.explain import codes, explain
from tests.house.places import PACKAGES, modules

CODE = re.compile(r"[A-Z]{3}[0-9]{2}")
SECTIONS = ["What", "Why", "Example", "Fix"]


def codes_in(source: str) -> set[str]:
    """The codes that stand in this module's text as words of their own, comments and docstrings left out."""
    words = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {word for word in words if isinstance(word, str) and CODE.fullmatch(word)}


def used() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for name, path in modules(package):
            for code in codes_in(path.read_text()):
                found[code].append(name)
    return found


def test_every_code_in_code_has_a_page() -> None:
    assert used()
    assert {code: where for code, where in used().items() if code not in codes()} == {}


def test_a_page_without_a_rule_says_so() -> None:
    assert [code for code in codes() if code not in used() and "raises this code" not in explain(code)] == []


def test_a_family_of_codes_belongs_to_one_part() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for code, where in used().items():
        owners[code[:3]].update(".".join(name.split(".")[:2]) for name in where)
    assert {family: parts for family, parts in owners.items() if len(parts) > 1} == {}


def test_no_two_rules_bear_one_name() -> None:
    titles = Counter(explain(code).splitlines()[0].split(" ", 2)[2] for code in codes())
    assert [title for title, count in titles.items() if count > 1] == []


def faults(code: str, page: str) -> list[str]:
    """What this page lacks of a rule's page."""
    found = []
    if not re.fullmatch(rf"# {code} [a-zA-Z2].+[^.]", page.splitlines()[0]):
        found.append("title")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    if parts[1::2] != SECTIONS:
        found.append(f"sections {parts[1::2]}")
    found += [f"empty {title}" for title, body in zip(parts[1::2], parts[2::2], strict=True) if not body.strip()]
    return found


@pytest.mark.parametrize("code", codes())
def test_a_page_is_whole(code: str) -> None:
    assert faults(code, explain(code)) == []


def test_a_fault_is_seen() -> None:
    good = "# SAG01 a name\n\n## What\na\n## Why\nb\n## Example\nc\n## Fix\nd\n"
    assert faults("SAG01", good) == []
    assert faults("SAG02", good)
    assert faults("SAG01", good.replace("Why", "How"))
    assert faults("SAG01", good.replace("\nd\n", "\n"))
    assert codes_in('"""SAG01 in words"""\nx = "SAG02"  # SAG03\n') == {"SAG02"}

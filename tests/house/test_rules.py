"""Every code that a finding can bear has a page, and every page says what a reader of a finding needs."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter, defaultdict
from functools import cache

import pytest

from halfopen.explain import codes, explain
from halfopen.registry import MODULES
from tests.house.places import PACKAGES, modules

CODE = re.compile(r"[A-Z]{3}[0-9]{2}")
SECTIONS = ["What", "Why", "Example", "Fix"]


def codes_in(source: str) -> set[str]:
    """The codes that stand in this module's text as words of their own, comments and docstrings left out."""
    words = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {word for word in words if isinstance(word, str) and CODE.fullmatch(word)}


@cache
def used() -> dict[str, list[str]]:
    """The modules in which each code stands."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for name, path in modules(package):
            for code in codes_in(path.read_text()):
                found[code].append(name)
    return found


def test_every_code_in_code_has_a_page() -> None:
    assert used()
    assert {code: where for code, where in used().items() if code not in codes()} == {}


def owners(code: str) -> set[str]:
    """The parts that this code stands in: a capability, or a package of the core."""
    return {".".join(name.split(".")[:2]) for name in used().get(code, ())}


def nobody_raises(code: str) -> bool:
    return "raises this code" in explain(code)


def test_a_code_belongs_to_one_part_or_its_page_says_that_nothing_raises_it() -> None:
    assert {code: owners(code) for code in codes() if len(owners(code)) != (0 if nobody_raises(code) else 1)} == {}


@pytest.mark.parametrize("part", MODULES.values())
def test_a_part_lists_only_codes_of_its_own_and_raises_each(part: str) -> None:
    listed = importlib.import_module(f"{part}.codes").CODES
    assert listed
    assert {code: owners(code) for code in listed if owners(code) != {part}} == {}
    assert [code for code in listed if set(used()[code]) == {f"{part}.codes"}] == []


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

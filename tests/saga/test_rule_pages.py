"""Each rule's page is true: its Example yields the code, its Fix doesn't, and both are complete specs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from halfopen.explain import codes, explain
from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.source import parse_source, validate
from halfopen.vocabulary import Finding
from halfopen_generators.saga.codes import CODES

ROOT = Path(__file__).parents[2]
SECTIONS = ["What", "Why", "Example", "Fix"]
# Raised on architecture models, which no saga spec can be.
OF_ARCHITECTURES = {"SAG17"}
SAGA_CODES = [code for code in codes() if code.startswith("SAG")]


def sections(code: str) -> dict[str, str]:
    parts = re.split(r"^## (\w+)\n", explain(code), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def found(text: str) -> tuple[Finding, ...]:
    saga = capability("saga")
    source, options = parse_source(text), saga.options()
    design = saga.design(validate(saga.spec, source), source, options)
    return saga.check(design, options, Silent()).findings


def spec_in(section: str) -> str:
    (text,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return str(text)


def test_there_is_a_page_for_every_code_from_the_first_to_the_last() -> None:
    assert [f"SAG{number:02}" for number in range(1, len(SAGA_CODES) + 1)] == SAGA_CODES


@pytest.mark.parametrize("code", SAGA_CODES)
def test_a_page_has_its_sections_and_names_the_law(code: str) -> None:
    page = explain(code)
    assert re.match(rf"# {code} \w", page)
    assert list(sections(code)) == SECTIONS
    assert re.search(r"Law ([1-9]|10): ", sections(code)["Why"])


@pytest.mark.parametrize("code", [code for code in SAGA_CODES if code not in OF_ARCHITECTURES])
def test_the_example_yields_the_code_and_the_fix_does_not(code: str) -> None:
    assert code in {finding.code for finding in found(spec_in(sections(code)["Example"]))}
    assert code not in {finding.code for finding in found(spec_in(sections(code)["Fix"]))}


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_title_and_the_law_that_its_findings_bear(code: str) -> None:
    assert explain(code).startswith(f"# {code} {CODES[code].title}\n")
    assert sections(code)["Why"].startswith(f"\nLaw {CODES[code].law}: ")


def test_what_only_an_architecture_shows_is_mended_by_a_saga_without_a_fault() -> None:
    assert {code for code in SAGA_CODES if code not in CODES} == OF_ARCHITECTURES
    assert all(found(spec_in(sections(code)["Fix"])) == () for code in OF_ARCHITECTURES)

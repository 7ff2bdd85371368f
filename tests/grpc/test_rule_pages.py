"""Each rule's page is true: its Example yields the code, its Fix doesn't, and both are complete specs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from halfopen.explain import codes, explain
from halfopen.vocabulary import Finding
from halfopen_generators.grpc.codes import CODES
from tests.grpc.designs import answered

SECTIONS = ["What", "Why", "Example", "Fix"]


def sections(code: str) -> dict[str, str]:
    parts = re.split(r"^## (\w+)\n", explain(code), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def found(code: str, section: str, folder: Path) -> dict[str, Finding]:
    """The findings of the spec in that section, by code; what is released or imported stands in the example."""
    for place, text in re.findall(r"```protobuf\n// (\S+)\n(.*?)```", sections(code)["Example"], re.DOTALL):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    for place, text in re.findall(r"```yaml (\S+)\n(.*?)```", sections(code)["Example"], re.DOTALL):
        (folder / place).write_text(text)
    (spec,) = re.findall(r"```yaml\n(.*?)```", sections(code)[section], re.DOTALL)
    asked = re.search(r"^With `--stubs (\w+)`", explain(code), re.MULTILINE)
    stubs: Any = asked[1] if asked else "none"
    return {finding.code: finding for finding in answered(spec, folder, stubs).findings}


def test_every_page_of_its_own_family_has_a_rule_and_every_rule_a_page() -> None:
    assert [code for code in codes() if code.startswith("PRT")] == sorted(
        code for code in CODES if code.startswith("PRT")
    )
    assert set(CODES) <= set(codes())


@pytest.mark.parametrize("code", CODES)
def test_the_example_yields_the_code_and_the_fix_does_not(code: str, tmp_path: Path) -> None:
    assert code in found(code, "Example", tmp_path)
    assert code not in found(code, "Fix", tmp_path)


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_title_and_the_law_that_its_findings_bear(code: str) -> None:
    assert explain(code).startswith(f"# {code} {CODES[code].title}\n")
    assert list(sections(code)) == SECTIONS
    assert sections(code)["Why"].startswith(f"\nLaw {CODES[code].law}: ")


@pytest.mark.parametrize("code", CODES)
def test_the_fix_leaves_nothing_else_to_mend(code: str, tmp_path: Path) -> None:
    left = found(code, "Fix", tmp_path)
    assert {name for name, finding in left.items() if finding.severity == "error"} == set()

"""Each rule's page is true: its Example yields the code, its Fix doesn't, and both are complete specs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from halfopen.explain import explain
from halfopen.knowledge import knowledge
from halfopen.vocabulary import Finding
from halfopen_generators.breaker import spoken
from halfopen_generators.breaker.check import static_findings
from halfopen_generators.breaker.codes import CODES
from tests.breaker.designs import designed
from tests.breaker.stand_ins import stacks

__all__ = ["stacks"]
pytestmark = pytest.mark.usefixtures("stacks")
SECTIONS = ["What", "Why", "Example", "Fix"]


def sections(code: str) -> dict[str, str]:
    parts = re.split(r"^## (\w+)\n", explain(code), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def found(code: str, section: str, folder: Path) -> tuple[Finding, ...]:
    """The findings of the spec in that section, beside which its architecture file lies, without the simulation."""
    text = sections(code)[section]
    for place, architecture in re.findall(r"```yaml (\S+)\n(.*?)```", text, re.DOTALL):
        (folder / place).write_text(architecture)
    (spec,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    planned = designed(spec, folder)
    return (*static_findings(planned), *spoken.findings(spoken.spoken(planned)))


@pytest.mark.parametrize("code", CODES)
def test_the_example_yields_the_code_and_the_fix_does_not(code: str, tmp_path: Path) -> None:
    assert code in {finding.code for finding in found(code, "Example", tmp_path)}
    assert code not in {finding.code for finding in found(code, "Fix", tmp_path)}


@pytest.mark.parametrize("code", CODES)
def test_the_fix_leaves_nothing_else_to_mend(code: str, tmp_path: Path) -> None:
    left = found(code, "Fix", tmp_path)
    assert [finding for finding in left if finding.severity == "error"] == []
    # Of what gRPC or a mesh alone can't play, and of how a dialect says it, no figure is to blame.
    assert {finding.code for finding in left if finding.severity == "warning"} <= {"TGT02", "RES15"}


@pytest.mark.parametrize("code", CODES)
def test_the_example_shows_little_else(code: str, tmp_path: Path) -> None:
    wrong = {finding.code for finding in found(code, "Example", tmp_path) if finding.severity == "error"}
    assert wrong <= {code}


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_title_and_the_law_that_its_findings_bear(code: str) -> None:
    assert explain(code).startswith(f"# {code} {CODES[code].title}\n")
    assert list(sections(code)) == SECTIONS
    assert sections(code)["Why"].startswith(f"\nLaw {CODES[code].law}: ")


@pytest.mark.parametrize("code", CODES)
def test_a_page_names_only_notes_that_there_are(code: str) -> None:
    known = {note.id for note in knowledge().notes}
    assert set(re.findall(r"\(note ([\w-]+)\)", explain(code))) <= known

"""What a whole policy comes out as in each library, kept to be read; and readers that never saw how it was spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfopen_generators.breaker.dialects import MODULES, dialect
from halfopen_generators.breaker.spec import Stack
from tests.breaker.dialects.libraries.laws import everything, files, in_one
from tests.golden_folder import GOLDEN, ROOT, by_hash_seed, kept
from tests.house.places import imports

LIBRARIES: list[Stack] = ["resilience4j", "python", "opossum", "cockatiel", "gobreaker", "failsafe-go", "polly"]
READERS = ROOT / "generators" / "halfopen_generators" / "breaker" / "readers"


@pytest.mark.parametrize("stack", LIBRARIES)
def test_the_golden_files_are_what_comes_out(stack: Stack) -> None:
    found = {path.removeprefix(f"{stack}/"): text for path, text in files(stack, everything()).items()}
    assert kept(GOLDEN / f"breaker-{stack}", found) == found


@pytest.mark.parametrize("stack", LIBRARIES)
def test_the_same_bytes_come_from_every_process(stack: Stack) -> None:
    told = by_hash_seed("tests.breaker.dialects.libraries.laws", f"in_one({stack!r})")
    assert told == {in_one(stack)}


@pytest.mark.parametrize("stack", LIBRARIES)
def test_a_library_can_play_every_part(stack: Stack) -> None:
    found = dialect(stack)
    assert found.kind == "library"
    assert found.parts == set(everything().layers)
    assert [term for unsaid in found.unsaid(everything()) for term in unsaid.terms if not unsaid.nearest] == []


def reached(module: str) -> set[str]:
    """The readers that this one imports, itself too, and all that these import."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = READERS / f"{name.rpartition('.')[2]}.py"
        if name.startswith("halfopen_generators.breaker.readers.") and path.is_file():
            waiting += imports(path.read_text("utf-8"), name)
    return seen


@pytest.mark.parametrize("stack", LIBRARIES)
def test_a_reader_knows_nothing_of_how_it_is_spelled(stack: Stack) -> None:
    found = reached(f"halfopen_generators.breaker.readers.{MODULES[stack]}")
    assert any(name.startswith("halfopen_generators.breaker.reading") for name in found)
    assert {name for name in found if ".dialects" in name or "jinja2" in name or name == "halfopen.templates"} == set()


def test_what_a_reader_reaches_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.py").write_text("from halfopen_generators.breaker.readers.two import x")
    (tmp_path / "two.py").write_text("def f():\n    from halfopen_generators.breaker.dialects import library")
    monkeypatch.setitem(globals(), "READERS", tmp_path)
    assert "halfopen_generators.breaker.dialects.library" in reached("halfopen_generators.breaker.readers.one")

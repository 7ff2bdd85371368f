"""What holds for every file of the project."""

from __future__ import annotations

import io
import json
import re
import tokenize
import tomllib

import pytest

from halfopen import __version__
from tests.house.places import PACKAGES, ROOT, files, modules

LONGEST_MODULE = 400
# Put together here, so that this file doesn't find itself.
MARKS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "WI" + "P")) + r")\b")
# An abstract method that names the class at fault is finished; a bare refusal isn't.
UNFINISHED = re.compile(
    r"Not" + r"ImplementedError(?:\(\))?\s*$|\bco" + r"ming soon\b|\blorem " + r"ipsum\b", re.IGNORECASE | re.MULTILINE
)
BINARY = {".png", ".ico", ".gz", ".whl", ".pyc", ".db", ".sqlite"}


def test_no_module_is_too_long() -> None:
    long = {
        name: lines
        for package in PACKAGES
        for name, path in modules(package)
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def unfinished(text: str, *, python: bool) -> list[str]:
    """The marks in this text; in Python a mark is a comment, since a string may well speak of one."""
    told = text
    if python:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        told = "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)
    return [match[0] for match in (*MARKS.finditer(told), *UNFINISHED.finditer(text))]


def test_nothing_is_marked_as_unfinished() -> None:
    marked = {}
    for path in files():
        # The lock's hashes spell any word in the end.
        if path.suffix in BINARY or path.name == "uv.lock":
            continue
        if found := unfinished(path.read_text(), python=path.suffix == ".py"):
            marked[str(path.relative_to(ROOT))] = found
    assert marked == {}


@pytest.mark.parametrize("python", [True, False])
@pytest.mark.parametrize("text", ["# TO" + "DO: later", "raise Not" + "ImplementedError", "# Co" + "ming soon"])
def test_a_mark_is_seen(text: str, *, python: bool) -> None:
    assert unfinished(text, python=python)


def test_the_project_stands_alone() -> None:
    # A path of the machine it was made on is of no use to anybody else.
    home = re.compile(r"/(?:home|Users)/\w+|" + "/wo" + r"rk/\w+")
    told = {
        str(path.relative_to(ROOT)): found
        for path in files()
        if path.suffix not in BINARY and (found := home.findall(path.read_text()))
    }
    assert told == {}


def test_one_version_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    plugin = json.loads((ROOT / ".claude-plugin/plugin.json").read_text())
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    assert plugin["version"] == version == __version__
    assert [package["version"] for package in locked if package["name"] == "halfopen"] == [version]
    assert re.search(rf"^## .*{re.escape(version)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

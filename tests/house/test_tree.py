"""What holds for every file of the project."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

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


def unfinished(text: str) -> list[str]:
    return [match[0] for pattern in (MARKS, UNFINISHED) for match in pattern.finditer(text)]


def test_nothing_is_marked_as_unfinished() -> None:
    marked = {}
    for path in files():
        # The lock's hashes spell any word in the end.
        if path.suffix not in BINARY and path.name != "uv.lock" and (found := unfinished(path.read_text())):
            marked[str(path.relative_to(ROOT))] = found
    assert marked == {}


@pytest.mark.parametrize("text", ["# TO" + "DO: later", "raise Not" + "ImplementedError", "Co" + "ming soon"])
def test_a_mark_is_seen(text: str) -> None:
    assert unfinished(text)


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
    assert plugin["version"] == version
    assert [package["version"] for package in locked if package["name"] == "halfopen"] == [version]
    assert re.search(rf"^## .*{re.escape(version)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

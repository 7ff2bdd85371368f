"""`halfopen check`: every spec under some paths, a line each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from halfopen.registry import MODULES
from tests.cli.conftest import HEAVY, LIGHT, MEDIUM, Invoke

Spec = Callable[..., object]


@pytest.fixture(autouse=True)
def only_the_toy(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it registers the toy
    for name in set(MODULES) - {"toy"}:
        monkeypatch.delitem(MODULES, name)  # type: ignore[misc]


def test_a_line_for_each_spec(invoke: Invoke, spec: Spec) -> None:
    spec(LIGHT, "b/light.toy.yaml")
    spec(MEDIUM, "a/medium.toy.yaml")
    spec(HEAVY, "a/deep/heavy.toy.json")
    spec("not: looked at", "a/other.yaml")
    result = invoke("check", ".")
    assert result.stdout.splitlines() == [
        "WARN  a/medium.toy.yaml: TOY02: car: 2 parts",
        "FAIL  a/deep/heavy.toy.json: TOY01: car: 2 parts",
        "PASS  b/light.toy.yaml: car: 1 parts",
    ]
    assert (result.exit_code, result.stderr) == (1, "")


def test_what_is_not_the_users_is_skipped(invoke: Invoke, spec: Spec) -> None:
    for folder in (".git", ".venv", "node_modules", "venv", "x/__pycache__", "x/.hidden/y"):
        spec(HEAVY, f"{folder}/heavy.toy.yaml")
    spec(LIGHT, "x/light.toy.yaml")
    result = invoke("check", ".")
    assert (result.exit_code, result.stdout) == (0, "PASS  x/light.toy.yaml: car: 1 parts\n")
    # But who names it means it.
    assert invoke("check", "node_modules/heavy.toy.yaml").exit_code == 1


def test_one_bad_spec_does_not_hide_the_others(invoke: Invoke, spec: Spec) -> None:
    spec("toy: [", "a.toy.yaml")
    spec(HEAVY, "b.toy.yaml")
    spec(LIGHT, "c.toy.yaml")
    result = invoke("check", ".")
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        "BAD   a.toy.yaml: can't be used",
        "FAIL  b.toy.yaml: TOY01: car: 2 parts",
        "PASS  c.toy.yaml: car: 1 parts",
    ]
    assert result.stderr.startswith("halfopen: a.toy.yaml:1: is not YAML")


def test_fail_on_warning_and_quiet(invoke: Invoke, spec: Spec) -> None:
    spec(LIGHT, "a.toy.yaml")
    spec(MEDIUM, "b.toy.yaml")
    assert invoke("check", ".").exit_code == 0
    result = invoke("check", ".", "--fail-on", "warning", "-q")
    assert (result.exit_code, result.stdout) == (1, "WARN  b.toy.yaml: TOY02: car: 2 parts\n")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "halfopen: .: no spec is there, by the end of its name. Legal: .toy.yaml, .toy.json, .proto.\n"),
        ("nowhere", "halfopen: nowhere: no such file or folder.\n"),
        ("x.yaml", "halfopen: x.yaml: its name doesn't say which spec it is. Legal: .toy.yaml, .toy.json, .proto.\n"),
    ],
)
def test_nothing_to_check_is_no_pass(invoke: Invoke, spec: Spec, path: str, message: str) -> None:
    spec("a: 1", "x.yaml")
    result = invoke("check", path)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_a_path_is_needed(invoke: Invoke) -> None:
    result = invoke("check")
    assert result.exit_code == 2
    assert result.stderr == "halfopen: Missing argument 'PATH...'.\nTry: halfopen check --help\n"


def test_what_a_compiler_objects_to_is_told_below_the_file(invoke: Invoke, spec: Spec) -> None:
    spec('syntax = "proto3";\nmessage A { Nope x = 1; }\n', "api/a.proto")
    spec('syntax = "proto3";\nmessage B {}\n', "api/b.proto")
    result = invoke("check", ".")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == [
        "FAIL  api/a.proto: does not compile: 1 place.",
        '      api/a.proto:2:13: "Nope" is not defined.',
        "PASS  api/b.proto: compiles.",
    ]


def test_imports_are_found_from_wherever_in_the_project_one_stands(
    invoke: Invoke, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    spec('syntax = "proto3";\nimport "x/b.proto";\nmessage A { B b = 1; }\n', "api/x/a.proto")
    spec('syntax = "proto3";\nmessage B {}\n', "api/x/b.proto")
    monkeypatch.chdir(tmp_path / "api" / "x")
    assert invoke("check", "a.proto").stdout == "PASS  a.proto: compiles.\n"
    monkeypatch.chdir("/")
    assert invoke("check", tmp_path).exit_code == 0

"""`.proto` files of somebody's project, checked where they lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.checkers import proto_imports, protos
from halfopen.checkers.proto_imports import Import, imports
from halfopen.source import BadInput
from halfopen.vocabulary import Report, Status

HEAD = 'syntax = "proto3";\npackage shop.v1;\n'
MONEY = f"{HEAD}message Money {{ int64 units = 1; }}\n"
ORDER = f'{HEAD}import "shop/v1/money.proto";\nmessage Order {{ Money total = 1; }}\n'
BUF = "version: v2\nmodules:\n  - path: api\n"


def project(root: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def look(root: Path, name: str, texts: Mapping[str, str]) -> Report:
    project(root, texts)
    return protos.check(root / name, name=name, root=root)


def told(report: Report) -> list[str]:
    return [f"{check.status.value} {check.name}: {check.detail}" for check in report.checks]


@pytest.mark.parametrize(
    "root",
    ["", "api", "deep/down/api"],
)
def test_imports_are_found_from_the_nearest_folder_that_holds_them(tmp_path: Path, root: str) -> None:
    folder = Path(root)
    texts = {str(folder / "shop/v1/money.proto"): MONEY, str(folder / "shop/v1/order.proto"): ORDER}
    report = look(tmp_path, str(folder / "shop/v1/order.proto"), texts)
    assert (report.outcome, report.summary, told(report)) == ("pass", "compiles.", ["passed compiles: 2 files"])


def test_what_does_not_compile_is_told_with_its_place(tmp_path: Path) -> None:
    report = look(tmp_path, "a.proto", {"a.proto": f"{HEAD}message A {{\n  Nope x = 1;\n  Nada y = 2;\n}}\n"})
    assert report.outcome == "fail"
    assert report.summary == "does not compile: 2 places."
    assert report.checks[0].detail.splitlines() == snapshot(
        [
            'a.proto:4:3: "Nope" is not defined.',
            'a.proto:5:3: "Nada" is not defined.',
        ]
    )


def test_a_fault_of_an_imported_file_is_told_at_that_file(tmp_path: Path) -> None:
    texts = {"api/shop/v1/money.proto": MONEY.replace("int64", "Nope"), "api/shop/v1/order.proto": ORDER}
    lines = look(tmp_path, "api/shop/v1/order.proto", texts).checks[0].detail.splitlines()
    assert lines[0] == 'api/shop/v1/money.proto:3:17: "Nope" is not defined.'


def test_an_import_that_leads_to_no_file_names_the_likely_one(tmp_path: Path) -> None:
    wrong = ORDER.replace("shop/v1/money.proto", "shop/v2/money.proto")
    texts = {"api/shop/v1/money.proto": MONEY, "api/shop/v1/item.proto": HEAD, "buf.yaml": BUF}
    report = look(tmp_path, "api/shop/v1/order.proto", {**texts, "api/shop/v1/order.proto": wrong})
    assert report.checks[0].detail == (
        'api/shop/v1/order.proto:3: import "shop/v2/money.proto" leads to no file. Did you mean shop/v1/money.proto?'
    )


def test_what_is_imported_from_elsewhere_is_no_fault_but_a_wrong_syntax_is(tmp_path: Path) -> None:
    text = f'{HEAD}import "gogoproto/gogo.proto";\nmessage A {{ gogoproto.Options rule = 1; }}\n'
    report = look(tmp_path, "a.proto", {"a.proto": text})
    assert report.outcome == "warn"
    assert report.summary == (
        "syntax only: it imports gogoproto/gogo.proto from outside this project, so names and types were not looked at."
    )
    report = look(tmp_path, "a.proto", {"a.proto": text.replace("= 1", "1")})
    assert report.checks[0].detail == "a.proto:4:36: Missing field number."


def test_googles_own_and_vendored_files_are_found(tmp_path: Path) -> None:
    text = (
        'import "google/api/annotations.proto";\nimport "google/rpc/status.proto";\n'
        'import "google/protobuf/timestamp.proto";\nimport "other/thing.proto";\n'
        "message A { google.rpc.Status status = 1; google.protobuf.Timestamp at = 2; other.Thing thing = 3; }\n"
    )
    vendored = 'syntax = "proto3";\npackage other;\nmessage Thing {}\n'
    texts = {"api/shop/v1/a.proto": HEAD + text, "third_party/protos/other/thing.proto": vendored}
    assert look(tmp_path, "api/shop/v1/a.proto", texts).outcome == "pass"


def test_the_rules_are_those_of_the_projects_own_buf_yaml(tmp_path: Path) -> None:
    texts = {"api/shop/v1/a.proto": f"{HEAD}message a {{ string N = 1; }}\n", "buf.yaml": BUF}
    report = look(tmp_path, "api/shop/v1/a.proto", texts)
    assert report.summary == "compiles, but breaks lint rules of its buf.yaml: 2 places."
    assert report.checks[1].detail.splitlines() == snapshot(
        [
            'api/shop/v1/a.proto:3: Message name "a" should be PascalCase, such as "A". (MESSAGE_PASCAL_CASE)',
            'api/shop/v1/a.proto:3: Field name "N" should be lower_snake_case, such as "n". (FIELD_LOWER_SNAKE_CASE)',
        ]
    )
    lenient = f"{BUF}lint:\n  use: [STANDARD]\n  except: [MESSAGE_PASCAL_CASE, FIELD_LOWER_SNAKE_CASE]\n"
    assert look(tmp_path, "api/shop/v1/a.proto", {**texts, "buf.yaml": lenient}).outcome == "pass"


def test_the_modules_of_an_older_workspace_import_each_other(tmp_path: Path) -> None:
    texts = {
        "buf.work.yaml": "version: v1\ndirectories: [api, common]\n",
        "api/buf.yaml": "version: v1\n",
        "common/buf.yaml": "version: v1\n",
        "common/shop/v1/money.proto": MONEY,
        "api/shop/v1/order.proto": ORDER,
    }
    assert told(look(tmp_path, "api/shop/v1/order.proto", texts)) == [
        "passed compiles: 2 files",
        "passed keeps the lint rules of its buf.yaml: 1 file",
    ]


def test_what_another_module_of_the_workspace_depends_on_is_not_fetched_either(tmp_path: Path) -> None:
    texts = {
        "buf.work.yaml": "version: v1\ndirectories: [api, common]\n",
        "api/buf.yaml": "version: v1\n",
        "common/buf.yaml": "version: v1\ndeps:\n  - buf.build/googleapis/googleapis\n",
        "api/shop/v1/a.proto": f"{HEAD}message a {{}}\n",
    }
    assert look(tmp_path, "api/shop/v1/a.proto", texts).checks[1].status is Status.SKIPPED


def test_a_file_that_no_module_holds_is_not_linted(tmp_path: Path) -> None:
    report = look(tmp_path, "old/a.proto", {"old/a.proto": f"{HEAD}message a {{}}\n", "buf.yaml": BUF})
    assert told(report) == ["passed compiles: 1 files"]


@pytest.mark.parametrize("more", ["deps:\n  - buf.build/googleapis/googleapis\n", "plugins:\n  - plugin: ./rules.sh\n"])
def test_buf_neither_fetches_nor_runs_what_a_project_names(tmp_path: Path, more: str) -> None:
    report = look(
        tmp_path, "api/shop/v1/a.proto", {"api/shop/v1/a.proto": f"{HEAD}message a {{}}\n", "buf.yaml": BUF + more}
    )
    assert report.checks[1].status is Status.SKIPPED
    assert report.checks[1].detail.startswith(f"not linted: buf.yaml names {more.partition(':')[0]}")


def test_nothing_outside_the_project_is_read(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "project"
    project(outside, {"shop/v1/money.proto": MONEY})
    project(root, {"shop/v1/order.proto": ORDER})
    (root / "shop/v1/money.proto").symlink_to(outside / "shop/v1/money.proto")
    report = protos.check(root / "shop/v1/order.proto", name="order.proto", root=root)
    assert "leads to no file" in report.checks[0].detail
    climbing = look(root, "a.proto", {"a.proto": f'{HEAD}import "../outside/shop/v1/money.proto";\n'})
    assert climbing.outcome != "pass"
    with pytest.raises(BadInput, match="leads out of the project"):
        protos.check(root / "shop/v1/money.proto", name="money.proto", root=root)


def test_an_import_that_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    project(tmp_path, {"shop/v1/order.proto": ORDER})
    os.mkfifo(tmp_path / "shop/v1/money.proto")
    report = protos.check(tmp_path / "shop/v1/order.proto", name="order.proto", root=tmp_path)
    assert "leads to no file" in report.checks[0].detail


def test_a_file_that_draws_in_too_much_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proto_imports, "MAX_FILES", 1)
    report = look(tmp_path, "shop/v1/order.proto", {"shop/v1/money.proto": MONEY, "shop/v1/order.proto": ORDER})
    assert told(report) == ["skipped compiles: not compiled: it imports more than 1 files or 8,388,608 bytes"]


def test_imports_are_read_past_comments_and_strings() -> None:
    text = (
        '// import "a.proto";\n/* import "b.proto";\n*/ import public "c.proto";\n'
        'import weak \'d.proto\'; option x = "import \'e.proto\';"; // "\nimport "f.proto" ;\n'
    )
    assert list(imports(text)) == [Import("c.proto", 3), Import("d.proto", 4), Import("f.proto", 5)]


PIECES = st.sampled_from(
    ['import "a.proto";', "import 'b/c.proto'", "message A {", "}", "syntax = ", '"', "'", "/*", "*/", "//", "\n", "\0"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=12).map(lambda parts: " ".join(parts).encode())))
def test_whatever_stands_there_is_answered(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.proto").write_bytes(raw)
    report = protos.check(tmp_path / "a.proto", name="a.proto", root=tmp_path)
    (check,) = report.checks
    assert check.status is not Status.FAILED or check.detail.startswith("a.proto")

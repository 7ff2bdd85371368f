"""The commands that serve every capability."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path

import jsonschema
import pytest

from halfopen.explain import codes
from halfopen_server import cli_doctor
from halfopen_server.reports import open_reports
from tests.cli.conftest import Invoke
from tests.reports.support import report


def test_a_schema_is_json_schema_and_judges_specs(invoke: Invoke) -> None:
    result = invoke("schema", "toy")
    document = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(document)
    judge = jsonschema.Draft202012Validator(document)
    assert judge.is_valid({"toy": "car", "parts": [{"name": "wheel"}]})
    assert not judge.is_valid({"toy": "car", "prats": []})


def test_a_schema_nobody_has(invoke: Invoke) -> None:
    result = invoke("schema", "tyo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("halfopen: tyo: no spec is called that. Did you mean toy? Legal: ")


def test_explain_prints_the_page(invoke: Invoke) -> None:
    assert codes()
    for code in codes():
        result = invoke("explain", code.lower())
        assert result.exit_code == 0
        assert result.stdout.startswith(f"# {code} ")


def test_explain_of_an_unknown_code_names_the_nearest(invoke: Invoke) -> None:
    result = invoke("explain", "SAG99")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no rule bears the code 'SAG99'. Did you mean SAG" in result.stderr
    assert result.stderr.endswith(f"Legal: {', '.join(codes())}.\n")


def test_an_unknown_command_names_the_nearest(invoke: Invoke) -> None:
    result = invoke("tyo")
    assert result.exit_code == 2
    assert result.stderr.startswith("halfopen: no command is called 'tyo'. Did you mean toy? Legal: ")


def test_mcp_hands_over_to_the_server(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    server = types.ModuleType("halfopen_server.mcp")
    server.serve_stdio = calls.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "halfopen_server.mcp", server)
    assert invoke("mcp").exit_code == 0
    assert invoke("mcp", "--reports", "memory").exit_code == 0
    monkeypatch.setenv("HALFOPEN_REPORTS", "postgresql://db/reports")
    assert invoke("mcp").exit_code == 0
    assert calls == [None, "memory", "postgresql://db/reports"]


class TestDoctor:
    def test_what_is_here_and_what_is_not(
        self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "talks"
        program.write_text("#!/bin/sh\necho talks version 4.5.6\n")
        program.chmod(0o755)
        silent = tmp_path / "silent"
        silent.write_text("#!/bin/sh\nexit 3\n")
        silent.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        told = [
            cli_doctor.Tool("click", "python", "parses flags", "pip install click", required=True),
            cli_doctor.Tool("talks", "program", "talks", "buy it"),
            cli_doctor.Tool("silent", "program", "says nothing", "buy it"),
            cli_doctor.Tool("no-such-thing", "program", "does nothing", "can't be had"),
        ]
        monkeypatch.setattr(cli_doctor, "tools", lambda: tuple(told))
        monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(tmp_path))
        result = invoke("doctor")
        lines = result.stdout.splitlines()
        assert result.exit_code == 0
        assert lines[1].startswith("  ok        click 8.")
        assert lines[2:] == [
            "  ok        talks 4.5.6: talks",
            "  ok        silent (version unknown): says nothing",
            "  optional  no-such-thing: does nothing",
            "            get it: can't be had",
            f"Reports: 0 kept (0.0 of at most 64.0 MB) in {tmp_path}/reports/reports.db",
            "All that has to be there is. Optional and not here: 1.",
        ]
        told.append(cli_doctor.Tool("no-such-distribution", "python", "is needed", "pip", required=True))
        result = invoke("doctor")
        assert result.exit_code == 1
        assert result.stdout.splitlines()[-4:] == [
            "  missing   no-such-distribution: is needed",
            "            get it: pip",
            lines[-2],
            "Missing: no-such-distribution.",
        ]

    def test_where_reports_are_kept_and_why_they_are_not(
        self, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def told() -> str:
            return next(line for line in invoke("doctor").stdout.splitlines() if line.startswith("Reports: "))

        monkeypatch.setenv("CLAUDE_PLUGIN_DATA", str(tmp_path))
        open_reports(None, os.environ).keep("a", report("a", 200_000))
        assert told() == f"Reports: 1 kept (0.1 of at most 64.0 MB) in {tmp_path}/reports/reports.db"
        monkeypatch.setenv("HALFOPEN_REPORTS", "redis://me:secret@host")
        assert told().startswith("Reports: input: reports can't be kept there")
        assert "secret" not in told()

    def test_the_data_file_is_sound(self) -> None:
        names = [tool.name for tool in cli_doctor.tools()]
        assert len(names) == len(set(names))
        assert {"buf-bin", "grpcio-tools", "uv", "spin", "dbos", "temporalio"} <= set(names)
        assert {tool.kind for tool in cli_doctor.tools()} == {"python", "program"}


def test_knowledge_answers_a_question(invoke: Invoke) -> None:
    result = invoke("knowledge", "how", "many", "retries", "--limit", "1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("## Retry with backoff\n> - Max retries: 3-5 (don't retry forever)\n")


def test_knowledge_prints_the_page_on_one_entry(invoke: Invoke) -> None:
    by_number, by_address = invoke("knowledge", "laws/7"), invoke("knowledge", "halfopen://laws/idempotency")
    assert by_number.stdout == by_address.stdout
    assert by_number.stdout.startswith("# Law 7: Idempotency Is a Requirement\n")


def test_knowledge_as_json_is_json(invoke: Invoke) -> None:
    (hit,) = json.loads(invoke("knowledge", "outbox", "--limit", "1", "--format", "json").stdout)
    assert hit["uri"] == "halfopen://rules/SAG10"
    assert json.loads(invoke("knowledge", "rules/SAG10", "--format", "json").stdout)["page"].startswith("# SAG10 ")


def test_knowledge_of_what_nobody_knows(invoke: Invoke) -> None:
    unknown = invoke("knowledge", "laws/11")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith("halfopen: 11: none of the laws is called that. Did you mean 1? Legal: ")
    assert invoke("knowledge", "zzz").stdout.startswith("Nothing is known of 'zzz'.")

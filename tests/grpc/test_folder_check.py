"""`halfopen grpc --check DIR --against OTHER`: what is wrong with files that no spec made, and what they break."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen.run import check_folder
from halfopen.source import BadInput, Source
from halfopen.vocabulary import Report, Status
from halfopen_generators.grpc import capability
from halfopen_server.cli import cli

SOUND = """\
syntax = "proto3";

package acme.things.v1;

// Things.
service ThingService {
  // Gets one.
  rpc GetThing(GetThingRequest) returns (GetThingResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}

// What GetThing takes.
message GetThingRequest {
  // Which.
  string id = 1;
}

// What GetThing answers with.
message GetThingResponse {
  // Its name.
  string name = 1;
  // Its size.
  int32 size = 2;
}
"""
PATH = "api/acme/things/v1/things.proto"


def git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "a"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.org"),
    }  # fmt: skip
    ran = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def put(folder: Path, text: str, path: str = PATH) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a sound version, tagged v1."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    put(tmp_path, SOUND)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    git(tmp_path, "tag", "v1")
    return tmp_path


def checked(folder: Path, name: str = "api", other: str | None = None) -> Report:
    assert capability.folder_check is not None
    return check_folder(capability.folder_check, name, other, Source({}, folders=(folder.resolve(),)), Silent())


def told(report: Report) -> list[str]:
    return [f"{each.code} {each.severity} {each.evidence[0].file}:{each.evidence[0].line}" for each in report.findings]


def test_nothing_is_found_in_sound_files(repository: Path) -> None:
    report = checked(repository, other="v1")
    assert report.outcome == "pass"
    assert report.findings == ()
    assert [(check.name, check.status) for check in report.checks] == [
        ("the files compile", Status.PASSED),
        ("the files keep the lint rules", Status.PASSED),
        ("the rules of gRPC design: acme.things.v1", Status.PASSED),
        ("what is released still works", Status.PASSED),
    ]
    assert report.summary == snapshot("acme.things.v1: compiled, and no error was found. Nothing breaks v1.")


def test_what_a_change_breaks_is_told_at_its_line(repository: Path) -> None:
    put(repository, SOUND.replace("int32 size", "int64 size").replace("  // Its name.\n  string name = 1;\n", ""))
    report = checked(repository, other="v1")
    assert told(report) == ["PRT01 error api/acme/things/v1/things.proto:22",
                            "PRT02 error api/acme/things/v1/things.proto:20"]  # fmt: skip
    assert report.outcome == "fail"
    assert "Who is hurt" in report.findings[0].message


@pytest.mark.parametrize("form", ["HEAD~1", "HEAD^", "main~1^0", "v1", "v1:api", "HEAD~1:api", "HEAD:", "short"])
def test_a_commit_can_be_named_in_many_ways(repository: Path, form: str) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    put(repository, SOUND.replace("int32 size", "int64 size"))
    other = git(repository, "rev-parse", "--short", "HEAD") if form == "short" else form
    assert [each.code for each in checked(repository, other=other).findings] == ["PRT01"]


def test_a_packed_repository_and_a_linked_worktree_are_read(repository: Path, tmp_path_factory: pytest.TempPathFactory
                                                            ) -> None:  # fmt: skip
    git(repository, "gc", "--quiet", "--aggressive", "--prune=now")
    linked = tmp_path_factory.mktemp("linked") / "tree"
    git(repository, "worktree", "add", "--quiet", str(linked), "-b", "other")
    put(linked, SOUND.replace("int32 size", "int64 size"))
    assert [each.code for each in checked(linked, other="v1").findings] == ["PRT01"]


def test_a_folder_that_is_gone_can_still_be_compared_with(repository: Path) -> None:
    git(repository, "mv", "api", "protos")
    assert checked(repository, "protos", "v1:api").findings == ()


def test_nothing_of_a_repository_is_run(repository: Path) -> None:
    # What git would start by itself, and a file that it would filter.
    alarm = repository / "alarm"
    for key in ("core.fsmonitor", "core.sshCommand", "filter.x.smudge", "diff.external", "core.hooksPath"):
        git(repository, "config", key, f"touch {alarm}")
    (repository / ".git" / "info" / "attributes").write_text("*.proto filter=x\n")
    assert checked(repository, other="v1").outcome == "pass"
    assert not alarm.exists()


def test_a_file_that_points_to_another_repository_is_not_followed(repository: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    put(stranger, SOUND)
    (stranger / ".git").write_text(f"gitdir: {repository / '.git'}\n")
    with pytest.raises(BadInput, match="points to a repository that doesn't know of it"):
        checked(stranger, other="v1")


def test_rules_speak_of_protos_and_of_lines(tmp_path: Path) -> None:
    put(tmp_path, SOUND.replace("    option idempotency_level = NO_SIDE_EFFECTS;\n", ""))
    (found,) = checked(tmp_path).findings
    assert (found.code, str(found.evidence[0])) == (
        "IDP05", "api/acme/things/v1/things.proto:8 (services.ThingService.GetThing)",
    )  # fmt: skip
    assert found.fix.startswith("Set the rpc's option idempotency_level to NO_SIDE_EFFECTS")


def test_a_fault_in_many_places_is_told_once(tmp_path: Path) -> None:
    more = "  // Two.\n  rpc GetTwo(GetThingRequest) returns (GetThingResponse);\n  // Three.\n"
    put(
        tmp_path,
        SOUND.replace("  // Gets one.\n", f"{more}  rpc GetThree(GetThingRequest) returns (GetThingResponse);\n"),
    )
    (found,) = [each for each in checked(tmp_path).findings if each.code == "IDP05"]
    assert found.message.endswith("so no client and no proxy may repeat it. So it is at 1 other place.")
    assert [each.line for each in found.evidence] == [8, 10]


def test_what_is_released_with_a_fault_warns_and_what_is_new_with_it_fails(repository: Path) -> None:
    shared = SOUND.replace("returns (GetThingResponse)", "returns (GetThingRequest)")
    put(repository, shared)
    assert {str(each.severity) for each in checked(repository).findings if each.code == "PRT06"} == {"error"}
    git(repository, "commit", "--quiet", "-am", "shared")
    assert {str(each.severity) for each in checked(repository, other="HEAD").findings} == {"warning"}


def test_the_lint_rules_are_those_of_the_project(tmp_path: Path) -> None:
    put(tmp_path, SOUND.replace("int32 size", "int32 theSize"))
    (failed,) = [check for check in checked(tmp_path).checks if check.status is Status.FAILED]
    first, second = failed.detail.splitlines()
    assert first == "1 place; rules STANDARD: no buf.yaml says otherwise"
    assert second.startswith('api/acme/things/v1/things.proto:24:9: Field name "theSize" should be lower_snake_case')
    assert second.endswith(" (FIELD_LOWER_SNAKE_CASE)")
    put(
        tmp_path,
        "version: v2\nlint:\n  except: [FIELD_LOWER_SNAKE_CASE]\nplugins: [{plugin: ./evil}]\n",
        "api/buf.yaml",
    )
    (linted,) = [check for check in checked(tmp_path).checks if "lint" in check.name]
    assert (linted.status, linted.detail) == snapshot((Status.PASSED, "rules of buf.yaml; its plugins are not run"))


def test_several_packages_and_what_is_not_proto3(tmp_path: Path) -> None:
    put(tmp_path, SOUND)
    put(tmp_path, 'syntax = "proto2";\npackage acme.old.v1;\nmessage Old { required int32 a = 1; }\n',
        "api/acme/old/v1/old.proto")  # fmt: skip
    report = checked(tmp_path)
    assert report.summary.startswith("2 packages: compiled")
    (skipped,) = [check for check in report.checks if check.status is Status.SKIPPED]
    assert skipped.detail == "acme/old/v1/old.proto is proto2, and they are about proto3."


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("nowhere", None, "--check: there is no folder and no file 'nowhere', and the repository has no commit"),
        ("api", "v2", "--against: there is no folder and no file 'v2', and the repository has no commit 'v2'. It has"),
        ("api", "v1:nothing", "--against: 'v1:nothing' can't be read: 'nothing' isn't in the commit 'v1'."),
        ("api", "v1:api/acme/things/v1/things.proto", "is no folder in the commit 'v1'"),
        ("api", "v1:../..", "climbs with '..'"),
        ("/", None, "outside the allowed folders"),
        ("api", "HEAD~7", "the repository has no commit 'HEAD~7'"),
    ],
)
def test_what_can_not_be_checked_is_told(repository: Path, name: str, other: str | None, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked(repository, name, other)
    assert message in str(caught.value)


def test_from_the_command_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "api" / "acme")

    def ran(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli, ["grpc", *arguments])
        return result.exit_code, result.stdout, result.stderr

    assert ran("--check", "..", "--against", "v1", "--quiet")[:2] == (
        0,
        snapshot("PASS  acme.things.v1: compiled, and no error was found. Nothing breaks v1.\n"),
    )
    put(repository, SOUND.replace("int32 size", "int64 size"))
    status, out, _ = ran("--check", "..", "--against", "v1", "--format", "json")
    assert (status, Report.model_validate_json(out).findings[0].code) == (1, "PRT01")
    assert ran("--check", ".", "--out", "x")[2] == snapshot("""\
halfopen: --check . only looks: --out goes with a SPEC.
Try: halfopen grpc --help
""")
    assert ran("x.yaml", "--check", ".")[2] == snapshot("""\
halfopen: --check takes the place of SPEC: give one or the other.
Try: halfopen grpc --help
""")
    assert ran("x.yaml", "--against", "v1")[2] == snapshot("""\
halfopen: --against needs --check; a spec says what it is compared with itself.
Try: halfopen grpc --help
""")
    assert ran()[2] == snapshot("""\
halfopen: Missing argument 'SPEC'.
Try: halfopen grpc --help
""")
    assert "climbs" not in ran("--check", "../../..")[2]

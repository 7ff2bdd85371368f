"""Reads and writes stay inside the folders that the caller gave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfopen.source import BadInput
from halfopen_server.roots import Roots
from tests.mcp.conftest import Connect

pytestmark = pytest.mark.anyio

CAR = "toy: car\nparts:\n- name: gun\n  weight: 80\n"


def entries(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


async def test_write_to_leaves_the_files_in_the_project(connect: Connect, project: Path) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", {"toy": "car", "write_to": "out/design"})
    assert result.structured_content["written"] == {"folder": str(project / "out/design"), "files": 1}
    assert (project / "out/design/docs/0/toy.md").read_text() == "car: 0 parts in None\n"


async def test_without_write_to_nothing_is_written(connect: Connect, project: Path) -> None:
    async with connect() as client:
        result = await client.call_tool("design_toy", {"toy": "car"})
    assert "written" not in result.structured_content
    assert entries(project) == []


async def test_a_spec_file_is_evidence_under_the_name_it_was_given(connect: Connect, project: Path) -> None:
    (project / "car.yaml").write_text(CAR)
    async with connect() as client:
        result = await client.call_tool("design_toy", {"spec_file": "car.yaml"})
    evidence = result.structured_content["findings"][0]["evidence"]
    assert evidence == [{"path": "parts[0].weight", "file": "car.yaml", "line": 4}]


async def test_the_roots_of_the_client_come_before_the_environment(
    connect: Connect, project: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first one", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    async with connect(roots=[first, second]) as client:
        relative = await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
        absolute = await client.call_tool("design_toy", {"toy": "car", "write_to": str(second / "out")})
        outside = await client.call_tool("design_toy", {"toy": "car", "write_to": str(project / "out")})
    assert relative.structured_content["written"]["folder"] == str(first / "out")
    assert absolute.structured_content["written"]["folder"] == str(second / "out")
    assert outside.is_error
    assert entries(project) == []


async def test_a_client_that_offers_no_folder_gets_nothing_read_or_written(connect: Connect, project: Path) -> None:
    async with connect(roots=[]) as client:
        result = await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
    assert result.is_error
    assert "offers no folder" in result.content[0].text
    assert entries(project) == []


@pytest.mark.parametrize("argument", ["write_to", "spec_file"])
@pytest.mark.parametrize(
    "path", ["..", "../outside", "a/../../outside", "inside/../inside", "/etc", "link", "link/deeper", "", "a\0b"]
)
async def test_a_path_that_leads_out_is_refused(
    connect: Connect, project: Path, tmp_path: Path, argument: str, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "inside").mkdir()
    (project / "link").symlink_to(outside)
    spec = {} if argument == "spec_file" else {"toy": "car"}
    async with connect() as client:
        result = await client.call_tool("design_toy", {**spec, argument: path})
    assert result.is_error
    assert result.content[0].text.startswith(f"input: {argument}: ")
    assert entries(outside) == []
    assert entries(project / "inside") == []


async def test_a_link_inside_the_folder_to_be_written_does_not_lead_out(
    connect: Connect, project: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project / "out").mkdir()
    (project / "out/docs").symlink_to(outside)
    async with connect() as client:
        result = await client.call_tool("design_toy", {"toy": "car", "write_to": "out", "overwrite": True})
    assert result.is_error
    assert entries(outside) == []


async def test_what_an_earlier_answer_left_behind_is_named(connect: Connect, project: Path) -> None:
    async with connect() as client:
        await client.call_tool("design_toy", {"toy": "car", "write_to": "out", "copies": 2})
        result = await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
    assert result.structured_content["written"] == {
        "folder": str(project / "out"),
        "files": 0,
        "unchanged": 1,
        "left_over": ["docs/1/toy.md"],
    }


async def test_a_file_changed_by_hand_stays_until_overwrite_is_given(connect: Connect, project: Path) -> None:
    async with connect() as client:
        await client.call_tool("design_toy", {"toy": "car", "write_to": "out"})
        file = project / "out/docs/0/toy.md"
        file.write_text("mine")
        refused = await client.call_tool("design_toy", {"toy": "lorry", "write_to": "out"})
        assert refused.is_error
        assert "toy.md" in refused.content[0].text
        assert file.read_text() == "mine"
        done = await client.call_tool("design_toy", {"toy": "lorry", "write_to": "out", "overwrite": True})
    assert done.structured_content["written"] == {"folder": str(project / "out"), "files": 1}
    assert file.read_text() == "lorry: 0 parts in None\n"


def test_roots_that_are_no_local_folders_are_left_out() -> None:
    offered = ["https://example.org/x", "file://elsewhere/share", "file:///tmp/a%20b", "file://localhost/tmp/c"]
    assert Roots.offered(offered).folders == (Path("/tmp/a b"), Path("/tmp/c"))  # noqa: S108 - nothing is written


def test_without_roots_or_environment_the_current_folder_is_the_root(tmp_path: Path) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert Roots.of_project({}).folders == (tmp_path.resolve(),)
    finally:
        os.chdir(before)


@given(st.lists(st.sampled_from(["..", ".", "", "a", "link", "loop", "/", "etc"]), min_size=1, max_size=6))
def test_whatever_is_asked_for_lies_inside_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    base = tmp_path_factory.mktemp("roots")
    folder = base / "project"
    folder.mkdir()
    (folder / "link").symlink_to(base)
    (folder / "loop").symlink_to(folder / "loop")
    try:
        found = Roots((folder.resolve(),)).inside("/".join(parts), "write_to")
    except BadInput:
        return
    assert Path(os.path.realpath(found)).is_relative_to(folder.resolve())

"""Artifacts reach the disk all or none, inside one folder, and never over what was changed by hand."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfopen.vocabulary import Artifact
from halfopen.writing import MANIFEST, WriteRefused, write


def artifacts(**texts: str) -> list[Artifact]:
    return [Artifact(path=path.replace("__", "/"), media_type="text/plain", text=text) for path, text in texts.items()]


def at(path: str, text: str = "x") -> list[Artifact]:
    return [Artifact(path=path, media_type="text/plain", text=text)]


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def content(folder: Path) -> dict[str, str]:
    return {path: text for path, text in tree(folder).items() if path != MANIFEST}


def test_files_land_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    result = write(artifacts(b="line\r\nüñ\n", a__deep__c="c\n"), folder, overwrite=False)
    assert (folder / "b").read_bytes() == "line\r\nüñ\n".encode()
    assert content(folder) == {"b": "line\nüñ\n", "a/deep/c": "c\n"}
    assert (result.written, result.unchanged, result.left_over) == (("a/deep/c", "b"), (), ())
    manifest = json.loads((folder / MANIFEST).read_text())
    assert list(manifest["files"]) == ["a/deep/c", "b"]
    # Nothing that was set aside stays.
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "a", "b"]
    assert (folder / "b").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_our_own_output_is_ours(tmp_path: Path) -> None:
    write(artifacts(a="1", b="1", c="1"), tmp_path, overwrite=False)
    again = write(artifacts(a="1", b="1", c="1"), tmp_path, overwrite=False)
    assert (again.written, again.unchanged) == ((), ("a", "b", "c"))
    changed = write(artifacts(a="2", b="1"), tmp_path, overwrite=False)
    assert (changed.written, changed.unchanged, changed.left_over) == (("a",), ("b",), ("c",))
    # What was left over is still known to be ours.
    assert write(artifacts(c="3"), tmp_path, overwrite=False).written == ("c",)
    (tmp_path / "c").unlink()
    assert write(artifacts(a="2"), tmp_path, overwrite=False).left_over == ("b",)


def test_what_was_changed_by_hand_is_named_and_kept(tmp_path: Path) -> None:
    write(artifacts(a="1", b="1", c="1"), tmp_path, overwrite=False)
    (tmp_path / "a").write_text("mine")
    (tmp_path / "c").write_text("mine too")
    before = tree(tmp_path)
    with pytest.raises(WriteRefused) as caught:
        write(artifacts(a="2", b="2", c="2"), tmp_path, overwrite=False)
    assert [problem.file for problem in caught.value.problems] == [str(tmp_path / "a"), str(tmp_path / "c")]
    assert "changed by hand" in str(caught.value)
    assert tree(tmp_path) == before
    assert write(artifacts(a="2", b="2", c="2"), tmp_path, overwrite=True).written == ("a", "b", "c")
    assert content(tmp_path) == {"a": "2", "b": "2", "c": "2"}


def test_a_change_by_hand_that_gives_the_answer_is_no_conflict(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    assert write(artifacts(a="1"), tmp_path, overwrite=False).unchanged == ("a",)


@pytest.mark.parametrize("kind", ["pipe", "endless", "elsewhere"])
def test_a_manifest_that_is_no_ordinary_file_is_not_read(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "elsewhere").write_text(json.dumps({"files": {"a": hashlib.sha256(b"mine").hexdigest()}}))
    if kind == "pipe":
        os.mkfifo(folder / MANIFEST)
    else:
        (folder / MANIFEST).symlink_to("/dev/zero" if kind == "endless" else tmp_path / "elsewhere")
    (folder / "a").write_text("mine")
    with pytest.raises(WriteRefused, match="changed by hand"):
        write([Artifact(path="a", media_type="text/plain", text="ours")], folder, overwrite=False)
    assert (folder / "a").read_text() == "mine"


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"files": 3}', '{"files": {"a": 1}}', "[" * 5000, "\0"])
def test_without_a_readable_manifest_nothing_counts_as_ours(tmp_path: Path, manifest: str) -> None:
    write(artifacts(a="1"), tmp_path, overwrite=False)
    (tmp_path / MANIFEST).write_text(manifest)
    with pytest.raises(WriteRefused, match="changed by hand"):
        write(artifacts(a="2"), tmp_path, overwrite=False)


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "/etc/x",
        "",
        ".",
        "..",
        "a/",
        "a//b",
        "./a",
        "a\\b",
        "C:/x",
        "a\0b",
        MANIFEST,
        f"{MANIFEST}/x",
    ],
)
def test_no_path_leads_out(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "in"
    with pytest.raises(WriteRefused, match="is no path inside the folder"):
        write([*artifacts(good="1"), *at(path)], folder, overwrite=True)
    assert tree(tmp_path) == {}
    assert not folder.exists()


class TestLinks:
    def test_out_of_the_folder(self, tmp_path: Path) -> None:
        outside, folder = tmp_path / "outside", tmp_path / "in"
        outside.mkdir()
        folder.mkdir()
        (outside / "victim").write_text("precious")
        (folder / "sub").symlink_to(outside)
        (folder / "file").symlink_to(outside / "victim")
        (folder / "dangling").symlink_to(outside / "not-there")
        for path in ("sub/a", "sub/deeper/a", "file", "dangling"):
            with pytest.raises(WriteRefused, match="leads out of the folder"):
                write(at(path), folder, overwrite=True)
        assert tree(outside) == {"victim": "precious"}

    def test_within_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "sub").symlink_to(tmp_path / "real")
        assert write(at("sub/a"), tmp_path, overwrite=False).written == ("sub/a",)
        assert (tmp_path / "real/a").read_text() == "x"
        (tmp_path / "link").symlink_to(tmp_path / "real/a")
        with pytest.raises(WriteRefused, match="changed by hand"):
            write(at("link"), tmp_path, overwrite=False)
        write(at("link", "new"), tmp_path, overwrite=True)
        assert not (tmp_path / "link").is_symlink()
        assert (tmp_path / "real/a").read_text() == "x"

    def test_in_a_circle(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to(tmp_path / "b")
        (tmp_path / "b").symlink_to(tmp_path / "a")
        for path in ("a", "a/x"):
            with pytest.raises(WriteRefused):
                write(at(path), tmp_path, overwrite=False)

    def test_the_folder_itself_may_be_one(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "in").symlink_to(tmp_path / "real")
        write(at("a"), tmp_path / "in", overwrite=False)
        assert content(tmp_path / "real") == {"a": "x"}


class TestInTheWay:
    def test_a_folder_where_a_file_goes(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        with pytest.raises(WriteRefused, match="is a folder where a file has to be written"):
            write(at("a"), tmp_path, overwrite=True)

    def test_a_file_where_a_folder_goes(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mine")
        with pytest.raises(WriteRefused, match="is a file where a folder has to be made"):
            write(at("a/b/c"), tmp_path, overwrite=True)
        assert tree(tmp_path) == {"a": "mine"}

    def test_one_artifact_inside_another(self, tmp_path: Path) -> None:
        with pytest.raises(WriteRefused, match="inside another file of the answer"):
            write([*at("a"), *at("a/b")], tmp_path, overwrite=True)
        assert tree(tmp_path) == {}

    def test_the_folder_is_a_file_or_no_name(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mine")
        for folder in (tmp_path / "a", tmp_path / "a" / "b", tmp_path / ("n" * 300), tmp_path / "x\0y"):
            with pytest.raises(WriteRefused, match="Nothing was"):
                write(at("b"), folder, overwrite=True)
        assert tree(tmp_path) == {"a": "mine"}


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_failure_midway_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    folder = tmp_path / "in"
    write(artifacts(a="1", b="1", c="1"), folder, overwrite=False)
    before = tree(folder)
    calls = 0
    rename = Path.rename

    def breaks(self: Path, target: Any) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", breaks)
    # Each of a, b, c and the manifest is set aside and replaced: eight renames; d is new.
    with pytest.raises(WriteRefused, match="No space left on device"):
        write(artifacts(a="2", b="2", c="2", sub__d="2"), folder, overwrite=False)
    monkeypatch.undo()
    assert tree(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, "a", "b", "c"]


def test_an_interrupt_midway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Path, data: bytes) -> int:  # noqa: ARG001 - as the method it stands for
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", breaks)
    with pytest.raises(KeyboardInterrupt):
        write(at("a/b/c"), tmp_path / "x" / "y", overwrite=False)
    assert list(tmp_path.iterdir()) == []


# A busy machine is no fault of what is tested.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PATHS = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c.txt"]), min_size=1, max_size=4).map("/".join)


@UNTIMED
@given(st.lists(st.tuples(PATHS, st.text(st.characters(codec="utf-8"), max_size=5)), max_size=5))
def test_whatever_the_paths_all_or_none_and_nothing_outside(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str]]
) -> None:
    outer = tmp_path_factory.mktemp("outer")
    given_texts = dict(entries)
    answer = [Artifact(path=path, media_type="text/plain", text=text) for path, text in given_texts.items()]
    try:
        write(answer, outer / "in", overwrite=False)
    except WriteRefused:
        assert list(outer.iterdir()) == []
    else:
        held = {path: (outer / "in" / path).read_bytes().decode() for path in given_texts}
        assert held == given_texts
        assert [path.name for path in outer.iterdir()] in (["in"], [])
        assert all(".." not in PurePosixPath(path).parts for path in given_texts)

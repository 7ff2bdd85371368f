"""Artifacts onto the disk: inside one folder, all or none, and never over a file that was changed by hand.

A manifest beside the files remembers what was written, by SHA-256. A file that still holds what it says
is ours and may be replaced; any other belongs to the user and is replaced only where that is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from halfopen.source import BadInput, Problem

if TYPE_CHECKING:
    from halfopen.vocabulary import Artifact

MANIFEST = ".halfopen.json"


class WriteRefused(BadInput):
    """Nothing was written. Names every file that stands in the way."""


@dataclass(frozen=True)
class WriteResult:
    """What became of the artifacts; paths are relative to `folder`, with forward slashes, in order."""

    folder: Path
    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    # Written by an earlier run, still there, and no part of this answer. They are left alone.
    left_over: tuple[str, ...]


def write(artifacts: Iterable[Artifact], folder: Path, *, overwrite: bool) -> WriteResult:
    """Write the artifacts into that folder, which is made if it isn't there.

    Args:
        artifacts: what to write; paths are relative to the folder.
        folder: where; it may be a link itself, but nothing below it may lead out of it.
        overwrite: replace files that were changed by hand, or that something else wrote.

    Raises:
        WriteRefused: a path leads out of the folder, a file was changed by hand, or the disk says no.
    """
    texts = {artifact.path: artifact.text.encode() for artifact in artifacts}
    try:
        root = _real(folder)
        before = _manifest(root)
        problems = [found for path in sorted(texts) if (found := _in_the_way(root, path, texts))]
        if not overwrite and not problems:
            edited = (path for path in sorted(texts) if _edited(root / path, texts[path], before.get(path)))
            problems = [_changed_by_hand(folder / path) for path in edited]
        if problems:
            raise WriteRefused(problems)
        written = tuple(path for path in sorted(texts) if not _holds(root / path, _digest(texts[path])))
        kept = {path: digest for path, digest in before.items() if path not in texts and (root / path).is_file()}
        digests = {**kept, **{path: _digest(text) for path, text in texts.items()}}
        if digests != before or written:
            _replace(root, {path: texts[path] for path in written}, digests)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the folder's name
        reason = getattr(error, "strerror", None) or str(error)
        place = getattr(error, "filename", None) or folder
        raise WriteRefused([Problem(f"can't be written: {reason}. Nothing was.", file=str(place))]) from None
    return WriteResult(folder, written, tuple(sorted(set(texts) - set(written))), tuple(sorted(kept)))


def _in_the_way(root: Path, path: str, texts: Mapping[str, bytes]) -> Problem | None:
    """Why that path can't be written whoever asks, if it can't."""
    pure = PurePosixPath(path)
    legal = path == str(pure) and not pure.is_absolute() and pure.parts and ".." not in pure.parts
    if not legal or any(character in path for character in "\\:\0") or pure.parts[0] == MANIFEST:
        return Problem("is no path inside the folder, so it can't be written.", file=path)
    if any(str(parent) in texts for parent in pure.parents):
        return Problem("would have to lie inside another file of the answer.", file=path)
    target = root / path
    # Following every link that is there already; what isn't there yet can't be one.
    if not _real(target).is_relative_to(root):
        return Problem("leads out of the folder through a link. Remove the link.", file=str(target))
    if target.is_dir():
        return Problem("is a folder where a file has to be written. Move it away.", file=str(target))
    blocking = next((up for up in target.parents if up != root and up.is_relative_to(root) and up.is_file()), None)
    if blocking:
        return Problem("is a file where a folder has to be made. Move it away.", file=str(blocking))
    return None


def _changed_by_hand(path: Path) -> Problem:
    return Problem("was changed by hand, or isn't ours. Move it away, or ask to overwrite it.", file=str(path))


def _edited(target: Path, text: bytes, ours: str | None) -> bool:
    if not target.exists() and not target.is_symlink():
        return False
    return not _holds(target, _digest(text)) and (ours is None or not _holds(target, ours))


def _holds(target: Path, digest: str) -> bool:
    return target.is_file() and not target.is_symlink() and _digest(target.read_bytes()) == digest


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _real(path: Path) -> Path:
    # Unlike Path.resolve() this doesn't fail on links that lead in a circle.
    return Path(os.path.realpath(path))


def _manifest(root: Path) -> Mapping[str, str]:
    file = root / MANIFEST
    if file.is_symlink() or (file.exists() and not file.is_file()):
        # Not one that we wrote: a link may lead anywhere, and a pipe or a device never ends.
        return {}
    try:
        files = json.loads(file.read_bytes())["files"]
        return {str(path): str(digest) for path, digest in files.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Without a readable manifest nothing counts as ours, which errs on the user's side.
        return {}


def _replace(root: Path, texts: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
    """Put all files in place, or leave everything as it was.

    They are written aside first, so that a full disk is noticed before a file is touched; then each is
    renamed, and what it replaces is kept until the last one stands.
    """
    manifest = json.dumps({"version": 1, "files": dict(sorted(digests.items()))}, indent=2) + "\n"
    new = [*((root / path, text) for path, text in texts.items()), (root / MANIFEST, manifest.encode())]
    made: list[Path] = []
    undo: list[tuple[Path, Path | None]] = []
    aside: Path | None = None
    try:
        _make_folders(root, texts, made)
        aside = Path(tempfile.mkdtemp(prefix=".halfopen-", dir=root))
        for number, (_, text) in enumerate(new):
            (aside / f"{number}.new").write_bytes(text)
        for number, (target, _) in enumerate(new):
            old = aside / f"{number}.old" if target.exists() or target.is_symlink() else None
            undo.append((target, old))
            if old:
                target.rename(old)
            (aside / f"{number}.new").rename(target)
    except BaseException:
        _put_back(undo)
        if aside:
            shutil.rmtree(aside, ignore_errors=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _put_back(undo: list[tuple[Path, Path | None]]) -> None:
    for target, old in reversed(undo):
        if old is None:
            target.unlink(missing_ok=True)
        elif old.exists() or old.is_symlink():
            old.replace(target)


def _make_folders(root: Path, texts: Iterable[str], made: list[Path]) -> None:
    """Make the folders that are missing, outer ones first, and note those that were made."""
    needed = {root, *root.parents}
    for path in texts:
        needed.update(up for up in (root / path).parents if up.is_relative_to(root))
    for folder in sorted(needed, key=lambda path: len(path.parts)):
        if not folder.is_dir():
            folder.mkdir()
            made.append(folder)

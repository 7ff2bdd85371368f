"""What a `.proto` file of somebody's project imports, read with care: from which folders, and as which texts.

The compiler gets copies under the names by which they are imported, so that it opens no file of the project
itself: no pipe that never ends, no link that leads out of the project, no file without end.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from halfopen.checkers.programs import well_known_protos
from halfopen.project_files import walk
from halfopen.source import MAX_BYTES, nearest

# What a file may draw in before it is said to be too much to check in passing.
MAX_FILES = 400
MAX_TEXT = 8 * MAX_BYTES
# How many folders of a project are looked through for an import that isn't where it should be.
MAX_FOLDERS = 4_000
# Comments and strings are read past, so that an import within them is none.
_TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|\bimport\s+(?:(?:public|weak|option)\s+)?(?:\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)')\s*;"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)


class TooMuch(Exception):  # noqa: N818 - it says what there is
    """The file draws in more than is checked in passing."""


@dataclass(frozen=True)
class Import:
    """An import of a file, by the name that stands there. The line is counted from 1."""

    name: str
    line: int


@dataclass
class Closure:
    """A file with all that it draws in: texts by the names under which they are imported."""

    file: str  # the file's own name among the texts
    texts: dict[str, str] = field(default_factory=dict)
    # Where each text lies in the project, and which imports of which text were found nowhere.
    places: dict[str, Path] = field(default_factory=dict)
    missing: list[tuple[str, Import]] = field(default_factory=list)


def imports(text: str) -> Iterator[Import]:
    """The imports of a `.proto` text, in order."""
    for match in _TOKEN.finditer(text):
        name = match["double"] if match["double"] is not None else match["single"]
        if name is not None:
            yield Import(name, text.count("\n", 0, match.start()) + 1)


def read(path: Path, inside: Path) -> str | None:
    """The text of a file, if it is a plain one within that folder, links followed, and of a size to check."""
    try:
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(inside) or not stat.S_ISREG(real.stat().st_mode):
            return None
        with real.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    return raw.decode("utf-8", "replace") if len(raw) <= MAX_BYTES else None


@dataclass
class Project:
    """A project's folder, and the folders in it that a file's imports are relative to.

    `declared` are those that the project's own configuration names, that of the file first; where there are none,
    the nearest folder around the file from which the most of its imports are found.
    """

    root: Path
    declared: Sequence[Path] = ()
    # Whether the configuration names modules of a registry.
    has_dependencies: bool = False

    def closure(self, file: Path, text: str) -> Closure:
        """The file and all that it draws in.

        Raises:
            TooMuch: there is more of it than is checked in passing.
        """
        folders = [folder for folder in self.declared if file.is_relative_to(folder)] or [self._nearest(file, text)]
        folders += [folder for folder in self.declared if folder not in folders]
        own = file.relative_to(folders[0]).as_posix()
        found = Closure(own, {own: text}, {own: file})
        waiting, size = [own], len(text)
        while waiting:
            name = waiting.pop()
            for each in imports(found.texts[name]):
                if each.name in found.texts:
                    continue
                known = self._find(each.name, folders, found.places[name])
                if known is not None:
                    found.places[each.name], found.texts[each.name] = known
                    size += len(known[1])
                    waiting.append(each.name)
                elif not _is_well_known(each.name):
                    found.missing.append((name, each))
            if len(found.texts) > MAX_FILES or size > MAX_TEXT:
                raise TooMuch(f"more than {MAX_FILES} files or {MAX_TEXT:,} bytes")
        return found

    def meant(self, missing: Import, closure: Closure) -> tuple[bool, str | None]:
        """Whether an import that was found nowhere is of this project, and which file of it is the likely one.

        What the project holds no file and no folder for comes from elsewhere: a registry, a jar.
        """
        wanted = PurePosixPath(missing.name)
        base = PurePosixPath(closure.places[closure.file].relative_to(self.root).as_posix())
        folder = base.parents[len(PurePosixPath(closure.file).parts) - 1]
        names = [_relative(path, folder) for path in self._every_file]
        alike = [name for name in names if PurePosixPath(name).name == wanted.name]
        beside = [name for name in names if PurePosixPath(name).parent == wanted.parent]
        ours = bool(beside or (alike and not self.has_dependencies))
        return ours, nearest(missing.name, alike) or nearest(missing.name, beside)

    def _nearest(self, file: Path, text: str) -> Path:
        wanted = [each.name for each in imports(text)]
        around = [folder for folder in file.parents if folder.is_relative_to(self.root)]
        return max(around, key=lambda folder: sum((folder / name).is_file() for name in wanted))

    def _find(self, name: str, folders: Sequence[Path], importer: Path) -> tuple[Path, str] | None:
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            return None
        for folder in folders:
            if (text := read(folder / name, self.root)) is not None:
                return folder / name, text
        for top in _shipped():
            if (text := read(top / name, top)) is not None:
                return top / name, text
        if _is_well_known(name):
            return None
        # Somewhere else in the project, such as among other people's files; the nearest to whom it serves.
        there = [path for path in self._every_file if path.endswith(f"/{name}")]
        for path in sorted(there, key=lambda path: -len(os.path.commonpath([self.root / path, importer]))):
            if (text := read(self.root / path, self.root)) is not None:
                return self.root / path, text
        return None

    @cached_property
    def _every_file(self) -> list[str]:
        """The `.proto` files of the project, relative to it, in order; of a large project not all."""
        files = walk(self.root, MAX_FOLDERS)
        return [path.relative_to(self.root).as_posix() for path in files if path.suffix == ".proto"]


def _relative(path: str, folder: PurePosixPath) -> str:
    return str(PurePosixPath(path).relative_to(folder)) if PurePosixPath(path).is_relative_to(folder) else path


def _is_well_known(name: str) -> bool:
    return name.startswith("google/protobuf/") and (well_known_protos() / name).is_file()


@cache
def _shipped() -> tuple[Path, ...]:
    """Where the files lie that most APIs import from Google (google/api, google/rpc), as this installation has them."""
    try:
        found = find_spec("google.api")
    except ModuleNotFoundError:
        return ()
    places = found.submodule_search_locations if found else None
    return tuple(Path(os.path.realpath(place)).parents[1] for place in places or ())

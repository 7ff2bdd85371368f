"""Where a package lies: a folder of .proto files, a descriptor set, or a commit; read with care and compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NoReturn

from halfopen.checkers import programs
from halfopen.git import NoRepository, NotFound, files_at
from halfopen.source import BadInput, Location, Source, open_regular
from halfopen_generators.grpc.released import Previous, released

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

MAX_FILES = 2_000
MAX_BYTES = 16 * 1_048_576
_SUFFIX = ".proto"
# Where our own answers have their packages, beside this file.
_OWN_ROOT, _OWN_CONFIG = "proto", "buf.yaml"


@dataclass(frozen=True)
class Protos:
    """Files that compile: as the FileDescriptorSet `image`, as descriptors, and as the texts that they were read from.

    The texts are known by the names that imports use; of a descriptor set there are none. Before such a name, `start`
    makes it the path of the file, as the user would write it.
    """

    given: str
    image: bytes
    files: tuple[FileDescriptorProto, ...]
    texts: Mapping[str, str]
    start: str = ""

    @property
    def own(self) -> tuple[str, ...]:
        """The files that lie there themselves, and aren't only imported."""
        return tuple(file.name for file in self.files if not self.texts or file.name in self.texts)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages, without those that are only imported from Google, in order."""
        own = set(self.own)
        names = dict.fromkeys(file.package for file in self.files if file.name in own)
        return tuple(sorted(name for name in names if self.texts or not name.startswith("google.protobuf")))

    def package(self, name: str) -> Previous:
        """One of the packages, as it is released."""
        return released(self, name)


def read_previous(place: Location, given: str, package: str, source: Source) -> Previous:
    """The package as it stands there; see `read_protos`.

    Raises:
        BadInput: as there, or it doesn't hold the package.
    """
    found = read_protos(place, given, source)
    if package not in found.packages:
        message = f"the package {package} is not in {given!r}."
        raise BadInput([source.problem(place, message, package, found.packages)])
    return found.package(package)


def read_protos(place: Location, given: str, source: Source, *, within: str = "") -> Protos:
    """The files of a folder, a descriptor set or a commit.

    Args:
        place: The key of the spec that names it.
        given: A folder, a descriptor set, or a commit with the folder in it, such as main:proto.
        source: The spec, which knows the caller's folders.
        within: The folder in a commit that is meant where the commit alone is given.

    Raises:
        BadInput: they can't be read or compiled, or lie outside the caller's folders.
    """
    return _Reader(place, given, source).read(within)


@dataclass(frozen=True)
class _Reader:
    place: Location
    given: str
    source: Source

    def read(self, within: str) -> Protos:
        from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - 20 ms that only this needs
        from google.protobuf.message import DecodeError  # noqa: PLC0415 - the same

        texts: Mapping[str, str] = {}
        start = ""
        ref, colon, folder = self.given.partition(":")
        path = None if colon else self.source.inside(self.place, self.given)
        if path is not None and path.is_file():
            image = self._bytes(path, self.given)
        else:
            if path is not None and path.is_dir():
                root = _root(path)
                start = f"{PurePath(self.given, root.relative_to(path)).as_posix()}/"
                named = self._folder(root)
            else:
                named = self._commit(ref, folder or within)
            texts = self._texts(named)
            image = self._compiled(texts)
        try:
            files = FileDescriptorSet.FromString(image).file
        except DecodeError:
            self._no(
                f"{self.given!r} is no descriptor set: make one with `buf build -o released.binpb`, or name a folder."
            )
        return Protos(self.given, image, tuple(files), texts, start)

    def _no(self, message: str) -> NoReturn:
        raise BadInput([self.source.problem(self.place, message)]) from None

    def _bytes(self, path: Path, name: str) -> bytes:
        try:
            with open(path, "rb", opener=open_regular) as stream:
                raw = stream.read(MAX_BYTES + 1)
        except OSError as error:
            self._no(f"{name!r} can't be read: {error.strerror}.")
        if len(raw) > MAX_BYTES:
            self._no(f"{name!r} holds more than {MAX_BYTES:,} bytes.")
        return raw

    def _folder(self, root: Path) -> Iterator[tuple[str, bytes]]:
        for path in _protos(root):
            name = path.relative_to(root).as_posix()
            # A link that leads out of the caller's folders is refused as the folder itself would be.
            yield name, self._bytes(self.source.inside(self.place, str(path)), name)

    def _commit(self, ref: str, folder: str) -> Iterator[tuple[str, bytes]]:
        if not self.source.folders:
            self._no(f"{self.given!r} can't be used: the caller offers no folder.")
        try:
            found = dict(_of_interest(files_at(self.source.inside(self.place, folder or "."), ref)))
        except NoRepository:
            self._no(f"there is no folder and no file {self.given!r}, and no git repository around.")
        except NotFound as missing:
            if ":" not in self.given:
                self._no(f"there is no folder and no file {self.given!r}, and {missing}")
            self._no(f"{self.given!r} can't be read: {missing}")
        start_of_own = f"{_OWN_ROOT}/"
        own = _OWN_CONFIG in found and any(name.startswith(start_of_own) for name in found)
        for name, raw in sorted(found.items()):
            if name.endswith(_SUFFIX) and (not own or name.startswith(start_of_own)):
                yield (name.removeprefix(start_of_own) if own else name), raw

    def _texts(self, named: Iterable[tuple[str, bytes]]) -> dict[str, str]:
        texts: dict[str, str] = {}
        size = 0
        for name, raw in named:
            size += len(raw)
            if len(texts) == MAX_FILES or size > MAX_BYTES:
                self._no(f"{self.given!r} holds more than {MAX_FILES:,} .proto files or {MAX_BYTES:,} bytes of them.")
            try:
                texts[name] = raw.decode("utf-8")
            except UnicodeDecodeError:
                self._no(f"{name} in {self.given!r} is not UTF-8 text.")
        if not texts:
            self._no(f"{self.given!r} holds no .proto file.")
        return texts

    def _compiled(self, texts: Mapping[str, str]) -> bytes:
        if image := programs.compiled_apart(".", texts):
            return image
        first = next(programs.objections(".", texts), "the compiler doesn't say why")
        return self._no(f"{self.given!r} doesn't compile: {str(first).rstrip('.')}.")


def _of_interest(files: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[tuple[str, bytes]]:
    return ((name, read()) for name, read in files if name.endswith(_SUFFIX) or name == _OWN_CONFIG)


def _root(folder: Path) -> Path:
    """Where the names of the files start: there, or in its `proto` where it has one as our answers do."""
    own = (folder / _OWN_CONFIG).is_file() and (folder / _OWN_ROOT).is_dir()
    return folder / _OWN_ROOT if own else folder


def _protos(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if name.endswith(_SUFFIX))

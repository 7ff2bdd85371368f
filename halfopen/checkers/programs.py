"""Outside programs that are able to say no: found, run without a shell, and their answer told as a `Check`.

No text of the user's ever stands on a command line: it goes through files in a folder of its own, or through
standard input. A program that is missing gives a skipped check that says how to get it; one that
hangs is ended and gives a failed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from halfopen.checkers.processes import Ran, environment
from halfopen.vocabulary import Check, Status

MAX_DETAIL = 4_000
# Characters of .proto text from which on another process is worth its start.
_LARGE = 60_000
_IMAGE = ".image.binpb"
VERSION_TIMEOUT = 10.0
# The compiler and nothing else: neither what `site` looks for nor the wrapper's libraries, four times the start.
_COMPILER = """
import sys
sys.path.append(sys.argv[1])
from grpc_tools import _protoc_compiler
coding = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
sys.exit(_protoc_compiler.run_main([argument.encode(*coding) for argument in ("protoc", *sys.argv[2:])]))
"""


@dataclass(frozen=True)
class Program:
    """A program by the name of its executable, how it tells its version, and how to get it."""

    name: str
    how_to_get: str
    version_arguments: tuple[str, ...] = ("--version",)
    package: str | None = None  # on PyPI, which bears the program's version


# Looks at a run that ended in time: None if the program was content, else what it objects to.
Judge = Callable[[Ran], str | None]

BUF = Program("buf", "install buf-bin from PyPI, or buf from https://buf.build", package="buf-bin")
PROTOC = "protoc (grpcio-tools)"
# googleapis-common-protos has a generated module of its own by the name of the first.
SHIPPED_AS: Mapping[str, str] = {"google/longrunning/operations.proto": "google/longrunning/operations_proto.proto"}
NO_PROTOC = "grpcio-tools is not installed: install it from PyPI."


def find(program: Program) -> Path | None:
    """The executable: the one installed beside this Python before one on PATH; None if there is neither."""
    beside = shutil.which(program.name, path=sysconfig.get_path("scripts"))
    found = beside or shutil.which(program.name)
    return Path(found) if found else None


def run(executable: Path, arguments: Sequence[str], *, folder: Path, stdin: str = "", timeout: float = 60.0) -> Ran:
    """Run it in that folder, for at most `timeout` seconds, with a home of its own and no shell."""
    with tempfile.TemporaryDirectory(prefix="halfopen-home-") as home:
        try:
            done = subprocess.run(  # noqa: S603 - fixed programs; the user's text is in files or stdin
                [str(executable), *arguments],
                cwd=folder,
                env=environment(home),
                input=stdin,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ran(None, "", f"no answer within {timeout:g} s")
        except OSError as error:
            return Ran(None, "", f"could not be started: {error.strerror or error}")
    return Ran(done.returncode, done.stdout, done.stderr)


@cache
def version_of(program: Program) -> str:
    """Its version, as its package says or it prints in its first line; "unknown" if it prints none."""
    executable = find(program)
    if executable is None:
        return "unknown"
    if program.package is not None and str(executable.parent) == sysconfig.get_path("scripts"):
        with suppress(PackageNotFoundError):
            return version(program.package)
    ran = run(executable, program.version_arguments, folder=Path(tempfile.gettempdir()), timeout=VERSION_TIMEOUT)
    lines = (ran.stdout.strip() or ran.stderr.strip()).splitlines()
    if ran.status is None or not lines:
        return "unknown"
    # Some add where they were built and from what: `promtool, version 2.42.0 (branch: ...)`.
    return lines[0].partition(" (")[0].removeprefix(f"{program.name}, version ").strip()


@contextmanager
def written(texts: Mapping[str, str | bytes]) -> Iterator[Path]:
    """Those texts, and images of them, as files of a new folder, which is gone afterwards.

    Raises:
        ValueError: a path is absolute or leads out of the folder.
    """
    with tempfile.TemporaryDirectory(prefix="halfopen-check-") as name:
        folder = Path(name)
        for path, text in texts.items():
            relative = PurePosixPath(path)
            if relative.is_absolute() or ".." in relative.parts:
                raise ValueError(f"{path!r} leads out of the folder")
            target = folder.joinpath(*relative.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text if isinstance(text, bytes) else text.encode())
        yield folder


def nonzero_is_no(ran: Ran) -> str | None:
    """The usual way of programs: content at exit status 0, else what they printed."""
    if ran.status == 0:
        return None
    return (ran.stdout.strip() or ran.stderr.strip()) or f"exit status {ran.status}"


def check(  # noqa: PLR0913 - a run is these parts, each named at the call
    name: str,
    program: Program,
    arguments: Sequence[str],
    *,
    texts: Mapping[str, str | bytes],
    looked_at: str,
    stdin: str = "",
    timeout: float = 60.0,
    judge: Judge = nonzero_is_no,
) -> Check:
    """What the program says of those texts. `looked_at` tells a reader what a passed check stands for."""
    executable = find(program)
    if executable is None:
        why = f"{program.name} is not installed: {program.how_to_get}."
        return Check(name=name, tool=program.name, version="none", status=Status.SKIPPED, detail=why)
    with written(texts) as folder:
        ran = run(executable, arguments, folder=folder, stdin=stdin, timeout=timeout)
        objection = ran.stderr if ran.status is None else judge(ran)
        # A temporary path would differ from run to run.
        objection = objection and objection.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    return answer(name, program.name, version_of(program), objection, looked_at)


@dataclass(frozen=True)
class Objection:
    """One thing that the Protobuf compiler objects to. Line and column are counted from 1; 0 for a whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" if self.line else f"{self.file}: {self.message}"


def compile_protos(
    name: str, root: str, texts: Mapping[str, str], *, looked_at: str, only: Collection[str] | None = None
) -> Check:
    """What the Protobuf compiler says of the `.proto` texts, imported relative to the folder `root`.

    It runs in this process (about 15 ms a file) and knows Google's well-known types. Where `only` is given, these are
    compiled, and the others because they are imported.
    """
    return compiled(name, root, texts, looked_at=looked_at, only=only)[0]


def compiled(
    name: str, root: str, texts: Mapping[str, str], *, looked_at: str, only: Collection[str] | None = None
) -> tuple[Check, bytes]:
    """The same, and the descriptor set that the texts compile to; empty if they don't. See `descriptor_set`."""
    known = protoc_version()
    if known is None:
        return Check(name=name, tool=PROTOC, version="none", status=Status.SKIPPED, detail=NO_PROTOC), b""
    large = only is None and sum(map(len, texts.values())) > _LARGE
    if large and (image := compiled_apart(root, texts)):
        return answer(name, PROTOC, known, None, looked_at), image
    found = dict.fromkeys(map(str, objections(root, texts, only)))
    image = b"" if found or only is not None else descriptor_set(root, texts)
    return answer(name, PROTOC, known, "\n".join(found) or None, looked_at), image


def compiled_apart(root: str, texts: Mapping[str, str]) -> bytes:
    """The descriptor set, made in a process of its own; empty if the compiler objects to anything.

    In this process the compiler tells its objections apart, and pays for that by generating code each time; and what
    it warns of, such as an import that isn't used, would be printed.
    """
    with written({**_renamed(root), **texts}) as folder:
        arguments = _protoc_arguments(folder / root, folder / _IMAGE, root, texts)
        installed = str(Path(str(files("grpc_tools"))).parent)
        ran = run(Path(sys.executable), ("-I", "-S", "-c", _COMPILER, installed, *arguments), folder=folder)
        return (folder / _IMAGE).read_bytes() if ran.status == 0 else b""


def _protoc_arguments(root: Path, image: Path, start: str, texts: Iterable[str]) -> list[str]:
    names = [str(PurePosixPath(path).relative_to(start)) for path in texts if path.endswith(".proto")]
    places = (root, *known_protos())
    out = (f"--descriptor_set_out={image}", "--include_imports", "--include_source_info")
    return [*(f"-I{place}" for place in places), *out, *names]


def protoc_version() -> str | None:
    """The version of the Protobuf compiler; None if it isn't installed."""
    try:
        return version("grpcio-tools")
    except PackageNotFoundError:
        return None


def objections(root: str, texts: Mapping[str, str], only: Collection[str] | None = None) -> Iterator[Objection]:
    """What the Protobuf compiler objects to in these texts, each objection at the file that it is about.

    Google's well-known types are known, and those of googleapis-common-protos (google.type, google.rpc).
    """
    from grpc_tools import _protoc_compiler  # noqa: PLC0415 - 45 ms that only contracts need

    with written({**_renamed(root), **texts}) as folder:
        include = [os.fsencode(place) for place in (folder / root, *known_protos())]
        for path in texts:
            if path.endswith(".proto") and (only is None or path in only):
                relative = PurePosixPath(path).relative_to(root)
                try:
                    # The public entry point prints what is wrong; this one raises it.
                    _protoc_compiler.get_protos(os.fsencode(str(relative)), include)
                except Exception as error:  # noqa: BLE001 - the compiler raises classes of its own, some bare
                    yield from _objections(root, path, error)


def descriptor_set(root: str, texts: Mapping[str, str]) -> bytes:
    """Texts that the compiler has no objection to as a serialized FileDescriptorSet, with imports and comments."""
    from grpc_tools import _protoc_compiler  # noqa: PLC0415 - as above

    relative = [str(PurePosixPath(path).relative_to(root)) for path in texts if path.endswith(".proto")]
    with (
        written({**_renamed(root), **texts}) as folder,
        tempfile.TemporaryDirectory(prefix="halfopen-image-") as beside,
    ):
        image = Path(beside, "image.binpb")
        places = (folder / root, *known_protos())
        arguments = ["protoc", *(f"-I{place}" for place in places), f"--descriptor_set_out={image}"]
        arguments += ["--include_imports", "--include_source_info", *relative]
        if _protoc_compiler.run_main([os.fsencode(argument) for argument in arguments]) != 0:
            raise RuntimeError("the compiler makes no descriptor set of what it had no objection to")
        return image.read_bytes()


def known_protos() -> list[Path]:
    """The folders of what needs no copy to be imported: Google's well-known and common types, and protovalidate."""
    found = find_spec("google.type")
    return [
        well_known_protos(),
        *(Path(place).parents[1] for place in (found.submodule_search_locations or () if found else ())),
        Path(str(files("halfopen.checkers") / "protovalidate")),
    ]


def is_known_proto(name: str) -> bool:
    """Whether a file of that name needs no copy to be imported."""
    return name in SHIPPED_AS or any((folder / name).is_file() for folder in known_protos())


def known_proto(name: str) -> str:
    """The text of a file that needs no copy to be imported.

    Raises:
        KeyError: there is none of that name.
    """
    for folder in known_protos():
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise KeyError(name)


def _renamed(root: str) -> dict[str, str]:
    """What is shipped under another name than it is imported by, by the path that makes it found."""
    return {str(PurePosixPath(root, name)): text for name, text in _shipped_texts().items()}


@cache
def _shipped_texts() -> dict[str, str]:
    """The same by the name that imports use, read once."""
    return {
        name: (folder / shipped).read_text(encoding="utf-8")
        for name, shipped in SHIPPED_AS.items()
        for folder in known_protos()
        if (folder / shipped).is_file()
    }


def well_known_protos() -> Path:
    """The folder that `google/protobuf/*.proto` are imported from."""
    return Path(str(files("grpc_tools") / "_proto"))


def _objections(root: str, path: str, error: Exception) -> Iterator[Objection]:
    found: list[Any] = error.args[0] if error.args and isinstance(error.args[0], list) else [error]
    for part in found:
        if hasattr(part, "line"):
            # Lines and columns are counted from 0 there, and a whole file is at -1.
            column = part.column + 1 if part.line >= 0 else 0
            yield Objection(str(PurePosixPath(root, _text(part.filename))), part.line + 1, column, _text(part.message))
        else:
            yield Objection(path, 0, 0, str(part))


def _text(message: object) -> str:
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)


def answer(name: str, tool: str, known: str, objection: str | None, looked_at: str) -> Check:
    """That tool's answer: passed if it objects to nothing."""
    if objection is None:
        return Check(name=name, tool=tool, version=known, status=Status.PASSED, detail=looked_at)
    detail = objection if len(objection) <= MAX_DETAIL else f"{objection[:MAX_DETAIL]} ..."
    return Check(name=name, tool=tool, version=known, status=Status.FAILED, detail=detail)

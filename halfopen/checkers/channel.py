"""A real gRPC channel, asked whether it takes a service config."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from halfopen.checkers import programs
from halfopen.vocabulary import Check, Status

NAME = "the service config is taken by a channel"
TOOL = "grpcio"
# A process of its own: what the library logs stays out of ours, and so do a user's proxies. There is no server at
# that socket, so a config that was taken ends in UNAVAILABLE; one that wasn't, in what is wrong with it.
_PROGRAM = """
import sys, grpc
channel = grpc.insecure_channel("unix:nobody.sock", options=[("grpc.service_config", sys.stdin.read())])
try:
    channel.unary_unary("/halfopen.Check/Check")(b"", timeout=20)
except grpc.RpcError as error:
    print(error.code().name)
    print(error.details())
"""


def accepted(config: str, *, looked_at: str) -> Check:
    """What a real gRPC channel says of the config. It ignores keys that it doesn't know."""
    try:
        known = version("grpcio")
    except PackageNotFoundError:
        why = "grpcio is not installed: install it from PyPI."
        return Check(name=NAME, tool=TOOL, version="none", status=Status.SKIPPED, detail=why)
    with programs.written({}) as folder:
        ran = programs.run(Path(sys.executable), ("-I", "-c", _PROGRAM), folder=folder, stdin=config)
    code, _, details = ran.stdout.strip().partition("\n")
    if ran.status == 0 and code == "UNAVAILABLE":
        return Check(name=NAME, tool=TOOL, version=known, status=Status.PASSED, detail=looked_at)
    said = details.partition("errors validating service config: ")[2] or details or ran.stderr.strip()[-1_000:]
    return Check(name=NAME, tool=TOOL, version=known, status=Status.FAILED, detail=f"{code} {said}".strip())

"""A real gRPC channel, asked whether it takes a service config."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from halfopen.checkers import channel_process
from halfopen.vocabulary import Check, Status

NAME = "the service config is taken by a channel"
TOOL = "grpcio"


def accepted(config: str, *, looked_at: str) -> Check:
    """What a real gRPC channel says of the config. It ignores keys that it doesn't know."""
    try:
        known = version("grpcio")
    except PackageNotFoundError:
        why = "grpcio is not installed: install it from PyPI."
        return Check(name=NAME, tool=TOOL, version="none", status=Status.SKIPPED, detail=why)
    ran = channel_process.asked(config)
    code, _, details = ran.stdout.strip().partition("\n")
    if ran.status == 0 and code == "UNAVAILABLE":
        return Check(name=NAME, tool=TOOL, version=known, status=Status.PASSED, detail=looked_at)
    said = details.partition("errors validating service config: ")[2] or details or ran.stderr.strip()[-1_000:]
    return Check(name=NAME, tool=TOOL, version=known, status=Status.FAILED, detail=f"{code} {said}".strip())

"""The process in which a real gRPC channel is asked whether it takes a service config.

What the library logs stays out of ours, and so do a user's proxies. The process takes most of its time to import the
library, before it has to know the config: a face that answers once has it do so while it reads and decides.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory

from halfopen.checkers.processes import Ran, environment

_SECONDS = 60.0
# There is no server at that socket, so a config that was taken ends in UNAVAILABLE; one that wasn't, in what is wrong
# with it. Without a config nobody asks any more.
_PROGRAM = """
import sys, grpc
if config := sys.stdin.read():
    channel = grpc.insecure_channel("unix:nobody.sock", options=[("grpc.service_config", config)])
    try:
        channel.unary_unary("/halfopen.Check/Check")(b"", timeout=20)
    except grpc.RpcError as error:
        print(error.code().name)
        print(error.details())
"""


class Channel:
    """A process that waits for a config. It ends by itself once nobody can ask it any more."""

    def __init__(self) -> None:
        # Empty, and nobody else's: no socket lies here.
        self._folder = TemporaryDirectory(prefix="halfopen-channel-")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed program; the config comes through its input
                [sys.executable, "-I", "-c", _PROGRAM],
                cwd=self._folder.name,
                env=environment(self._folder.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError:
            self._folder.cleanup()
            raise

    def ask(self, config: str) -> Ran:
        """What it printed of that config: the name of the code that a call ended with, and then its details."""
        try:
            out, err = self._process.communicate(config, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return Ran(None, "", f"no answer within {_SECONDS:g} s")
        finally:
            self.end()
        return Ran(self._process.returncode, out, err)

    def end(self) -> None:
        """End the process, if it hasn't ended, and take its folder away."""
        with self._process as process, suppress(OSError):
            process.kill()
        self._folder.cleanup()


_waiting: list[Channel] = []


def start_early() -> None:
    """Start the process that the next `asked` asks."""
    channel = Channel()
    _waiting.append(channel)
    atexit.register(_end_unasked)


def _end_unasked() -> None:
    while _waiting:
        _waiting.pop().end()


def asked(config: str) -> Ran:
    """What a channel says of that config, as `Channel.ask` tells it."""
    try:
        channel = _waiting.pop()
    except IndexError:
        try:
            channel = Channel()
        except OSError as error:
            return Ran(None, "", f"could not be started: {error.strerror or error}")
    return channel.ask(config)

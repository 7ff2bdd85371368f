"""The CLI as somebody sits before it: in a terminal, by keys. Some things it only does for what was typed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.claude_code.conftest import Claude

KEY = "no-key-no-key-no-key-no-key"
# Colours, moves of the cursor and titles.
_CONTROL = re.compile(r"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]")


class Terminal:
    """What was shown so far, and the keyboard."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._shown = bytearray()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                got = os.read(self._end, 65536)
            except OSError:  # the CLI has ended
                return
            self._shown += got

    def shown(self) -> str:
        """Everything that was shown, in the order in which it was drawn, without blanks."""
        return "".join(_CONTROL.sub("", self._shown.decode("utf-8", "replace")).split())

    def enter(self, text: str) -> None:
        """Type it, and press return once it stands there: both at once would be taken for a paste."""
        before = len(self.shown())
        os.write(self._end, text.encode())
        self.until(lambda: "".join(text.split()) in self.shown()[before:], "what was typed")
        os.write(self._end, b"\r")

    def until(self, seen: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait for it; how long it takes is no part of a test, that it comes is."""
        deadline = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < deadline, f"{what} did not come; shown: {self.shown()[-2000:]}"
            time.sleep(0.05)


def _past_the_first_questions(claude: Claude) -> None:
    """What a user has answered once: the theme, the key, and that the project is trusted."""
    path = claude.home / ".claude.json"
    settings = json.loads(path.read_text())
    settings |= {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(claude.project.resolve()): {"hasTrustDialogAccepted": True}},
    }
    path.write_text(json.dumps(settings))


@contextmanager
def opened(claude: Claude, url: str) -> Iterator[Terminal]:
    """The CLI in a terminal of its own, until the block ends."""
    _past_the_first_questions(claude)
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    process = subprocess.Popen(
        [str(claude.program)],
        cwd=claude.project,
        env={
            **claude.environment(),
            "TERM": "xterm-256color",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": KEY,
        },
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        yield Terminal(ours)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(ours)

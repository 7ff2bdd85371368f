"""The terminal: what may be shown on it, how far a run is, and the Ctrl-C that ends it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

# Seconds between two redraws of the progress line, and before the first: a short run shows none.
_INTERVAL = 0.2
_CLEAR = "\r\x1b[K"
# Control characters, invisible format characters (which can reverse the text), halves of characters.
_HIDDEN = frozenset({"Cc", "Cf", "Cs"})


def visible(text: str) -> str:
    """The text with everything escaped that could command a terminal instead of being read on it."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 0x7F else repr(character)[1:-1]  # noqa: PLR2004 - the last ASCII character


def paints(stream: IO[Any]) -> bool:
    """Whether colours belong there: a terminal whose user didn't say NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


class Watch:
    """The `Progress` of a command: one line on a terminal's stderr, and an ear for Ctrl-C."""

    def __init__(self, *, quiet: bool) -> None:
        self._shows = not quiet and sys.stderr.isatty()
        self._next = time.monotonic() + _INTERVAL
        self._dirty = False
        self._cancelled = False

    def report(self, done: int, what: str) -> None:
        """Redraw the line, if it is time to."""
        if self._shows and time.monotonic() >= self._next:
            sys.stderr.write(f"{_CLEAR}{done:,} {visible(what)}")
            sys.stderr.flush()
            self._dirty = True
            self._next = time.monotonic() + _INTERVAL

    def cancelled(self) -> bool:
        """True once Ctrl-C was pressed."""
        return self._cancelled

    def clear(self) -> None:
        """Take the line away, so that what follows starts on a clean one."""
        if self._dirty:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._dirty = False

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """The first Ctrl-C ends the run with what is known; the second ends it at once."""
        if self._cancelled:
            signal.default_int_handler(number, frame)
        self._cancelled = True
        self.report(0, "stopping; Ctrl-C again to quit at once")


@contextmanager
def watched(*, quiet: bool) -> Iterator[Watch]:
    """A `Watch` that hears Ctrl-C as long as the block runs."""
    watch = Watch(quiet=quiet)
    listens = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, watch.interrupt) if listens else None
    try:
        yield watch
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
        watch.clear()

"""How a long run says how far it is, and hears that it should stop."""

from __future__ import annotations

import time
from typing import Protocol


class Progress(Protocol):
    """What a face hands to a long run. Both methods are called often, so they must be quick."""

    def report(self, done: int, what: str) -> None:
        """Tell how much is done, such as (20_000, "states explored")."""

    def cancelled(self) -> bool:
        """True once the caller wants the run to end with what is known so far."""


class Silent:
    """Tells nobody, and is never cancelled."""

    def report(self, done: int, what: str) -> None:
        """Nobody listens."""

    def cancelled(self) -> bool:
        """Never."""
        return False


class Deadline:
    """Tells another what it hears, and is cancelled as that is, or once the time is up."""

    def __init__(self, inner: Progress, seconds: float) -> None:
        self.inner = inner
        self.until = time.monotonic() + seconds

    def report(self, done: int, what: str) -> None:
        """Pass it on."""
        self.inner.report(done, what)

    def cancelled(self) -> bool:
        """True once the other is cancelled or the time is up."""
        return self.inner.cancelled() or time.monotonic() > self.until

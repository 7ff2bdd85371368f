"""How a long run says how far it is, and hears that it should stop."""

from __future__ import annotations

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

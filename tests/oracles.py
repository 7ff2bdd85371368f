"""One way to say that a test needs an outside tool: skipped with the reason, or an error where all must run."""

from __future__ import annotations

import os

import pytest


def require(tool: str, *, available: bool, how_to_get: str) -> None:
    """Go on if the tool is there; else skip, or fail under REQUIRE_ORACLES=1 (as CI sets it)."""
    if available:
        return
    reason = f"{tool} is not here; {how_to_get}"
    if os.environ.get("REQUIRE_ORACLES") == "1":
        pytest.fail(f"REQUIRE_ORACLES=1, but {reason}", pytrace=False)
    pytest.skip(reason)

"""What takes long to start and is asked late: a face that answers once starts it before it imports the capability."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

# By capability, the module whose `start_early` starts what its check will ask.
STARTS: Mapping[str, str] = {"grpc": "halfopen.checkers.channel_process"}


def start_early(capability: str) -> None:
    """Start what the check of that capability will ask, if there is anything.

    Where that fails, nothing is said: the check starts it again, and tells what is wrong.
    """
    if capability in STARTS:
        try:
            importlib.import_module(STARTS[capability]).start_early()
        except OSError:
            return

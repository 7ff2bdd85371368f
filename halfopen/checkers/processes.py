"""What an outside program is started with, and how a run of it ended. Imports little, for who starts one early."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What a program may need to start; a user's tokens and proxies stay out of it.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
# Programs written in Go, such as buf, spend up to a third of a short run on collecting garbage that ends with them.
# Who needs more memory than this collects it as ever.
_SHORT_LIVED = {"GOGC": "off", "GOMEMLIMIT": "512MiB"}


@dataclass(frozen=True)
class Ran:
    """How a run ended. `status` is None if the time was up or it could not be started; `stderr` then says so."""

    status: int | None
    stdout: str
    stderr: str


def environment(home: str | Path) -> Mapping[str, str]:
    """The environment of a program whose home is that folder."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, **_SHORT_LIVED, "HOME": str(home), "XDG_CACHE_HOME": str(home)}

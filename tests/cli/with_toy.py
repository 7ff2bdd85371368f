"""The console script with the toy among the capabilities, for tests that need a process of its own."""

from __future__ import annotations

from typing import cast

from halfopen.registry import MODULES
from halfopen_server.cli import main

if __name__ == "__main__":
    cast("dict[str, str]", MODULES)["toy"] = "tests.cli.toy"
    main()

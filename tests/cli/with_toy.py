"""The console script with the toy among the capabilities, for tests that need a process of its own."""

from __future__ import annotations

from typing import cast

from halfopen_server.cli import main

from halfopen.registry import MODULES

if __name__ == "__main__":
    cast("dict[str, str]", MODULES)["toy"] = "tests.cli.toy"
    main()

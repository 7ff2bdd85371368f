"""The console script with the toy among the capabilities."""

from __future__ import annotations

from typing import cast

from halfopen.registry import MODULES
from halfopen_server.cli import main

if __name__ == "__main__":
    cast("dict[str, str]", MODULES)["toy"] = "tests.http.toy"
    main()

"""Where shipped data lies: the one place that knows."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def root() -> Traversable:
    """The folder that holds `prompts/` and `knowledge/`: inside the package in a wheel, above it in a checkout."""
    packaged = files("halfopen") / "_data"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parent.parent


def read_text(path: str) -> str:
    """The text of a shipped file, such as `knowledge/saga.yaml`.

    Raises:
        FileNotFoundError: nothing of that name ships.
    """
    return root().joinpath(path).read_text(encoding="utf-8")

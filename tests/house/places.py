"""Where the parts of the project lie, and how to read them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Import package to the folder that holds it.
PACKAGES = {
    "halfopen": ROOT / "halfopen",
    "halfopen_server": ROOT / "server" / "halfopen_server",
    "halfopen_generators": ROOT / "generators" / "halfopen_generators",
}
DATA = (ROOT / "prompts", ROOT / "knowledge")
# What tools make, or what comes from elsewhere; hidden folders are left out besides, but for the two of ours.
_NOT_OURS = frozenset({"__pycache__", "node_modules", "build", "dist", "demo", "design"})
_OURS_THOUGH_HIDDEN = frozenset({".claude-plugin", ".ci", ".github"})


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Every module of that package: its dotted name and its file."""
    top = PACKAGES[package]
    for path in sorted(top.rglob("*.py")):
        # A template of Python code is no module of ours.
        if "templates" not in path.parts:
            parts = path.relative_to(top.parent).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path


def imports(source: str, module: str) -> Iterator[str]:
    """The full names of everything that this module's text imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                around = module.split(".")[: -node.level]
                base = ".".join([*around, base] if base else around)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def files() -> Iterator[Path]:
    """Every file of the project."""
    for place, folders, names in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NOT_OURS
            and (name in _OURS_THOUGH_HIDDEN or not name.startswith("."))
            and not name.endswith(".egg-info")
        )
        yield from (Path(place, name) for name in sorted(names))

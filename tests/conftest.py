"""What takes longest begins first: files are handed out whole, and the last one would be waited for by all others."""

from __future__ import annotations

import pytest

LONGEST = ("test_hostile.py", "test_any_document.py", "test_any_spec.py", "test_stubs_python_runs.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, and leave the order within each."""
    items.sort(key=lambda item: item.path.name not in LONGEST)

"""A mistake can't be made twice: what reads a dialect's files knows nothing of what wrote them."""

from __future__ import annotations

import pytest

from tests.house.places import imports, modules

READERS = {name: path for name, path in modules("halfopen_generators") if ".breaker.readers." in name}


def spelling(source: str, module: str) -> list[str]:
    """What a reader may not import: anything of the breaker's but the readers and what figures are called."""
    allowed = ("halfopen_generators.breaker.reading", "halfopen_generators.breaker.readers")
    return [name for name in imports(source, module) if name.startswith("halfopen") and not name.startswith(allowed)]


@pytest.mark.parametrize("name", READERS)
def test_no_reader_imports_what_spells(name: str) -> None:
    assert spelling(READERS[name].read_text(), name) == []


def test_there_are_readers_and_a_wrong_import_is_seen() -> None:
    assert {name.rpartition(".")[2] for name in READERS} >= {"grpc", "istio", "envoy", "linkerd", "consul"}
    wrong = "from halfopen_generators.breaker.dialects import istio"
    assert spelling(wrong, "halfopen_generators.breaker.readers.istio")

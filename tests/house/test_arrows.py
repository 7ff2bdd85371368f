"""server -> halfopen <- generators: who may import whom."""

from __future__ import annotations

import pytest

from tests.house.places import PACKAGES, imports, modules

# What the core and the capabilities leave to the faces.
FACES = {"mcp", "mcp_types", "click", "anthropic", "anyio"}
# What only generated code runs on; nothing of ours may need it.
ENGINES = {"dbos", "temporalio", "faststream", "moto", "boto3", "nats", "psycopg"}

FORBIDDEN = {
    "halfopen": {"halfopen_server", "halfopen_generators", *FACES, *ENGINES},
    "halfopen_generators": {"halfopen_server", *FACES, *ENGINES},
    "halfopen_server": {"halfopen_generators", *ENGINES},
}
# Reports may be kept in PostgreSQL; its driver is an extra.
EXCEPT = {("halfopen_server.databases", "psycopg")}


def wrong_imports(source: str, module: str) -> list[str]:
    """The imports that this module must not have: by its package, or of another capability."""
    package, *inner = module.split(".")
    own = f"{package}.{inner[0]}" if inner else package
    found = []
    for name in imports(source, module):
        parts = name.split(".")
        crosses = (
            package == "halfopen_generators" and parts[0] == package and len(parts) > 1 and ".".join(parts[:2]) != own
        )
        if (parts[0] in FORBIDDEN[package] and (module, parts[0]) not in EXCEPT) or crosses:
            found.append(name)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_goes_along_an_arrow(package: str) -> None:
    wrong = {name: bad for name, path in modules(package) if (bad := wrong_imports(path.read_text(), name))}
    assert wrong == {}


def test_there_are_modules_to_look_at() -> None:
    for package in PACKAGES:
        names = [name for name, _ in modules(package)]
        assert package in names
        assert len(names) > 3


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("halfopen.run", "from halfopen_generators.saga import capability"),
        ("halfopen.run", "def f():\n    import halfopen_server.cli"),
        ("halfopen.checkers.explore", "import click"),
        ("halfopen_generators.saga.check", "from halfopen_server import text"),
        ("halfopen_generators.saga.check", "from halfopen_generators.grpc.design import design"),
        ("halfopen_generators.saga.check", "from halfopen_generators import grpc"),
        ("halfopen_generators.saga.check", "from ..grpc import design"),
        ("halfopen_generators.saga.check", "if True:\n    import temporalio.client"),
        ("halfopen_server.cli", "import halfopen_generators.saga as saga"),
        ("halfopen_server.reports", "import psycopg"),
    ],
)
def test_a_wrong_arrow_is_seen(module: str, source: str) -> None:
    assert wrong_imports(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "halfopen_generators.saga.check",
            "from halfopen_generators.saga.design import design\nfrom .plan import Plan",
        ),
        ("halfopen_generators.saga.check", "from halfopen.checkers import explore"),
        (
            "halfopen_server.cli",
            "import click\nfrom halfopen.registry import capability\nfrom halfopen_server import text",
        ),
    ],
)
def test_a_right_arrow_is_let_be(module: str, source: str) -> None:
    assert wrong_imports(source, module) == []

"""The wheel holds everything, and works where nothing else of the project is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house.places import DATA, PACKAGES, ROOT

SPEC = (ROOT / "examples" / "checkout.saga.yaml").read_text()


def done(*command: str | Path, status: int = 0, **settings: object) -> str:
    """What the command says on its standard output."""
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **settings,  # type: ignore[call-overload]
    )
    assert result.returncode == status, f"{command}: {result.stdout}\n{result.stderr}"
    return str(result.stdout)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv")
    build = [uv, "build", "--wheel", "--out-dir"] if uv else [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w"]
    done(*build, folder, ROOT)
    (found,) = folder.glob("halfopen-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of the wheel in an environment of its own, beside the libraries of this one."""
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment, with_pip=False, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    uv = shutil.which("uv")
    python = Path(paths["scripts"], "python")
    if uv:
        done(uv, "pip", "install", "--quiet", "--no-deps", "--offline", "--python", python, wheel)
    else:
        done(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # A path from a .pth file is looked into, but its own .pth files aren't: the checkout stays out.
    Path(paths["purelib"], "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(paths["scripts"], "halfopen")


def clean(**more: str) -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], **more}


def expected() -> set[str]:
    """The names that a wheel of this tree must hold."""
    names = {
        str(path.relative_to(top.parent)) for top in PACKAGES.values() for path in top.rglob("*") if path.is_file()
    }
    for folder in DATA:
        names |= {f"halfopen/_data/{path.relative_to(ROOT)}" for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if "__pycache__" not in name}


def test_every_module_template_and_data_file_is_in_the_wheel(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = expected()
    assert {"halfopen/_data/knowledge/rules/SAG01.md", "halfopen/_data/prompts/commands/saga.md"} <= wanted
    assert any("/templates/" in name for name in wanted)
    assert held == wanted


def test_the_wheel_works_from_a_folder_elsewhere(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "checkout.saga.yaml").write_text(SPEC)
    code = "import halfopen, halfopen_server, halfopen_generators as g; print(halfopen.__file__, g.__file__)"
    for place in done(installed.with_name("python"), "-c", code, cwd=tmp_path, env=clean()).split():
        assert Path(place).is_relative_to(installed.parents[1])
    assert done(installed, "--version", cwd=tmp_path, env=clean()).startswith("halfopen 0.")
    assert json.loads(done(installed, "schema", "saga", cwd=tmp_path, env=clean()))["type"] == "object"
    assert done(installed, "explain", "SAG01", cwd=tmp_path, env=clean()).startswith("# SAG01")
    assert "buf-bin" in done(installed, "doctor", cwd=tmp_path, env=clean())
    done(installed, "saga", "checkout.saga.yaml", "--out", "design", cwd=tmp_path, env=clean())
    assert (tmp_path / "design" / "DESIGN.md").is_file()


def test_what_lies_about_does_not_break_it(installed: Path, tmp_path: Path) -> None:
    """Backend engineers have a package called server, and a working folder full of experiments."""
    for name in ("jinja2", "click", "pydantic", "json", "halfopen"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a stray file was imported')\n")
    elsewhere = tmp_path / "elsewhere"
    for package in ("server", "generators", "prompts", "knowledge", "tests"):
        for place in (tmp_path, elsewhere):
            (place / package).mkdir(parents=True)
            (place / package / "__init__.py").write_text("raise RuntimeError('a stray package was imported')\n")
    (tmp_path / "checkout.saga.yaml").write_text(SPEC)
    plugin = json.loads((ROOT / ".claude-plugin/plugin.json").read_text())
    as_plugin = plugin["mcpServers"]["halfopen"]["env"]["PYTHONPATH"]
    assert as_plugin == ""
    for python_path in (as_plugin, str(elsewhere)):
        for arguments in (["--version"], ["saga", "checkout.saga.yaml", "-q"], ["explain", "SAG01"]):
            done(installed, *arguments, cwd=tmp_path, env=clean(PYTHONPATH=python_path))

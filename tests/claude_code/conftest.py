"""The real CLI with a home of its own, a copy of this plugin as a user would clone it, and a scripted API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.oracles import require

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "claude-code"
# What a package index may need to be reached, and nothing else of the developer's environment.
NETWORK = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "UV_DEFAULT_INDEX")


@dataclass(frozen=True)
class Claude:
    """The CLI, a home that nobody else uses, and the project folder it is started in."""

    program: Path
    home: Path
    project: Path
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        uv = shutil.which("uv")
        assert uv is not None
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "PATH": os.pathsep.join([str(Path(uv).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # Servers are connected before the first request, however long their first start takes.
            "MCP_CONNECTION_NONBLOCKING": "0",
            "MCP_TIMEOUT": "300000",
            "UV_CACHE_DIR": subprocess.check_output([uv, "cache", "dir"], text=True, cwd=ROOT).strip(),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            **{name: os.environ[name] for name in NETWORK if name in os.environ},
            **self.extra,
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The CLI run to its end with these arguments, standard input empty."""
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.project,
            env={**self.environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


def litter(folder: Path) -> list[str]:
    """Leave in that folder what would break a server that imported it; returns what to put on PYTHONPATH."""
    for name in ("jinja2", "mcp", "pydantic", "json"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported a stray file')\n")
    for name in ("server", "halfopen", "halfopen_server"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('imported a stray package')\n")
    return [str(folder), str(folder / "server")]


@pytest.fixture(scope="session")
def cli() -> Path:
    """The CLI, from CLAUDE_CODE_CLI or from the folder that install.sh fills."""
    program = Path(os.environ.get("CLAUDE_CODE_CLI", CACHE / "node_modules" / ".bin" / "claude"))
    require(
        "claude",
        available=program.exists(),
        how_to_get="tests/claude_code/install.sh (npm install @anthropic-ai/claude-code)",
    )
    require("uv", available=shutil.which("uv") is not None, how_to_get="pip install uv")
    return program


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a fresh clone has it: what git knows or would take, nothing that it ignores."""
    in_git = (ROOT / ".git").exists() and shutil.which("git") is not None
    require("a git checkout", available=in_git, how_to_get="clone the repository instead of unpacking an archive")
    folder = tmp_path_factory.mktemp("clone") / "halfopen"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def claude(cli: Path, tmp_path: Path) -> Claude:
    """The CLI in a new home and an empty project."""
    for name in ("home/tmp", "project"):
        (tmp_path / name).mkdir(parents=True)
    return Claude(cli, tmp_path / "home", tmp_path / "project")


@pytest.fixture
def installed(claude: Claude, clone: Path) -> Claude:
    """The CLI with this plugin installed from the clone's own marketplace, as the README says."""
    for arguments in (("marketplace", "add", str(clone)), ("install", "halfopen@halfopen")):
        done = claude.run("plugin", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return claude

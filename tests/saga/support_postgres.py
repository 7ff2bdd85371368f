"""A private PostgreSQL for tests: its own folder, a free port on loopback, gone at the end."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.oracles import require


@contextmanager
def private_postgres() -> Iterator[str]:
    """The URL of a server that nobody else uses."""
    binaries = _binaries()
    require("PostgreSQL", available=binaries is not None, how_to_get="apt-get install postgresql")
    driver = importlib.util.find_spec("psycopg") is not None
    require("psycopg", available=driver, how_to_get="install psycopg[binary] from PyPI")
    assert binaries is not None
    # Not below pytest's own folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="halfopen-postgres-"))
    user = _as_a_user(folder)
    data = str(folder / "data")
    make = [*user, str(binaries / "initdb"), "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*make, "--no-sync", "--locale=C"], check=True, capture_output=True, cwd=folder)
    port = _free_port()
    settings = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
    options = [part for setting in settings for part in ("-c", setting)]
    process = subprocess.Popen(
        [*user, str(binaries / "postgres"), "-D", data, *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_up(port, process)
        yield f"postgresql://test@127.0.0.1:{port}/postgres"
    finally:
        # runuser would not pass a signal on to the server in time.
        stop = [*user, str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd=folder)
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    place = installed[-1] if installed else Path(found) if found else None
    return place.parent if place else None


def _as_a_user(folder: Path) -> list[str]:
    """The server refuses to run as root; then it runs as a user that owns the folder."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    return ["runuser", "-u", user, "--"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    while process.poll() is None:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="test", dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL ended while it started")

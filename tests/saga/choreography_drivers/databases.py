"""New databases on a PostgreSQL server, for the programs beside this one."""

from __future__ import annotations

import uuid

import psycopg


def new_database(server: str) -> str:
    """The URL of a database that nobody has used."""
    name = f"driver_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server.rpartition('/')[0]}/{name}"

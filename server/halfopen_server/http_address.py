"""Where an HTTP server listens: HOST:PORT as people write it, whether that is this machine alone, and its socket."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from typing import Self

from halfopen.source import BadInput, Problem

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_WRITTEN = re.compile(r"(?:(?P<host>\[[^\[\]]*\]|[^:\[\]]*):)?(?P<port>[0-9]{1,5})")
_LAST_PORT = 65_535
_BACKLOG = 2048


@dataclass(frozen=True)
class Address:
    """A host (a name or an address, IPv6 without brackets) and a port; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_everywhere(self) -> bool:
        """Whether it stands for every address of this machine."""
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - it is compared, not bound


def parse_address(text: str) -> Address:
    """`HOST:PORT` as an address; without a host (`8000`, `:8000`) it is the loopback's, never every interface.

    Raises:
        BadInput: it is nothing of the kind; the message shows how it is written.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        raise _bad(
            f"{text!r} is no HOST:PORT. Write 127.0.0.1:8000, [::1]:8000 or 8000; the port is 0 (any that is free) "
            f"to {_LAST_PORT}."
        )
    written = match["host"] or "127.0.0.1"
    host = written.strip("[]")
    if written.startswith("["):
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _bad(f"{written!r} is no IPv6 address. Write [::1]:8000, or a name without brackets.") from None
    return Address(host, int(match["port"]))


@dataclass(frozen=True)
class Listener:
    """A socket that is bound and listens, with the address it got."""

    socket: socket.socket
    address: Address
    is_loopback: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def url(self) -> str:
        """Where a client finds the server."""
        return f"http://{self.address}"


@dataclass(frozen=True)
class Resolved:
    """An address as the system knows it: a name may stand for several, of which the first is taken, IPv4 before 6."""

    written: Address
    family: socket.AddressFamily
    address: str

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return ipaddress.ip_address(self.address.partition("%")[0]).is_loopback

    def listen(self) -> Listener:
        """Bind it.

        Raises:
            BadInput: it is taken, not ours to take, or not this machine's.
        """
        try:
            bound = socket.create_server((self.address, self.written.port), family=self.family, backlog=_BACKLOG)
        except OSError as error:
            # The library's own text names the address once more.
            reason = os.strerror(error.errno) if error.errno else str(error)
            advice = "Choose another port, or 0 for one that is free." if self.written.port else "Choose another host."
            raise _bad(f"can't listen on {self.written}: {reason}. {advice}") from None
        return Listener(bound, Address(self.written.host, bound.getsockname()[1]), self.is_loopback)


def resolve(address: Address) -> Resolved:
    """What the system makes of that host.

    Raises:
        BadInput: it knows no such host.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _bad(f"no address is known for the host {address.host!r}: {reason}.") from None
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return Resolved(address, family, str(place[0]))


def _bad(message: str) -> BadInput:
    return BadInput([Problem(message, file="--http")])

"""What each rpc does: put your own code here.

Write a method over one of the skeleton: same name, same parameters. Raise errors with
`errors.refuse`, whose details a program can read. A method is cancelled when its caller
is gone or its deadline has passed, so let it leave nothing half done.
"""

from __future__ import annotations

from . import skeleton


class OrderService(skeleton.OrderService):
    """Order service."""


def services() -> list[skeleton.Servable]:
    """Every service that the server offers."""
    return [
        OrderService(),
    ]

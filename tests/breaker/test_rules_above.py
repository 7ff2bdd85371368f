"""What an architecture file adds: callers above that wait too long or try again, and what a fallback shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.breaker.findings import codes, shop, spec, told
from tests.breaker.stand_ins import stacks

__all__ = ["stacks"]
pytestmark = pytest.mark.usefixtures("stacks")


def test_a_caller_above_without_a_timeout(tmp_path: Path) -> None:
    above = shop(tmp_path, web={}, frontend={"timeout": "3s"})
    assert told(spec(architecture=above), "NET01", tmp_path) == snapshot("""\
error: web waits for frontend without a timeout: while one call hangs, so does all that waits for
it.
-> A timeout longer than frontend takes, retries included.
@ services.web.calls[0]\
""")
    assert codes(spec(architecture=shop(tmp_path, frontend={"timeout": "3s"})), tmp_path) == set()


def test_callers_above_wait_shorter(tmp_path: Path) -> None:
    above = shop(tmp_path, web={"timeout": "6s"}, frontend={"timeout": "2s", "retries": {"attempts": 3}})
    assert told(spec(architecture=above), "NET02", tmp_path) == snapshot("""\
error: frontend waits up to 6s for checkout (3 tries), but web gives up on frontend after 6s: what
comes later is work for nobody.
-> Less than 6s for checkout, or more than 6s for frontend.
@ services.frontend.calls[0], services.web.calls[0]
error: checkout waits up to 2s for payment (2 tries), but frontend gives up on checkout after 2s:
what comes later is work for nobody.
-> Less than 2s for payment, or more than 2s for checkout.
@ deadline, services.frontend.calls[0]\
""")
    longer = shop(tmp_path, web={"timeout": "6100ms"}, frontend={"timeout": "2001ms", "retries": {"attempts": 3}})
    assert "NET02" not in codes(spec(architecture=longer), tmp_path)


def test_callers_above_try_again(tmp_path: Path) -> None:
    above = shop(tmp_path, web={"timeout": "9s"}, frontend={"timeout": "3s", "retries": {"attempts": 2}})
    assert told(spec(architecture=above), "RES04", tmp_path) == snapshot("""\
warning: 2 layers try again, and their tries multiply: frontend calls checkout 2 times, checkout
calls payment 2 times.
-> Leave the retries to one of them; `retries: {attempts: 1}` takes them away from the others.
@ services.frontend.calls[0]\
""")
    assert codes(spec(architecture=above, retries={"attempts": 1}), tmp_path) == set()


@pytest.mark.parametrize("idempotent", [None, False])
def test_a_caller_above_repeats_what_is_not_idempotent(idempotent: object, tmp_path: Path) -> None:
    again = {"timeout": "3s", "retries": {"attempts": 2}}
    above = shop(tmp_path, frontend={**again, "idempotent": idempotent})
    says = told(spec(architecture=above, idempotency_key=None, idempotent=False), "RES05", tmp_path)
    assert (
        says
        == {
            None: snapshot("""\
warning: frontend tries checkout 2 times, and each try may call ChargeCard again, which isn't
idempotent and has no idempotency_key, unless checkout knows a repeated request.
-> One try there, or the idempotency_key by which payment knows a repeated call.
@ idempotent, services.frontend.calls[0]\
"""),
            False: snapshot("""\
error: frontend tries checkout 2 times, and each try may call ChargeCard again, which isn't
idempotent and has no idempotency_key.
-> One try there, or the idempotency_key by which payment knows a repeated call.
@ idempotent, services.frontend.calls[0]\
"""),
        }[idempotent]
    )
    knows = shop(tmp_path, frontend={**again, "idempotent": True})
    assert "RES05" not in codes(spec(architecture=knows, idempotency_key=None), tmp_path)
    assert "RES05" not in codes(spec(architecture=above), tmp_path)


def test_a_fallback_that_needs_the_same_store(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(
        "architecture: shop\nservices:\n"
        "  checkout: {calls: [{to: payment}]}\n"
        "  payment: {calls: [{to: ledger}]}\n  ledger: {stores: [ledger-db]}\n"
        "  invoices: {stores: [ledger-db]}\n  vouchers: {stores: [vouchers-db]}\n"
        "stores: {ledger-db: {kind: postgres}, vouchers-db: {kind: postgres}}\n"
    )
    data = spec(architecture="shared.yaml", fallback="default", fallback_dependency="invoices")
    assert told(data, "RES13", tmp_path) == snapshot("""\
warning: The fallback needs ledger-db, which payment needs too: when that fails, both do.
-> A fallback that needs nothing of ledger-db, or none: an error that comes at once.
@ fallback_dependency\
""")
    assert codes({**data, "fallback_dependency": "vouchers"}, tmp_path) == set()

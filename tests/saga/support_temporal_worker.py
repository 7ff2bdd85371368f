"""Runs inside a generated folder: its worker, with requests that hang or are refused as a plan says.

Called as: python support_temporal_worker.py PACKAGE PLAN. A point is `step/request/before` or `.../after`: there
the first try leaves a mark and waits, before its participant has handled it or before it answers, until somebody
kills this process.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    package, plan = sys.argv[1], json.loads(sys.argv[2])
    transport, messages, worker = (
        importlib.import_module(f"{package}.{name}") for name in ("transport", "messages", "worker")
    )
    send = transport.Local.send

    async def hang(point: str) -> None:
        mark = Path(plan["marks"]) / point.replace("/", "_")
        if point in plan["hang"] and not mark.exists():
            mark.touch()
            await asyncio.sleep(3600)

    async def planned(self: Any, request: Any) -> Any:
        point = f"{request.step}/{request.request}"
        await hang(f"{point}/before")
        if point in plan.get("refuse", ()):
            return messages.Answer(done=False, reason="the plan says no")
        answer = await send(self, request)
        await hang(f"{point}/after")
        return answer

    transport.Local.send = planned
    asyncio.run(worker.main())


if __name__ == "__main__":
    main()

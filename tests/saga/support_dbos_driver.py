"""Runs inside a generated folder: drives its saga through one plan, and prints what came of it as JSON.

Called as: python support_dbos_driver.py PACKAGE PLAN. It may kill its own process, as the plan says.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any


class Transport:
    """The participants, and in front of them whatever the plan does to a request.

    `kill` holds points such as `reserve-stock/action/before`: there the process kills itself, once. `slow` are
    actions that take that many seconds before they run (`before`) or before they answer (`after`).
    """

    def __init__(self, package: str, plan: dict[str, Any], store: Any) -> None:
        self.plan, self.store = plan, store
        self.participants = importlib.import_module(f"{package}.participants").PARTICIPANTS
        self.steps = importlib.import_module(f"{package}.saga").BY_NAME
        self.scripted = importlib.import_module("tests.scripted")
        self.sent: list[str] = []
        self.answered: list[str] = []
        self.threads = ThreadPoolExecutor()
        self.at_work: list[Future[Any]] = []
        self.lock = threading.Lock()

    async def send(self, request: Any) -> Any:
        # What runs in a thread goes on after its caller has given up on it, as a slow service does.
        future = self.threads.submit(self._handle, request)
        self.at_work.append(future)
        return await asyncio.wrap_future(future)

    def _handle(self, request: Any) -> Any:
        point = f"{request.step}/{request.request}"
        with self.lock:
            self.sent.append(point)
        self._kill(f"{point}/before")
        slow = self.plan.get("slow", {}).get(point, {})
        time.sleep(slow.get("before", 0))
        participant = self.participants[self.steps[request.step].service]
        if point in self.plan.get("refuse", ()):
            participant = self.scripted._refusing(participant, request.step)
        answer = participant.handle(self.store, request)
        if point in self.plan.get("misfit", ()):
            answer = replace(answer, reply={"unheard_of": 1})
        if point in self.plan.get("twice", ()):
            participant.handle(self.store, request)
        self._kill(f"{point}/after")
        time.sleep(slow.get("after", 0))
        with self.lock:
            self.answered.append(point)
        return answer

    def _kill(self, point: str) -> None:
        if point not in self.plan.get("kill", ()):
            return
        mark = Path(self.plan["marks"]) / point.replace("/", "_")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def race(package: str, plan: dict[str, Any]) -> None:
    """Throw the same requests at a participant from many threads at once, and print what took effect."""
    ledger, store, participants, messages = (
        importlib.import_module(f"{package}.{name}") for name in ("ledger", "store", "participants", "messages")
    )
    tables = store.Store(plan["settings"]["participants_url"])
    participant = next(iter(participants.PARTICIPANTS.values()))
    step, operation = next(iter(participant.operations.items()))
    body = dict.fromkeys(operation.request.__dataclass_fields__, "x")

    def ask(run: str, what: str) -> None:
        participant.handle(tables, messages.Request(run, step, what, body))

    found = []
    with ThreadPoolExecutor(8) as threads:
        for number in range(plan["race"]):
            same, both = f"same-{number}", f"both-{number}"
            wait([threads.submit(ask, same, "action") for _ in range(8)])
            asked = [threads.submit(ask, both, what) for _ in range(4) for what in ("compensation", "action")]
            wait(asked)
            for each in asked:
                each.result()
            histories = {name: ledger.history(tables, run) for name, run in (("action", same), ("both", both))}
            found.append({name: list(history.get(step, ())) for name, history in histories.items()})
    print(json.dumps(found))  # noqa: T201 - what whoever started this process reads
    tables.close()


def main() -> None:
    package, plan = sys.argv[1], json.loads(sys.argv[2])
    if "race" in plan:
        race(package, plan)
        return
    workflow, config, ledger, store, example = (
        importlib.import_module(f"{package}.{name}") for name in ("workflow", "config", "ledger", "store", "example")
    )
    settings = config.Settings(**plan["settings"])
    tables = store.Store(settings.participants_url)
    transport = Transport(package, plan, tables)
    workflow.launch(settings, transport)
    run = workflow.start(example.example(), plan["run"])
    result = workflow.result(run)
    wait(transport.at_work)
    again = workflow.result(run)
    history = {step: list(effects) for step, effects in ledger.history(tables, run).items()}
    found = {"outcome": result.outcome, "because": result.because, "later": again.outcome}
    if importlib.util.find_spec(f"{package}.isolation"):
        with tables.transaction() as connection:
            found["held"] = importlib.import_module(f"{package}.isolation").held(connection, plan["run"])
    print(  # noqa: T201 - what whoever started this process reads
        json.dumps({**found, "history": history, "sent": transport.sent, "answered": transport.answered})
    )
    workflow.stop()
    tables.close()


if __name__ == "__main__":
    main()

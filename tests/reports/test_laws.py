"""Whatever is kept, read and reopened in whatever order: it is as a dictionary that drops its oldest entries."""

from __future__ import annotations

import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from halfopen.vocabulary import Report
from halfopen_server.databases import Database, Memory, NotKept, Postgres, SqliteFile
from halfopen_server.reports import SCHEME, Reports, pack, upgrade
from tests.reports.support import report
from tests.saga.support_postgres import private_postgres

MOST = 4000
NAMES = st.sampled_from("abcdefgh")
SIZES = st.sampled_from([0, 100, 700, 1500, 3400, 3600, 9000])


class Keeping(RuleBasedStateMachine):
    """Two who keep reports in one place, and one who remembers what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.model: OrderedDict[str, Report] = OrderedDict()
        self.stores = [self.opened(), self.opened()]

    def opened(self) -> Reports:
        return Reports(self.database(), MOST)

    def database(self) -> Database:
        raise AssertionError("each place has its own")

    @rule(who=st.sampled_from([0, 1]), name=NAMES, size=SIZES, version=st.integers(0, 2))
    def keep(self, who: int, name: str, size: int, version: int) -> None:
        kept = report(f"{name}{version}", size)
        if len(pack(kept)) > MOST:
            with pytest.raises(NotKept):
                self.stores[who].keep(name, kept)
            return
        self.stores[who].keep(name, kept)
        self.model[name] = kept
        self.model.move_to_end(name)
        while sum(len(pack(each)) for each in self.model.values()) > MOST:
            self.model.popitem(last=False)

    @rule(who=st.sampled_from([0, 1]), name=NAMES)
    def read(self, who: int, name: str) -> None:
        if name not in self.model:
            with pytest.raises(KeyError):
                self.stores[who].read(SCHEME + name)
            return
        assert Report.model_validate_json(self.stores[who].read(SCHEME + name)[0]) == self.model[name]
        assert self.stores[who].read(f"{SCHEME}{name}/docs/text.md")[0] == self.model[name].artifacts[0].text

    @rule(who=st.sampled_from([0, 1]))
    def reopen(self, who: int) -> None:
        self.stores[who] = self.opened()

    @invariant()
    def both_see_the_same(self) -> None:
        for store in self.stores:
            names = [kept.uri.removeprefix(SCHEME) for kept in store.latest(99)]
            assert names == list(reversed(self.model))
            usage = store.usage()
            assert usage.reports == len(self.model)
            assert usage.size == sum(len(pack(each)) for each in self.model.values()) <= MOST


class InMemory(Keeping):
    def database(self) -> Database:
        # Nothing in memory is shared, or there again after it was opened anew.
        self.memory = getattr(self, "memory", None) or Memory(upgrade)
        return self.memory


class InFile(Keeping):
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        super().__init__()

    def database(self) -> Database:
        return SqliteFile(self.folder / "reports.db", upgrade)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)


def check(machine: type[Keeping], examples: int) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=slow),
    )


@pytest.mark.parametrize("machine", [InMemory, InFile])
def test_reports_are_a_dictionary_that_drops_its_oldest(machine: type[Keeping]) -> None:
    check(machine, 30)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.mark.oracle
def test_postgres_says_the_same(server: str) -> None:
    class InPostgres(Keeping):
        def __init__(self) -> None:
            Postgres(server, upgrade).run(lambda execute: execute("DELETE FROM halfopen_reports"), writes=True)
            super().__init__()

        def database(self) -> Database:
            return Postgres(server, upgrade)

    check(InPostgres, 10)

"""Envoy's outlier detection, which takes single hosts out of a cluster for a while; Istio's outlierDetection is it too.

It is no circuit breaker: nothing is refused. While a host is out its share goes to the others, and nothing tests it:
when its time is over it gets its full share again. Read in Envoy's source/common/upstream/outlier_detection_impl.cc and
the documentation of its panic threshold, and held against Envoy 1.40.

Success-rate ejection (five hosts with a hundred requests each, or it does nothing) and errors that Envoy itself makes
(split_external_local_origin_errors) are not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from halfopen_generators.breaker.automaton import Settings
from halfopen_generators.breaker.engines import Unsaid

SURPRISES = (
    "max_ejection_percent is 10 unless told otherwise: of fewer than ten hosts none is ever ejected.",
    "Below healthy_panic_threshold (50 %) all hosts get traffic again, ejected ones too; a single host always does.",
    "A host returns at the first interval after its time, to its full share at once: there are no probes.",
    "Each ejection in a row is longer by base_ejection_time, up to max_ejection_time; a quiet interval takes one back.",
    "failure_percentage is measured but not enforced unless enforcing_failure_percentage says so.",
    "Of two changes within a second the second takes effect when it is over: see update_merge_window.",
    "Failures in a row start from nothing again after an ejection that max_ejection_percent prevents.",
)


@dataclass(frozen=True)
class Outliers:
    """A cluster's outlier detection, with Envoy's own defaults. Times are seconds, percentages 0 to 100."""

    consecutive_5xx: int = 5
    """So many 5xx in a row from one host eject it; a failed connection or a timeout is one too. 0: none do."""
    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_time: float = 300.0
    """Taken for base_ejection_time where that is more."""
    max_ejection_percent: int = 10
    always_eject_one_host: bool = False
    failure_percentage: int | None = None
    """So many failures of an interval's answers eject a host when it ends; None: not enforced."""
    failure_percentage_minimum_hosts: int = 5
    failure_percentage_request_volume: int = 50
    healthy_panic_threshold: float = 50.0

    def most(self, hosts: int) -> int:
        """How many of so many hosts can be out at the same time."""
        allowed = sum(100.0 * out / hosts <= self.max_ejection_percent for out in range(1, hosts + 1))
        return max(allowed, min(1, hosts) if self.always_eject_one_host else 0)

    def panics(self, hosts: int, out: int) -> bool:
        """Whether ejected hosts get traffic all the same, because too few are left."""
        return 100.0 * (hosts - out) / hosts < self.healthy_panic_threshold


@dataclass(frozen=True)
class SaidOfHosts:
    """What Envoy makes of a wish for a breaker."""

    settings: Outliers
    unsaid: tuple[Unsaid, ...]


def ejection_as(asked: Settings, of: Outliers | None = None) -> SaidOfHosts:
    """The nearest that Envoy has to that breaker.

    Args:
        asked: The wish, as a library would be told it.
        of: What else the cluster sets; Envoy's defaults if None.
    """
    unsaid = [
        Unsaid("probes", "the host gets its full share again", "nothing tests a host before it returns"),
        Unsaid("open_for", "longer each time in a row, and until an interval ends", "hosts are looked at then"),
    ]
    if asked.slow_ratio is not None:
        unsaid.append(Unsaid("slow_ratio", "slow answers aren't judged", "a timeout makes them 5xx"))
    got = replace(of or Outliers(), base_ejection_time=asked.open_for)
    if asked.window == "consecutive":
        return SaidOfHosts(replace(got, consecutive_5xx=int(asked.size)), tuple(unsaid))
    percent = max(1, round(asked.failure_ratio * 100))
    if percent != round(asked.failure_ratio * 100, 9):
        unsaid.append(Unsaid("failure_ratio", f"{percent} %", "it is whole percents"))
    if asked.window == "count":
        unsaid.append(
            Unsaid("window", f"intervals of {got.interval:g} s", "it counts in a time, not a number of calls")
        )
    else:
        if asked.window == "time":
            unsaid.append(Unsaid("window", "intervals that follow each other", "the window doesn't slide"))
        got = replace(got, interval=asked.size)
    got = replace(
        got,
        consecutive_5xx=0,
        failure_percentage=percent,
        failure_percentage_request_volume=asked.minimum_calls,
        failure_percentage_minimum_hosts=0,
    )
    return SaidOfHosts(got, tuple(unsaid))


class _Host:
    """What is remembered of one host."""

    __slots__ = ("answers", "failures", "failures_in_a_row", "out_since", "returned_at", "times_over")

    def __init__(self) -> None:
        self.answers = self.failures = self.failures_in_a_row = self.times_over = 0
        self.out_since: float | None = None
        self.returned_at: float | None = None


class Ejection:
    """One cluster's hosts, known by their numbers from 0. It has no clock: whoever asks says what time it is."""

    __slots__ = ("_hosts", "_longest", "_next", "_on_change", "_settings")

    def __init__(
        self,
        settings: Outliers,
        hosts: int,
        *,
        start: float = 0.0,
        on_change: Callable[[float, int, bool], None] | None = None,
    ) -> None:
        """Make a cluster of hosts that are all in.

        Args:
            settings: How it goes.
            hosts: How many there are.
            start: When the first interval begins.
            on_change: Called with the time, the host, and whether it is out now.
        """
        self._settings = settings
        self._hosts = [_Host() for _ in range(hosts)]
        self._longest = max(settings.max_ejection_time, settings.base_ejection_time)
        self._next = start + settings.interval
        self._on_change = on_change

    def answered(self, host: int, now: float, *, failed: bool) -> None:
        """Tell what a host answered; `failed` is a 5xx, a timeout or no connection. `now` is never less than before."""
        self._catch_up(now)
        one = self._hosts[host]
        one.answers += 1
        if not failed:
            one.failures_in_a_row = 0
            return
        one.failures += 1
        one.failures_in_a_row += 1
        if one.failures_in_a_row == self._settings.consecutive_5xx and one.out_since is None:
            self._eject(host, now)
            one.failures_in_a_row = 0

    def out(self, now: float) -> tuple[int, ...]:
        """The hosts that are ejected."""
        self._catch_up(now)
        return tuple(host for host, one in enumerate(self._hosts) if one.out_since is not None)

    def choices(self, now: float) -> tuple[int, ...]:
        """The hosts that a request can go to: those that are in, or all of them in a panic."""
        out = set(self.out(now))
        every = range(len(self._hosts))
        if self._settings.panics(len(self._hosts), len(out)):
            return tuple(every)
        return tuple(host for host in every if host not in out)

    def returns_after(self, host: int) -> float:
        """How long the host stays out at least, counted from its ejection: an interval has to end as well."""
        return min(self._settings.base_ejection_time * self._hosts[host].times_over, self._longest)

    def _catch_up(self, now: float) -> None:
        """Let the intervals end that have ended."""
        while self._next <= now:
            self._end_interval(self._next)
            self._next += self._settings.interval

    def _end_interval(self, now: float) -> None:
        """Let hosts return, judge the interval's answers, and shorten the next ejection of those that kept well."""
        judged: list[tuple[int, int, int]] = []
        for host, one in enumerate(self._hosts):
            if one.out_since is not None and self.returns_after(host) <= now - one.out_since:
                one.out_since = None
                one.returned_at = now
                one.failures_in_a_row = 0
                self._tell(now, host, out=False)
            if one.out_since is None and one.answers:
                judged.append((host, one.answers, one.failures))
            one.answers = one.failures = 0
        self._judge(now, judged)
        for one in self._hosts:
            # A real timer may fire a hair too early here, and then it is the next interval that takes the step back.
            kept_well = one.returned_at is not None and now - one.returned_at >= self._settings.interval
            if one.out_since is None and kept_well and one.times_over:
                one.times_over -= 1

    def _judge(self, now: float, judged: list[tuple[int, int, int]]) -> None:
        """Eject the hosts of whose answers too many failed."""
        settings = self._settings
        if settings.failure_percentage is None or len(self._hosts) < settings.failure_percentage_minimum_hosts:
            return
        enough = [one for one in judged if one[1] >= settings.failure_percentage_request_volume]
        if len(enough) < settings.failure_percentage_minimum_hosts:
            return
        for host, answers, failures in enough:
            if 100.0 - (answers - failures) * 100.0 / answers >= settings.failure_percentage:
                self._eject(host, now)

    def _eject(self, host: int, now: float) -> None:
        """Take the host out, if as many may be."""
        out = sum(one.out_since is not None for one in self._hosts)
        if out >= self._settings.most(len(self._hosts)):
            return
        one = self._hosts[host]
        one.out_since = now
        if one.times_over * self._settings.base_ejection_time < self._longest + self._settings.base_ejection_time:
            one.times_over += 1
        self._tell(now, host, out=True)

    def _tell(self, now: float, host: int, *, out: bool) -> None:
        if self._on_change is not None:
            self._on_change(now, host, out)

"""What a circuit breaker remembers of the calls before: each window keeps its sums current as calls come and go.

A window is told of a call twice at most: `begin` when it is asked for (only by breakers that count it then), `add`
when it has ended. `total`, `failed` and `slow` are then the window's counts. Times are in any one unit.
"""

# ruff: noqa: FBT001 -- what is called for every call takes its arguments by position, which is faster

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque


class Window(ABC):
    """The sums, and nothing else; `age` is the bucket a call begins in, for windows that book it there."""

    __slots__ = ("failed", "slow", "total")

    age = 0

    def __init__(self, start: float = 0.0) -> None:
        self.clear(start)

    def clear(self, now: float) -> None:  # noqa: ARG002 -- some windows begin anew at that time
        """Forget all calls."""
        self.total = self.failed = self.slow = 0

    def begin(self, now: float) -> None:  # noqa: ARG002 -- some windows have to move first
        """Count a call that has only been asked for."""
        self.total += 1

    @abstractmethod
    def add(self, now: float, failed: bool, slow: bool, age: int, /) -> None:
        """Count a call's end at `now`; `age` is what the window's was when the call began."""


class Run(Window):
    """Failures in a row, however long ago; a success ends the run."""

    __slots__ = ()

    def add(self, _now: float, failed: bool, _slow: bool, _age: int, /) -> None:
        """Lengthen the run or end it."""
        self.total = self.failed = self.failed + 1 if failed else 0


class LastCalls(Window):
    """The last `size` calls, however long ago they ended."""

    __slots__ = ("_at", "_kept", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        super().__init__()

    def clear(self, now: float) -> None:
        """Forget all calls."""
        super().clear(now)
        self._kept: list[int] = []
        self._at = 0

    def add(self, _now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Put the call in the place of the oldest, once `size` calls are kept."""
        told = failed + 2 * slow
        if self.total < self._size:
            self.total += 1
            self._kept.append(told)
        else:
            oldest = self._kept[self._at]
            self.failed -= oldest & 1
            self.slow -= oldest >> 1
            self._kept[self._at] = told
            self._at = (self._at + 1) % self._size
        self.failed += failed
        self.slow += slow


class Interval(Window):
    """Everything since the interval began; the first call after its end begins the next one."""

    __slots__ = ("_length", "_until")

    def __init__(self, length: float, start: float) -> None:
        self._length = length
        super().__init__(start)

    def clear(self, now: float) -> None:
        """Forget all calls and begin the interval at `now`."""
        super().clear(now)
        self._until = now + self._length

    def lapsed(self, now: float) -> bool:
        """Begin a new interval if this one has ended, and say so."""
        if now <= self._until:
            return False
        self.clear(now)
        return True

    def add(self, _now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count the call."""
        self.total += 1
        self.failed += failed
        self.slow += slow


class StartedInterval(Interval):
    """An interval whose total was counted when the calls began."""

    __slots__ = ()

    def add(self, _now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count what became of the call."""
        self.failed += failed
        self.slow += slow


class Sliding(Window):
    """The calls that ended less than `size` ago, to the moment."""

    __slots__ = ("_kept", "_size")

    def __init__(self, size: float) -> None:
        self._size = size
        super().__init__()

    def clear(self, now: float) -> None:
        """Forget all calls."""
        super().clear(now)
        self._kept: deque[tuple[float, bool, bool]] = deque()

    def add(self, now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count the call, and those no longer that are too old."""
        kept, oldest = self._kept, now - self._size
        while kept and kept[0][0] <= oldest:
            _, had_failed, was_slow = kept.popleft()
            self.total -= 1
            self.failed -= had_failed
            self.slow -= was_slow
        kept.append((now, failed, slow))
        self.total += 1
        self.failed += failed
        self.slow += slow


class Ring(Window):
    """Buckets of one length that follow each other from `start`; the oldest is emptied when a new one begins."""

    __slots__ = ("_bucket", "_current", "_head", "_kept", "_many", "_start", "_until")

    def __init__(self, many: int, bucket: float, start: float) -> None:
        self._many = many
        self._bucket = bucket
        self._start = start
        self._head = 0
        super().__init__(start)

    def clear(self, now: float) -> None:
        """Forget all calls; the buckets go on in the same rhythm."""
        super().clear(now)
        self._kept = [[0, 0, 0] for _ in range(self._many)]
        self._current = self._kept[0]
        self._until = -math.inf

    def move(self, now: float) -> list[int]:
        """Empty the buckets whose time has gone, and give the one of now."""
        if now < self._until:
            return self._current
        head = int((now - self._start) // self._bucket)
        gone = head - self._head
        if gone > 0:
            for index in range(self._head + 1, self._head + 1 + min(gone, self._many)):
                kept = self._kept[index % self._many]
                self.total -= kept[0]
                self.failed -= kept[1]
                self.slow -= kept[2]
                kept[:] = (0, 0, 0)
            self._head = head
        self._until = self._start + (self._head + 1) * self._bucket
        self._current = self._kept[self._head % self._many]
        return self._current

    def begin(self, now: float) -> None:
        """Count a call in the bucket of now."""
        self.move(now)[0] += 1
        self.total += 1

    def add(self, now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count the call in the bucket of now."""
        kept = self.move(now)
        kept[0] += 1
        kept[1] += failed
        kept[2] += slow
        self.total += 1
        self.failed += failed
        self.slow += slow


class AskedRing(Ring):
    """A ring whose total was counted when the calls were asked for, in the bucket of that time."""

    __slots__ = ()

    def add(self, now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count what became of the call, in the bucket of now."""
        kept = self.move(now)
        kept[1] += failed
        kept[2] += slow
        self.failed += failed
        self.slow += slow


class GenerationRing(Ring):
    """A ring that begins anew whenever it is cleared, and books what becomes of a call where the call began."""

    __slots__ = ("_at_end", "_at_start")

    def __init__(self, many: int, bucket: float, start: float, *, started: bool) -> None:
        """`started`: the total counts calls when they begin."""
        self._at_start = int(started)
        self._at_end = 1 - self._at_start
        super().__init__(many, bucket, start)

    @property
    def age(self) -> int:  # type: ignore[override]
        """The number of the newest bucket."""
        return self._head

    def clear(self, now: float) -> None:
        """Forget all calls, and begin the first bucket at `now`."""
        super().clear(now)
        self._start = now
        self._head = 0

    def begin(self, now: float) -> None:
        """Let time pass, so that `age` says where the call belongs."""
        self.move(now)[0] += self._at_start
        self.total += self._at_start

    def add(self, now: float, failed: bool, slow: bool, age: int, /) -> None:
        """Count what became of the call, unless the bucket it began in is gone."""
        self.move(now)
        if self._head - age < self._many:
            kept = self._kept[age % self._many]
            kept[0] += self._at_end
            kept[1] += failed
            kept[2] += slow
            self.total += self._at_end
            self.failed += failed
            self.slow += slow


class Queue(Window):
    """Buckets that begin with the first call after the one before has ended; each goes `size` after it began."""

    __slots__ = ("_bucket", "_kept", "_size")

    def __init__(self, size: float, bucket: float) -> None:
        self._size = size
        self._bucket = bucket
        super().__init__()

    def clear(self, now: float) -> None:
        """Forget all calls."""
        super().clear(now)
        self._kept: deque[tuple[float, list[int]]] = deque()

    def add(self, now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count the call in the newest bucket, and no longer what is too old."""
        kept = self._kept
        if not kept or now - kept[-1][0] >= self._bucket:
            kept.append((now, [0, 0, 0]))
        while now - kept[0][0] >= self._size:
            _, old = kept.popleft()
            self.total -= old[0]
            self.failed -= old[1]
            self.slow -= old[2]
        newest = kept[-1][1]
        newest[0] += 1
        newest[1] += failed
        newest[2] += slow
        self.total += 1
        self.failed += failed
        self.slow += slow


class Lazy(Window):
    """Buckets of which each call turns one page at most: after a pause the old ones are still there."""

    __slots__ = ("_at", "_bucket", "_kept", "_many", "_since")

    def __init__(self, many: int, bucket: float) -> None:
        self._many = many
        self._bucket = bucket
        self._at = 0
        super().__init__()

    def clear(self, now: float) -> None:
        """Forget all calls; the next one begins a bucket."""
        super().clear(now)
        self._kept = [[0, 0, 0] for _ in range(self._many)]
        self._since = -math.inf

    def add(self, now: float, failed: bool, slow: bool, _age: int, /) -> None:
        """Count the call in the newest bucket, after a new one was begun if that one is full."""
        kept = self._kept[self._at]
        if now - self._since >= self._bucket:
            self._at = (self._at + 1) % self._many
            self._since = now
            kept = self._kept[self._at]
            self.total -= kept[0]
            self.failed -= kept[1]
            self.slow -= kept[2]
            kept[:] = (0, 0, 0)
        kept[0] += 1
        kept[1] += failed
        kept[2] += slow
        self.total += 1
        self.failed += failed
        self.slow += slow

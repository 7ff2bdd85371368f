"""The dependency: some servers with one queue before them, first come, first served, and the trouble it is in.

When a try comes in, all that will happen to it is known already: the queue before it, and the trouble as a function of
time. So it is an answer's time that is asked for, and no event of its own is needed. That a client has given up is not
known to a server: it works on what nobody waits for, which is what makes an overload last.
"""

from __future__ import annotations

from heapq import heapreplace

from halfopen.checkers.simulate import Simulation
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.scenarios import Trouble

# What comes back at once: a refused connection.
_AT_ONCE = 0.001


class Dependency:
    """Servers, their luck, and the trouble. Counts the tries that reach it."""

    __slots__ = ("_begins", "_draws", "_error_rate", "_free", "_over", "_simulation", "_trouble", "tries")

    def __init__(
        self, simulation: Simulation, servers: int, draws: Draws, error_rate: float, trouble: Trouble, begins: float
    ) -> None:
        """All servers idle.

        Args:
            simulation: The clock.
            servers: How many calls are served at once.
            draws: How long each takes, and its luck.
            error_rate: The share of calls that fail when all is well.
            trouble: What goes wrong.
            begins: When the trouble begins.
        """
        self._simulation = simulation
        self._free = [0.0] * servers
        self._draws = draws
        self._error_rate = error_rate
        self._trouble = trouble
        self._begins = begins
        self._over = begins + trouble.over
        self.tries = 0

    def answers(self, part: int) -> tuple[float, bool]:
        """A try comes in, now, for that shard or host; the first one is the one that may be bad.

        Returns:
            When it ends, never before now, and whether it ends well. What is lost in an outage ends, badly, when that
            is over and its connections are reset.
        """
        number, draws, now = self.tries, self._draws, self._simulation.now
        self.tries = number + 1
        if number >= len(draws.services):
            draws.more_tries()
        takes, luck = draws.services[number], draws.chances[number]
        free = self._free
        starts = free[0] if free[0] > now else now  # noqa: FURB136 - this line is passed millions of times
        if starts + takes < self._begins or now >= self._over:
            heapreplace(free, starts + takes)
            return starts + takes, luck >= self._error_rate
        return self._in_trouble(part, now, takes, luck)

    def _in_trouble(self, part: int, now: float, takes: float, luck: float) -> tuple[float, bool]:
        """The same for a try that comes in while there is trouble, or before it and isn't answered until then."""
        trouble, begins, free = self._trouble, self._begins, self._free
        time = now - begins
        if part == 0 and trouble.bad_part(time):
            return now + _AT_ONCE, False
        # It is lost, wherever it is, when the dependency goes down: its connection, and the queue with it.
        down = trouble.goes_down(time)
        starts = max(time, free[0] - begins)
        if down <= starts:
            return begins + trouble.up_again(down), False
        ends = starts + takes * trouble.slower(starts)
        if down <= ends:
            ends = trouble.up_again(down)
            heapreplace(free, begins + ends)
            return begins + ends, False
        # The last bit of a sum makes no answer come before its question.
        ends = max(now, begins + ends)
        heapreplace(free, ends)
        return ends, luck >= self._error_rate + trouble.fails(time)

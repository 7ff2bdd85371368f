"""Print what the benchmarks noted beside their times."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """One line per benchmark: median seconds, states, states a second, peak memory, what to reach."""
    session = getattr(config, "_benchmarksession", None)
    for bench in getattr(session, "benchmarks", None) or ():
        noted = ", ".join(f"{name} {value}" for name, value in bench.extra_info.items())
        terminalreporter.write_line(f"{bench.name}: {bench.stats.median:.3f} s; {noted}")

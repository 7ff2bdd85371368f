"""What is checked of a file, by the end of its name: one table, which every face that is handed files goes by."""

from __future__ import annotations

import importlib
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from halfopen import registry
from halfopen.progress import Deadline, Progress
from halfopen.registry import Capability
from halfopen.run import check
from halfopen.source import MAX_BYTES, BadInput, Problem, read_source
from halfopen.vocabulary import Finding, Outcome, Report, ReportOutcome, Severity, Status


@dataclass(frozen=True)
class FileCheck:
    """How a kind of file is checked, and the tool that tells more of it, if there is one."""

    suffix: str
    # From the file, what messages call it, the project's folder, the progress, and whether there are only seconds.
    run: Callable[..., Report]
    tool: str | None = None


class FileChecks:
    """All kinds of file that are checked: the specs of these capabilities, and what the registry names besides."""

    def __init__(self, capabilities: Iterable[Capability]) -> None:
        specs = [
            FileCheck(suffix, _spec_check(capability), capability.tool)
            for capability in capabilities
            for suffix in capability.file_suffixes
        ]
        others = [FileCheck(suffix, _module_check(module)) for suffix, module in registry.FILE_CHECKERS.items()]
        self.by_suffix = {found.suffix: found for found in (*specs, *others)}

    def of(self, name: str) -> FileCheck | None:
        """What checks a file of that name; None if nothing does."""
        return next((found for suffix, found in self.by_suffix.items() if name.endswith(suffix)), None)

    def check(self, path: Path, *, name: str, root: Path, progress: Progress, quick: bool = False) -> Report:
        """What is wrong with that file.

        Args:
            path: The file.
            name: What messages call it.
            root: The project's folder; what the file draws in is read only inside of it.
            progress: Ends the check early, with what is known by then.
            quick: Whether there are only seconds for it.

        Raises:
            BadInput: nothing checks such a file, it can't be read, or it is not what its name says.
        """
        found = self.of(path.name)
        if found is None:
            message = "its name doesn't say which spec it is."
            raise BadInput([Problem(message, file=name, legal=tuple(self.by_suffix))])
        _plain(path, name)
        return found.run(path.resolve(), name, root.resolve(), progress, quick=quick)

    def check_quickly(self, path: Path, *, name: str, root: Path, seconds: float, progress: Progress) -> Report:
        """The same within about that many seconds: a search that isn't finished by then is no fault of the file.

        Raises:
            BadInput: as `check` does.
        """
        deadline = Deadline(progress, seconds)
        report = self.check(path, name=name, root=root, progress=deadline, quick=True)
        return _without_doubtful(report) if deadline.cancelled() else report


def _spec_check(capability: Capability) -> Callable[..., Report]:
    def run(path: Path, name: str, root: Path, progress: Progress, *, quick: bool) -> Report:
        options = (capability.quick if quick else None) or capability.options()
        source = replace(read_source(path, name, regular=True), folders=(root, path.parent))
        return check(capability, source, options, progress)

    return run


def _module_check(module: str) -> Callable[..., Report]:
    def run(path: Path, name: str, root: Path, _progress: Progress, *, quick: bool) -> Report:  # noqa: ARG001 - it is quick
        # Imported where first used, as capabilities are.
        report = importlib.import_module(module).check(path, name=name, root=root)
        if not isinstance(report, Report):
            raise TypeError(f"{module}.check gives {report!r}, no Report")
        return report

    return run


def _plain(path: Path, name: str) -> None:
    """Refuse what isn't a file to be read to its end: a folder, a pipe, a device.

    Raises:
        BadInput: it is one of these, isn't there, or is too large.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BadInput([Problem("no such file.", file=name)]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput([Problem(f"can't be read: {reason}.", file=name)]) from None
    if not stat.S_ISREG(status.st_mode):
        raise BadInput([Problem("is no plain file.", file=name)])
    if status.st_size > MAX_BYTES:
        raise BadInput([Problem(f"is larger than {MAX_BYTES:,} bytes.", file=name)])


def _without_doubtful(report: Report) -> Report:
    """The report of a search that was cut short, without what only its end could have confirmed."""
    findings = tuple(found for found in report.findings if not _is_doubtful(found))
    if len(findings) == len(report.findings) or any(found.severity is Severity.ERROR for found in findings):
        return report.model_copy(update={"findings": findings})
    return report.model_copy(
        update={
            "summary": "the time was up before the search could confirm what it came upon.",
            "outcome": ReportOutcome.WARN,
            "findings": findings,
            "checks": tuple(check for check in report.checks if check.status is not Status.FAILED),
            "verdicts": tuple(verdict for verdict in report.verdicts if verdict.outcome is not Outcome.VIOLATED),
        }
    )


def _is_doubtful(found: Finding) -> bool:
    run = found.counterexample
    return found.severity is Severity.ERROR and run is not None and not run.replayed

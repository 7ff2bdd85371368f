"""TUNING.md: what the search around the design found, and what more load buys."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.markdown import table
from halfopen.quantities import spell_share
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker import plots
from halfopen_generators.breaker.plan import Policy
from halfopen_generators.breaker.shown import time
from halfopen_generators.breaker.spec import Objective
from halfopen_generators.breaker.tune import SEEDS, Trial, Tuned

PAGE = "TUNING.md"


def artifacts(policy: Policy, tuned: Tuned) -> Iterator[Artifact]:
    """The page and its picture; nothing if the search was interrupted before it had begun."""
    if not tuned.trials:
        return
    picture = plots.trade_off(policy, tuned)
    page = {
        "verdict": _verdict(policy.objective, tuned),
        "searched": f"{len(tuned.trials)} policies around the design met all troubles with {SEEDS} seeds each; none of "
        "them breaks a rule. A simulation is no proof.",
        "tables": [
            table(
                ("Answered well", "Tries per call", "at the worst", "Well again after", "What differs from the design"),
                tuned.rows,
            )
        ],
        "plots": [picture.path],
        "dependency": policy.call.dependency,
        "take": _take(tuned),
    }
    text = environment("halfopen_generators.breaker").get_template(f"pages/{PAGE}.j2").render(page=page)
    yield Artifact(path=PAGE, media_type="text/markdown", text=text)
    yield picture


def chosen(tuned: Tuned) -> Trial:
    """The trial of the policy that was chosen."""
    return next(trial for trial in tuned.trials if trial.plan == tuned.chosen)


def told(tuned: Tuned) -> str:
    """What was chosen, in one sentence."""
    best = chosen(tuned)
    share = spell_share(round(best.goodput, 3))
    return f"{'; '.join(best.differs) or 'the design itself'}: {share} answered well, {best.load:.2f} tries a call"


def _verdict(objective: Objective, tuned: Tuned) -> str:
    wanted = [
        *([f"at least {spell_share(objective.goodput)} answered well"] if objective.goodput is not None else []),
        *([f"at most {objective.amplification:g} tries a call"] if objective.amplification is not None else []),
        *([f"well again within {time(objective.recover_within)}"] if objective.recover_within is not None else []),
    ]
    if not wanted:
        return f"No objective is stated, so goodput counts first, then load. Best: {told(tuned)}."
    met = "It is met" if tuned.met else "Nothing that was tried meets it; nearest"
    return f"The objective: {', '.join(wanted)}. {met} by {told(tuned)}."


def _take(tuned: Tuned) -> str:
    if not chosen(tuned).differs:
        return "Nothing that was tried does better than the design."
    return "To take a row, write its figures into the spec and run it again: the files here are the design's."

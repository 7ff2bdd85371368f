"""The simulation as pictures: SVG that stands alone, without scripts, dates or names that differ from run to run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.plan import Policy
from halfopen_generators.breaker.simulation.measures import Course, Outcome
from halfopen_generators.breaker.simulation.scenarios import Scenario
from halfopen_generators.breaker.simulation.study import DESIGN, Mean, Played, Study
from halfopen_generators.breaker.tune import Tuned

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FOLDER = "plots"
GOODPUT = f"{FOLDER}/goodput.svg"
LOAD = f"{FOLDER}/load.svg"
COURSE = f"{FOLDER}/course.svg"
TRADE_OFF = f"{FOLDER}/tuning.svg"
# What a policy is called where people read.
NAMES: Mapping[Played, str] = {
    "nothing": "no policy",
    "retries only": "retries only",
    "usual figures": "the usual figures",
    DESIGN: "the design",
}
# Told apart by who sees no red or no green (Okabe and Ito, https://jfly.uni-koeln.de/color/), and on the paper that
# each picture brings along, since a page may be light or dark.
_COLOURS: Mapping[Played, str] = {
    "nothing": "#999999",
    "retries only": "#d55e00",
    "usual figures": "#e69f00",
    DESIGN: "#0072b2",
}
_SHADE = "#dddddd"
_INK = "#333333"
_PAPER = "#ffffff"
_WIDTH, _HEIGHT = 960, 440
# The trouble that the time line shows: the plainest one.
_SHOWN: Scenario = "outage"


def plots(policy: Policy, study: Study) -> Iterator[Artifact]:
    """Goodput and load of each trouble, and how one of them goes on; nothing of what was not simulated."""
    if not study.cells:
        return
    of = f"{policy.call.caller} to {policy.call.dependency}"
    shares = _bars(study, f"Calls of {of} answered well within the deadline, %", lambda one: one.goodput * 100, 100)
    yield _picture(GOODPUT, shares)
    load = f"Tries that reach {policy.call.dependency}, for one call"
    yield _picture(LOAD, _bars(study, load, lambda one: one.amplification))
    if all((_SHOWN, name) in study.cells for name in study.played):
        yield _picture(COURSE, _course(study, _SHOWN))


def _bars(study: Study, title: str, of: Callable[[Outcome], float], most: float | None = None) -> Any:
    """A group of bars for each trouble, a bar for each policy, with the interval of the mean."""
    import pygal  # noqa: PLC0415 - a tenth of a second that only a picture needs

    there = [name for name in study.troubles if any((name, played) in study.cells for played in study.played)]
    chart = pygal.Bar(
        **_looks(study.played, stroke=1.5), title=title, x_label_rotation=20, range=(0, most), print_values=False
    )
    chart.x_labels = [study.troubles[name].title for name in there]
    for played in study.played:
        cells = (study.cells.get((name, played)) for name in there)
        chart.add(NAMES[played], [cell and _bar(cell.mean(of), math.inf if most is None else most) for cell in cells])
    return chart


def _bar(mean: Mean, most: float) -> dict[str, Any]:
    return {
        "value": mean.value,
        "ci": {"low": max(0.0, mean.value - mean.half), "high": min(most, mean.value + mean.half)},
    }


def _course(study: Study, name: Scenario) -> Any:
    """The share of the calls of each second that are answered well, of the first seed."""
    import pygal  # noqa: PLC0415 - as above

    trouble, begins = study.troubles[name], study.when.begins
    chart = pygal.XY(
        **_looks(study.played, stroke=2.5, shade=True),
        title=f"{trouble.title.capitalize()}: calls answered well, by the second in which they came in, %",
        x_title=f"seconds from its beginning; its cause is gone after {trouble.until:g} s",
        range=(0, 100),
        show_dots=False,
        x_value_formatter=lambda second: f"{second:g}",
    )
    chart.add("the trouble", [(0, 0), (0, 100), (trouble.until, 100), (trouble.until, 0)], fill=True)
    for played in study.played:
        course = study.cells[name, played].outcomes[0].course
        chart.add(NAMES[played], list(_points(course, begins)))
    return chart


def trade_off(policy: Policy, tuned: Tuned) -> Artifact:
    """What more load buys: the best goodput that was found for each load on the dependency."""
    import pygal  # noqa: PLC0415 - as above

    chart = pygal.XY(
        **_looks({DESIGN: policy.call}, stroke=2.5),
        title=f"What more tries buy: calls of {policy.call.caller} to {policy.call.dependency} answered well, %",
        x_title=f"tries that reach {policy.call.dependency} for one call, over all troubles",
        dots_size=4,
        x_value_formatter=lambda load: f"{load:.2f}",
    )
    chart.add("the best that was found", [(load, 100 * goodput) for load, goodput in tuned.points])
    return _picture(TRADE_OFF, chart)


def _points(course: Course, begins: float) -> Iterator[tuple[float, float]]:
    for step, (came, good) in enumerate(zip(course.came, course.good, strict=True)):
        if came:
            yield (step + 0.5) * course.step - begins, 100 * good / came


def _looks(played: Mapping[Played, object], *, stroke: float, shade: bool = False) -> dict[str, Any]:
    from pygal.style import Style  # noqa: PLC0415 - as above

    colours = tuple(_COLOURS[name] for name in played)
    style = Style(
        background=_PAPER,
        plot_background=_PAPER,
        foreground=_INK,
        foreground_strong=_INK,
        foreground_subtle=_SHADE,
        guide_stroke_color=_SHADE,
        major_guide_stroke_color=_SHADE,
        opacity="1",
        opacity_hover="1",
        stroke_opacity="1",
        stroke_width=f"{stroke:g}",
        transition="0ms",
        font_family="Helvetica, Arial, sans-serif",
        label_font_size=13,
        major_label_font_size=13,
        title_font_size=15,
        legend_font_size=14,
        colors=(_SHADE, *colours) if shade else colours,
        ci_colors=(_INK,) * (len(colours) + shade),
    )
    return {
        "style": style,
        "width": _WIDTH,
        "height": _HEIGHT,
        "explicit_size": True,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": len(colours) + shade,
        "truncate_legend": -1,
        "js": (),
    }


def _picture(path: str, chart: Any) -> Artifact:
    from pygal.etree import etree  # noqa: PLC0415 - as above

    # Where lxml is installed, it would spell the same picture otherwise.
    etree.to_etree()
    # The name by which its styles hold for it alone is random otherwise.
    chart.uuid = PurePosixPath(path).stem
    chart.add_xml_filter(_plain)
    text: str = chart.render(is_unicode=True)
    return Artifact(path=path, media_type="image/svg+xml", text=text.rstrip() + "\n")


def _plain(root: Element) -> Element:
    """The picture without comments (they bear a date), without scripts, and without what only these would show."""
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in ("script", "desc"):
                parent.remove(child)
    return root

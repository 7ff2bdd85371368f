"""The calls above the first one, from an architecture file: who waits for it, for how long, and who tries again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from halfopen.source import BadInput, Problem, Source, nearest, read_source, spell, validate
from halfopen.system import Edge, System
from halfopen_generators.breaker.plan import Upstream
from halfopen_generators.breaker.spec import BreakerSpec

PLACE = ("architecture",)
_READABLE = 20


def upstream(spec: BreakerSpec, source: Source) -> tuple[Upstream, ...]:
    """The path of calls to the caller along which one request of a user is tried most often, outermost first.

    Raises:
        BadInput: the file can't be read, is no architecture, or doesn't know the call.
    """
    if spec.architecture is None:
        return ()
    found = read_source(source.inside(PLACE, spec.architecture), spec.architecture, regular=True)
    system = validate(System, found)
    _known(spec, system, source)
    return _worst(system, spec.caller, found)


def _known(spec: BreakerSpec, system: System, source: Source) -> None:
    """Refuse a call that the architecture doesn't have."""
    if spec.caller not in system.services:
        message = f"{spec.architecture} has no service {spec.caller!r}."
        raise BadInput([_unknown("caller", message, spec.caller, sorted(system.services), source)])
    called = tuple(dict.fromkeys(edge.to for edge in system.services[spec.caller].calls))
    if spec.dependency not in called:
        message = f"{spec.architecture} has no call from {spec.caller} to {spec.dependency}."
        raise BadInput([_unknown("dependency", message, spec.dependency, called, source)])


def _unknown(key: str, message: str, name: str, known: Sequence[str], source: Source) -> Problem:
    """With the nearest of those that are known, and with all of them where they are few enough to be read."""
    if len(known) <= _READABLE:
        return source.problem((key,), message, name, known)
    near = nearest(name, known)
    return source.problem((key,), f"{message} Did you mean {near}?" if near else message, name)


def _worst(system: System, caller: str, found: Source) -> tuple[Upstream, ...]:
    """Along calls that lead in no circle, since what calls itself again has no product of tries."""
    import networkx as nx  # noqa: PLC0415 - a quarter of a second that only a spec with an architecture pays

    graph = nx.DiGraph()
    graph.add_nodes_from(system.services)
    for name, place, edge in _edges(system):
        known = graph.get_edge_data(name, edge.to)
        if known is None or _attempts(edge) > _attempts(known["edge"]):
            graph.add_edge(name, edge.to, edge=edge, place=place)
    circles = {name: number for number, part in enumerate(nx.strongly_connected_components(graph)) for name in part}
    graph.remove_edges_from([(one, other) for one, other in graph.edges if circles[one] == circles[other]])
    # The best way to each: the product of tries, then the number of calls; the first by name of those that are alike.
    best: dict[str, tuple[int, int, str]] = {}
    for name in nx.lexicographical_topological_sort(graph):
        ways = [
            (best[before][0] * _attempts(graph.edges[before, name]["edge"]), best[before][1] + 1, before)
            for before in sorted(graph.predecessors(name))
        ]
        best[name] = max(ways, key=lambda way: way[:2], default=(1, 0, ""))
    path = [caller]
    while before := best[path[-1]][2]:
        path.append(before)
    return tuple(_upstream(graph, found, one, other) for one, other in pairwise(reversed(path)))


def _edges(system: System) -> Iterator[tuple[str, int, Edge]]:
    for name, service in system.services.items():
        for place, edge in enumerate(service.calls):
            yield name, place, edge


def _attempts(edge: Edge) -> int:
    return edge.retries.attempts or 1 if edge.retries else 1


def _upstream(graph: object, found: Source, one: str, other: str) -> Upstream:
    known = graph.edges[one, other]  # type: ignore[attr-defined] # networkx has no types
    edge, location = known["edge"], ("services", one, "calls", known["place"])
    return Upstream(one, other, edge.timeout, _attempts(edge), edge.idempotent, spell(location), str(found.file),
                    found.line(location))  # fmt: skip

"""What an architecture file knows of the calls: who waits for the first one and tries it again, and what they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from halfopen.source import BadInput, Problem, Source, nearest, read_source, spell, validate
from halfopen.system import Edge, System
from halfopen_generators.breaker.contradictions import calls
from halfopen_generators.breaker.plan import Shared, Upstream
from halfopen_generators.breaker.spec import BreakerSpec

PLACE = ("architecture",)
_READABLE = 20


def around(spec: BreakerSpec, source: Source) -> tuple[tuple[Upstream, ...], tuple[Shared, ...]]:
    """What the architecture says of the spec's calls; nothing, if the spec names none.

    First the path of calls to the caller along which one request of a user is tried most often, outermost first; then
    what fallbacks have in common with what they stand in for.

    Raises:
        BadInput: the file can't be read, is no architecture, or doesn't know the call.
    """
    if spec.architecture is None:
        return (), ()
    found = read_source(source.inside(PLACE, spec.architecture), spec.architecture, regular=True)
    system = validate(System, found)
    _known(spec, system, source)
    return _worst(system, spec.caller, found), tuple(_shared(spec, system))


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


def _shared(spec: BreakerSpec, system: System) -> Iterator[Shared]:
    for location, call in calls(spec):
        if call.fallback_dependency in (None, call.dependency):
            continue
        both = _needs(system, call.dependency) & _needs(system, str(call.fallback_dependency))
        if both:
            yield Shared(location, tuple(sorted(both)))


def _needs(system: System, name: str) -> set[str]:
    """The service and all services and stores that it needs to answer, by its calls and theirs."""
    found, new = set[str](), [name]
    while new:
        found.add(here := new.pop())
        service = system.services.get(here)
        if service is not None:
            new += [edge.to for edge in service.calls if edge.to not in found]
            found.update(service.stores)
    return found


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
    line = found.line(location)
    return Upstream(one, other, edge.timeout, _attempts(edge), spell(location), str(found.file), line, edge.idempotent)

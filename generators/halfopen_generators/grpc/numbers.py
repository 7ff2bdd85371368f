"""Which number a field or a value bears: what is released keeps its own, and what is new gets one never used before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from halfopen.protobuf import OWN_NUMBERS
from halfopen.source import BadInput, Problem
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.released import Released
from halfopen_generators.grpc.spec import MAX_NUMBER

if TYPE_CHECKING:
    from halfopen_generators.grpc.plan import Span


@dataclass(frozen=True)
class Wanted:
    """A field to be numbered: by which number if the spec says one, and whether one byte would be worth it."""

    name: str
    number: int | None
    hot: bool
    repeated: bool


def field_numbers(wanted: Sequence[Wanted], released: Released | None) -> dict[str, int]:
    """Every field's number.

    One that the spec says comes first, then the released one. What is left gets the lowest free number, those that
    are hot before those that are repeated before all others, if not all of them fit into one byte.
    """
    old = released or Released()
    given = {field.name: field.number for field in wanted if field.number is not None}
    kept = {
        field.name: old.numbers[field.name]
        for field in wanted
        if field.number is None and field.name in old.numbers and old.numbers[field.name] not in given.values()
    }
    taken = {*given.values(), *kept.values(), *old.numbers.values()}
    rest = [field for field in wanted if field.name not in given and field.name not in kept]
    one_byte = policy().numbers.one_byte.value
    if len(wanted) > one_byte or released is not None:
        rest.sort(key=lambda field: (not field.hot, not field.repeated))
    found = {**given, **kept}
    for field in rest:
        # A hole below the highest number was perhaps used and forgotten, so only what gains by it goes there.
        start = 1 if released is None or field.hot or field.repeated else old.highest + 1
        number = next(_free(start, taken, old))
        if number > one_byte and start == 1 and released is not None:
            number = next(_free(old.highest + 1, taken, old))
        found[field.name] = number
        taken.add(number)
    return found


def value_numbers(names: Iterable[str], given: Mapping[str, int], released: Released | None) -> dict[str, int]:
    """Every value's number but that of the zero; see `field_numbers`."""
    old = released or Released()
    found: dict[str, int] = {}
    taken = {0, *given.values(), *old.numbers.values()}
    for name in names:
        number = given.get(name, old.numbers.get(name))
        if number is None or (name not in given and number in given.values()):
            number = next(_free(old.highest + 1, taken, old, own=()))
        found[name] = number
        taken.add(number)
    return found


def _free(start: int, taken: set[int], old: Released, own: Sequence[int] = OWN_NUMBERS) -> Iterator[int]:
    """The numbers from there on that are nobody's.

    Raises:
        BadInput: none is left.
    """
    number = start
    while number <= MAX_NUMBER:
        behind = old.behind(number)
        if behind == number and number not in taken and number not in own:
            yield number
        number = behind if behind > number else number + 1
    raise BadInput([Problem("reserves so many numbers that none is left for a new field or value.", "previous")])


def reserve(released: Released | None, numbers: Mapping[str, int]) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """What is reserved: what was, and what is deleted by leaving it out, but for what the spec uses again."""
    if released is None:
        return (), ()
    used = set(numbers.values())
    spans = [part for span in released.reserved for part in _without(span, used)]
    gone = {number for number in released.numbers.values() if number not in used}
    gone = {number for number in gone if not any(first <= number <= last for first, last in spans)}
    names = {*released.reserved_names, *released.numbers} - set(numbers)
    return tuple(sorted([*spans, *((number, number) for number in gone)])), tuple(sorted(names))


def _without(span: Span, used: set[int]) -> Iterator[Span]:
    first, last = span
    for number in sorted(number for number in used if first <= number <= last):
        if first < number:
            yield first, number - 1
        first = number + 1
    if first <= last:
        yield first, last

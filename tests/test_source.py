"""Whatever a file holds, it is read as plain data with lines, or refused in words that help."""

# ruff: noqa: E501 - a message is one line, and so stands on one here
from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from halfopen import nodes
from halfopen.source import (
    MAX_BYTES,
    BadInput,
    Problem,
    Source,
    from_data,
    parse_bytes,
    parse_source,
    read_source,
    spell,
    validate,
)
from halfopen.vocabulary import Evidence

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Wheel(Strict):
    size: int = Field(default=1, ge=1, le=9)
    spare: bool = False


class Part(Strict):
    name: Name
    kind: Literal["wood", "steel"] | None = None
    tags: tuple[str, ...] = ()
    wheel: Annotated[
        Wheel | None, BeforeValidator(lambda value: {"size": value} if isinstance(value, int) else value)
    ] = None

    @field_validator("tags")
    @classmethod
    def _no_twins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("every tag stands once")
        return value


class Toy(Strict):
    toy: str
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=3)]
    shops: dict[Name, Wheel] = Field(default_factory=dict)
    price: int | Literal["free"] | None = None
    copies: Literal[1, 2] = 1


def refused(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        validate(Toy, parse_source(text, "toy.yaml"))
    return str(caught.value).splitlines()


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x]"]
    for level in range(levels):
        aliases = ", ".join([f"*a{level}"] * width)
        lines.append(f"a{level + 1}: &a{level + 1} [{aliases}]")
    return "\n".join(lines)


class TestPlainData:
    def test_yaml_1_2(self) -> None:
        text = "a: no\nb: 012\nc: 0o17\nd: 0x1F\ne: 1e3\nf: ~\ng:\nh: 2001-12-14\ni: '1'\nj: True\nk: 1_000\nl: -.inf\n"
        assert parse_source(text).data == {
            "a": "no",
            "b": 12,
            "c": 15,
            "d": 31,
            "e": 1000.0,
            "f": None,
            "g": None,
            "h": "2001-12-14",
            "i": "1",
            "j": True,
            "k": "1_000",
            "l": float("-inf"),
        }

    def test_keys_are_text_as_it_was_written(self) -> None:
        assert parse_source("1: a\nno: b\n0x1F: c\n'': d\n").data == {"1": "a", "no": "b", "0x1F": "c", "": "d"}

    def test_tags_of_the_core_schema(self) -> None:
        assert parse_source("a: !!str 1\nb: ! 2\nc: !!map {}\nd: !!seq []\n").data == {
            "a": "1",
            "b": "2",
            "c": {},
            "d": [],
        }

    def test_json_with_tabs_escapes_and_a_mark_at_its_start(self) -> None:
        data = {"a": ["\U0001f600", "ä", "/", "\t"], "b": {"c": None, "d": [True, -1.5e-3]}}
        for text in (json.dumps(data, indent="\t"), json.dumps(data), json.dumps(data, ensure_ascii=False)):
            assert parse_bytes(b"\xef\xbb\xbf" + text.encode()).data == data

    def test_lines_survive_carriage_returns_and_aliases(self) -> None:
        source = parse_source("# one\r\na: &x\r\n  b: [1,\r\n  2]\r\nc: *x\r\n")
        assert source.data == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}
        assert [source.line(at) for at in [("a",), ("a", "b", 1), ("c",), ("c", "b", 1), ("z",)]] == [2, 4, 5, 4, 2]

    def test_merge_keys(self) -> None:
        text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, x: 9}\nd:\n  <<: [*b, *a]\n'<<': 5\n"
        data = parse_source(text).data
        assert data["c"] == {"x": 9, "y": 2}
        assert data["d"] == {"y": 3, "z": 4, "x": 1}
        assert data["<<"] == 5

    def test_an_alias_of_a_key(self) -> None:
        assert parse_source("&k name: *k\nother: {*k : 1}\n").data == {"name": "name", "other": {"name": 1}}

    def test_arguments_are_held_to_the_same_limits(self) -> None:
        assert from_data({"a": [1]}) == Source({"a": [1]})
        deep: object = 1
        for _ in range(10_000):
            deep = [deep]
        for data in ({"a": deep}, {"a": list(range(nodes.MAX_NODES))}, [1], "text", None):
            with pytest.raises(BadInput):
                from_data(data)


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "toy.yaml: is empty: a spec is a mapping of keys."),
            ("# only words\n", "toy.yaml: is empty: a spec is a mapping of keys."),
            ("---\n~\n", "toy.yaml: is empty: a spec is a mapping of keys."),
            ("\n- a\n", "toy.yaml:2: is a list: a spec is a mapping of keys."),
            ("just words", "toy.yaml:1: is text: a spec is a mapping of keys."),
            ("17", "toy.yaml:1: is a number: a spec is a mapping of keys."),
            ("a: 1\nb:\n  c: 1\n  c: 2\n", "toy.yaml:4: the key 'c' stands twice; the first is in line 3."),
            ("a: b: c", "toy.yaml:1: is not YAML: a ':' stands where no key can be (check the indentation)."),
            ("a:\n\tb: 1", "toy.yaml:2: is not YAML: a tab stands where only spaces may."),
            ("a: [1, 2", "toy.yaml:1: is not YAML: expected ',' or ']', but got '<stream end>'."),
            ("a: 'b", "toy.yaml:1: is not YAML: found unexpected end of stream."),
            ("a: 1\nb: \x00", "toy.yaml:2: is not text: it holds the character '\\x00'."),
            ("a: 1\n---\nb: 1\n", "toy.yaml:2: holds more than one document; one file holds one."),
            ("a: *b", "toy.yaml:1: the alias *b has no anchor &b before it."),
            ("a: &a\n  b: *a", "toy.yaml:2: the alias *a stands inside its own anchor &a."),
            ("a: {<<: 1}", "toy.yaml:1: the merge key << takes a mapping, or a list of them."),
            ("? [a]\n: 1", "toy.yaml:1: a key is text, not a list or a mapping."),
            ('a: "\\ud83d"', "toy.yaml:1: is not text: an escape names half a character."),
            (
                "a: " + "9" * 5000,
                "toy.yaml:1: the number 99999999999999999999... has too many digits (5000).",
            ),
            (
                "a: !!python/object/apply:os.system ['true']",
                "toy.yaml:1: the tag !!python/object/apply:os.system is refused; a value here is plain text, a number, true or false.",
            ),
            (
                "a: !!binary aGVsbG8=",
                "toy.yaml:1: the tag !!binary is refused; a value here is plain text, a number, true or false.",
            ),
            ("a: " + "[" * 51 + "]" * 51, "toy.yaml:1: is nested deeper than 50 levels."),
            ("[" * 100_000, "toy.yaml:1: is nested deeper than 50 levels."),
            ("{a: " * 100_000, "toy.yaml:1: is nested deeper than 50 levels."),
            ("a: " + "x" * MAX_BYTES, "toy.yaml: is larger than 1,048,576 bytes."),
        ],
    )
    def test_in_one_message(self, text: str, message: str) -> None:
        assert refused(text) == [message]

    @pytest.mark.parametrize("levels", [9, 40])
    def test_an_alias_bomb_in_little_memory(self, levels: int) -> None:
        tracemalloc.start()
        try:
            lines = refused(bomb(levels, 9))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert lines == ["toy.yaml:5: holds more than 50000 values once its aliases are followed."]
        # The importing of the parser, at its first use, is the most of it.
        assert peak < 16 * 2**20

    def test_aliases_nested_too_deep(self) -> None:
        assert refused(bomb(60, 1)) == ["toy.yaml:50: is nested deeper than 50 levels."]

    def test_a_merge_bomb(self) -> None:
        lines = ["a0: &a0 {k: v}"]
        lines += [f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}" for n in range(30)]
        assert "once its aliases are followed" in refused("\n".join(lines))[0]


class TestFiles:
    def test_not_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "toy.yaml"
        for raw, message in [
            (b"a: 1\nb: \xff\n", "toy.yaml:2: is not UTF-8 text (byte 8)."),
            ("toy: car".encode("utf-16"), "toy.yaml:1: is not UTF-8 text (byte 0)."),
            (os.urandom(8) + b"\xff\x00" * 500, "is not"),
            (b"x" * (MAX_BYTES + 1), "is larger than 1,048,576 bytes."),
        ]:
            path.write_bytes(raw)
            with pytest.raises(BadInput, match=r"toy\.yaml") as caught:
                read_source(path)
            assert message in str(caught.value)

    def test_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "checkout.toy.yaml").write_text("toy: car")
        for path, message in [
            (tmp_path / "chekout.toy.yaml", "no such file. Did you mean checkout.toy.yaml?"),
            (tmp_path / "q", "no such file."),
            (tmp_path / "no" / "such" / "folder", "no such file."),
            (tmp_path, "can't be read: Is a directory."),
            (tmp_path / "a\0b", "can't be read: embedded null byte."),
            (tmp_path / "checkout.toy.yaml" / "x", "can't be read: Not a directory."),
            (tmp_path / ("n" * 5000), "can't be read: File name too long."),
        ]:
            with pytest.raises(BadInput) as caught:
                read_source(path)
            assert str(caught.value) == f"{path}: {message}"

    def test_where_somebody_else_chose_the_file_only_an_ordinary_one_is_read(self, tmp_path: Path) -> None:
        # Nobody writes into the pipe: opened as a file is, it would keep us waiting for ever.
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path / "pipe", Path("/dev/zero")):
            with pytest.raises(BadInput) as caught:
                read_source(path, regular=True)
            assert str(caught.value) == f"{path}: can't be read: It is no ordinary file."
        with pytest.raises(BadInput, match="Is a directory"):
            read_source(tmp_path, regular=True)
        (tmp_path / "toy.yaml").write_text("a: 1")
        assert read_source(tmp_path / "toy.yaml", regular=True).data == {"a": 1}

    def test_it_bears_the_name_it_is_given(self, tmp_path: Path) -> None:
        (tmp_path / "toy.yaml").write_text("a: 1")
        assert read_source(tmp_path / "toy.yaml", "mine.yaml").file == "mine.yaml"
        with pytest.raises(BadInput, match=r"^mine\.yaml: no such file"):
            read_source(tmp_path / "none.yaml", "mine.yaml")


class TestValidate:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("toy: car\nparts: [{name: a}]\nshops:\n  north: {sise: 2}\n", 'shops.north.sise: unknown key "sise". Did you mean size? Legal: size, spare.'),
            ("toy: car\n\nparts:\n  - {name: a, wheel: {sise: 2}}\n", 'parts[0].wheel.sise: unknown key "sise". Did you mean size? Legal: size, spare.'),
            ("toy: car\nprats: []\n", 'prats: unknown key "prats", and the key "parts" is missing. Did you mean parts? Legal: toy, parts, shops, price, copies.'),
            ("toy: car\nparts: [{kind: wood}]\n", 'parts[0]: the key "name" is missing.'),
            ("shops: {}\n", 'the keys "toy", "parts" are missing.'),
            ("toy: 5\nparts: [{name: a}]\n", "toy: 5 is a number; it has to be text."),
            ("toy:\nparts: [{name: a}]\n", "toy: nothing stands here; it has to be text."),
            ("toy: car\nparts: []\n", "parts: [] is too short; the least number of items is 1."),
            ("toy: car\nparts: [{name: a}, {name: b}, {name: c}, {name: d}]\n", 'parts: [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}] is too long; the greatest number of items is 3.'),
            ("toy: car\nparts: wheel\n", 'parts: "wheel" is text; it has to be a list.'),
            ("toy: car\nparts: [wheel]\n", 'parts[0]: "wheel" is text; it has to be a mapping of keys.'),
            ("toy: car\nparts: [{name: a b}]\n", 'parts[0].name: "a b" doesn\'t fit; it has to be one of A-Z a-z, then 0 to 63 of A-Z a-z 0-9 _ -.'),
            ("toy: car\nparts: [{name: a, kind: wod}]\n", 'parts[0].kind: "wod" is not a legal value. Did you mean wood? Legal: wood, steel.'),
            ("toy: car\nparts: [{name: a, tags: [x, x]}]\n", 'parts[0].tags: ["x", "x"]: every tag stands once.'),
            ("toy: car\nparts: [{name: a, wheel: 12}]\n", "parts[0].wheel: 12 is out of range; it has to be 9 or less."),
            ("toy: car\nparts: [{name: a}]\nshops: {9th: {}}\n", 'shops.9th: "9th" doesn\'t fit; it has to be one of A-Z a-z, then 0 to 63 of A-Z a-z 0-9 _ -.'),
            ("toy: car\nparts: [{name: a}]\nshops: {a: {size: 1.5}}\n", "shops.a.size: 1.5 doesn't fit; it has to be a whole number."),
            ("toy: car\nparts: [{name: a}]\nshops: {a: {spare: maybe}}\n", 'shops.a.spare: "maybe" is text; it has to be true or false.'),
            ("toy: car\nparts: [{name: a}]\nprice: cheap\n", 'price: "cheap" is text; it has to be a whole number; or "cheap" is not a legal value. Legal: free.'),
            ("toy: car\nparts: [{name: a}]\ncopies: 3\n", "copies: 3 is not a legal value. Legal: 1, 2."),
            ("toy: car\nparts: [{name: a}]\n" + "k" * 1000 + ": 1\n", "kkkkkkk"),
        ],
    )  # fmt: skip
    def test_in_plain_words(self, text: str, message: str) -> None:
        lines = refused(text)
        assert len(lines) == 1
        assert message in lines[0]
        assert lines[0].startswith("toy.yaml:")

    def test_one_message_a_place_the_first_line_first(self) -> None:
        text = "toy: car\nparts:\n  - {nmae: 1}\n  - name: 9\n    kind: 8\n    tags: 7\nshops: 6\ncopies: 5\n"
        assert [line.split(": ")[:2] for line in refused(text)] == [
            ["toy.yaml:3", "parts[0].nmae"],
            ["toy.yaml:4", "parts[1].name"],
            ["toy.yaml:5", "parts[1].kind"],
            ["toy.yaml:6", "parts[1].tags"],
            ["toy.yaml:7", "shops"],
            ["toy.yaml:8", "copies"],
        ]

    def test_numbers_as_text_are_numbers(self) -> None:
        toy = validate(Toy, parse_source("toy: '5'\nparts: [{name: a}]\nshops: {a: {size: '3'}}\n"))
        assert (toy.toy, toy.shops["a"].size) == ("5", 3)

    def test_a_megabyte_for_a_key_is_refused_at_its_length(self) -> None:
        (line,) = refused("toy: car\nparts: [{name: a}]\n? '" + "k" * 900_000 + "'\n: 1\n")
        assert len(line) < 600


class TestPlaces:
    SOURCE = parse_source("toy: car\nparts:\n  - name: a\n    wheel: {size: 1}\n", "toy.yaml")

    def test_spelling(self) -> None:
        assert spell(("parts", 0, "wheel", "size")) == "parts[0].wheel.size"
        assert self.SOURCE.evidence("parts", 0, "wheel") == Evidence(path="parts[0].wheel", file="toy.yaml", line=4)
        assert self.SOURCE.evidence() == Evidence(path="whole file", file="toy.yaml", line=1)
        assert str(self.SOURCE.problem(("parts", 0), "is wrong.")) == "toy.yaml:3: parts[0]: is wrong."
        assert str(Problem("is wrong.")) == "input: is wrong."

    def test_evidence_is_located(self) -> None:
        located = self.SOURCE.located
        assert located(Evidence(path="parts[0].wheel.size")).line == 4
        # What a design adds to a spec stands where the part stands that it belongs to.
        assert located(Evidence(path="parts[0].retry.attempts")) == Evidence(
            path="parts[0].retry.attempts", file="toy.yaml", line=3
        )
        assert located(Evidence(path="whole file")).line == 1
        elsewhere = Evidence(path="nowhere[7]")
        assert located(elsewhere) == elsewhere
        mine = Evidence(path="toy", file="other.yaml", line=9)
        assert located(mine) == mine
        assert Source({"toy": 1}).located(Evidence(path="toy")) == Evidence(path="toy")


# A busy machine is no fault of what is tested.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Pieces of which YAML's grammar is made, so that the search meets its corners.
YAML_PIECES = st.sampled_from(
    [
        *("a", "b", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", ", "&x ", "*x", "<<: ", "? ", "!!str ", "!t "),
        *("'", '"', "\\", "\\x4", "\\U99999999", "#", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! x\n", "\t", "\r"),
        *("~", "1", "0o8", "1e9", ".nan", "\ufeff", "\u2028", "\x85", "\ud800", "!<", "!", "&", "*", "@", "`", "="),
        *("| ", ">-", "\0"),
    ]
)


def read(parse: Callable[[], Source]) -> Source | BadInput:
    """Any other exception than `BadInput` fails the test that calls this."""
    try:
        return parse()
    except BadInput as error:
        return error


def assert_plain_or_told(found: Source | BadInput) -> None:
    if isinstance(found, BadInput):
        assert all(problem.message for problem in found.problems)
    else:
        assert isinstance(found.data, dict)
        json.dumps(found.data).encode()
        assert from_data(found.data).data is found.data


@UNTIMED
@given(st.text() | st.lists(YAML_PIECES, max_size=30).map("".join))
@example("a: !<tag:yaml.org,2002:str\n")
@example('a: "\\U99999999"')
@example("%YAML 1.2.3\n---\na: 1")
def test_any_text_is_read_or_refused(text: str) -> None:
    assert_plain_or_told(read(lambda: parse_source(text, "f")))


@UNTIMED
@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    assert_plain_or_told(read(lambda: parse_bytes(raw)))


# YAML, and so its parser, holds a key written on one line to 1,024 characters, escapes included.
KEYS = st.text(max_size=80)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@UNTIMED
@given(st.dictionaries(KEYS, JSON, max_size=5), st.sampled_from([None, 2, "\t"]))
def test_json_means_what_json_says(data: dict[str, object], indent: int | str | None) -> None:
    assert parse_source(json.dumps(data, indent=indent)).data == data


@UNTIMED
@given(st.dictionaries(st.sampled_from(["toy", "parts", "shops", "price", "copies", "x"]), JSON))
def test_any_data_is_a_toy_or_refused_with_a_place_each(data: dict[str, object]) -> None:
    source = Source(data)

    def validated() -> Source:
        validate(Toy, source)
        return source

    found = read(validated)
    if isinstance(found, BadInput):
        places = [problem.path for problem in found.problems]
        assert len(places) == len(set(places))

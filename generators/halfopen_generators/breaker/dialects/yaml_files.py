"""YAML files of several documents, with a word here and there on why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from halfopen import yaml_text
from halfopen.vocabulary import Artifact

# A key that becomes a comment line; its value is None. YAML has longer keys span lines of their own.
_LONGEST = 120
_NOTE = re.compile(r"^( *)'(# .*)': null$", re.MULTILINE)


def note(text: str) -> dict[str, None]:
    """A comment that stands before the key that comes next: `{**note("Why."), "key": value}`.

    Not the first thing in an item of a list, whose dash it would take.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a note has at most {_LONGEST} characters: {text!r}")
    return {f"# {text}": None}


def yaml_file(path: str, *documents: Mapping[str, Any], head: str = "") -> Artifact:
    """Those documents as one file, `head` a comment at its top."""
    texts = [yaml_text.dump(tree) for tree in documents]
    text = "".join(f"# {line}\n" for line in head.splitlines()) + "---\n".join(texts)
    commented = _NOTE.sub(lambda found: f"{found[1]}{found[2].replace(chr(39) * 2, chr(39))}", text)
    return Artifact(path=path, media_type="application/yaml", text=commented)

"""Rules about the operator's code that no linter has."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

OPERATOR = Path(__file__).parents[3] / "operator"
FILES = sorted(OPERATOR.rglob("*.py"))


def test_no_class_name_occurs_twice() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(OPERATOR)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(OPERATOR)))
def test_a_file_has_at_most_300_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300

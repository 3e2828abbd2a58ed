"""Writes the table of values in the chart's README from the comments in values.yaml (`make chart-files`).

The comment of a key is directly above it, in lines that begin with `#` at the key's depth. A mapping with comments
above its keys is a section; any other value is one row with its default.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.chart.rendering import CHART

BEGIN = "<!-- values: generated from values.yaml by `make chart-files` -->"
END = "<!-- end of values -->"


@dataclass(frozen=True)
class Row:
    """One value: its path such as `operator.replicas`, its default as JSON, and its description."""

    path: str
    default: str
    text: str


def rows(values: str) -> list[Row]:
    """Read the rows of a values.yaml, in its order. ValueError for a value without a comment."""
    root = yaml.compose(values, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return list(_rows(root, lines=values.splitlines(), prefix=""))


def table(values: str) -> str:
    """Format the rows as a Markdown table."""
    body = [f"| `{row.path}` | `{row.default}` | {_escape(row.text)} |" for row in rows(values)]
    return "\n".join(["| Key | Default | Description |", "| --- | --- | --- |", *body])


def with_table(readme: str, values: str) -> str:
    """Replace the table between the two marks of a README. ValueError without the marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table(values)}\n\n{END}{after}"


def _rows(node: yaml.MappingNode, *, lines: list[str], prefix: str) -> Iterator[Row]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and any(_comment(child, lines) for child, _ in value.value):
            yield from _rows(value, lines=lines, prefix=f"{path}.")
            continue
        text = _comment(key, lines)
        if not text:
            raise ValueError(f"values.yaml: {path} has no comment")
        yield Row(path=path, default=json.dumps(_plain(value)), text=text)


def _comment(key: yaml.Node, lines: list[str]) -> str:
    indent = " " * key.start_mark.column
    found: list[str] = []
    for line in reversed(lines[: key.start_mark.line]):
        said = re.fullmatch(rf"{indent}# ?(.*)", line)
        if said is None:
            break
        found.insert(0, said[1])
    # A key inside of a line has no comment of its own.
    return " ".join(found) if not lines[key.start_mark.line][: key.start_mark.column].strip() else ""


def _plain(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node))


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Update the README."""
    path: Path = CHART / "README.md"
    path.write_text(with_table(path.read_text(), (CHART / "values.yaml").read_text()))


if __name__ == "__main__":
    main()

"""Writes the comments of values.yaml into values.schema.json as descriptions, which Artifact Hub and editors show.

A value inside of a shared definition has none, because the definition has several places.
"""

import json
from typing import Any

from tests.chart.readme import rows
from tests.chart.rendering import CHART


def with_descriptions(schema: str, values: str) -> str:
    """Set the description of each value. ValueError for a value that the schema does not have."""
    content: dict[str, Any] = json.loads(schema)
    for row in rows(values):
        found: dict[str, Any] | None = content
        for name in row.path.split("."):
            if found is None or "$ref" in found:
                found = None
                break
            if name not in found.get("properties", {}):
                raise ValueError(f"values.schema.json has no {row.path}")
            found = found["properties"][name]
        if found is not None:
            found["description"] = row.text
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Update the schema."""
    path = CHART / "values.schema.json"
    path.write_text(with_descriptions(path.read_text(), (CHART / "values.yaml").read_text()))


if __name__ == "__main__":
    main()

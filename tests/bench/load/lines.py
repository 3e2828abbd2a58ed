"""How figures are printed: `name value unit (ratio to floor) [target]`."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure. `floor` is the same measured without us in the same run, in the same unit; `target` in words."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    target: str = ""

    def __str__(self) -> str:
        parts = [f"{self.name:<58} {self.value:>10.3f} {self.unit}"]
        if self.floor:
            parts.append(f"({self.value / self.floor:.2f} of floor {self.floor:.3f})")
        if self.target:
            parts.append(f"[target {self.target}]")
        return "  ".join(parts)


def show(**fields: object) -> None:
    """Print a line at once."""
    print(Line(**fields), flush=True)  # type: ignore[arg-type]

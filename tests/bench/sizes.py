"""Reads the size of a bench from environment variables."""

from collections.abc import Iterable, Mapping


def whole_numbers(names: Iterable[str], *, prefix: str, environment: Mapping[str, str]) -> dict[str, int]:
    """Read the variables that are set: with the prefix `BENCH_LOAD_`, `runs` is the value of `BENCH_LOAD_RUNS`.

    Raises ValueError for a value that is not a whole number of at least 1.
    """
    variables = {name: f"{prefix}{name.upper()}" for name in names}
    found = {name: int(environment[variable]) for name, variable in variables.items() if environment.get(variable)}
    for name, value in found.items():
        if value < 1:
            raise ValueError(f"{variables[name]} must be at least 1")
    return found

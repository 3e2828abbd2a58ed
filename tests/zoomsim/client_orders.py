"""The HTTP side of the client of the control routes."""

from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import TypeAdapter

T = TypeVar("T")


class OrderRefused(Exception):  # noqa: N818 - the order was wrong, nothing broke
    """The simulator refused an order; the text has the reason."""


class OrderClient:
    """Sends orders to a running simulator.

    `base_url` is the address that Zoom's callers use. `http`, a client of the simulator's base, is used and closed
    instead of one of `base_url`: a simulator in a cluster has another address outside of it.
    """

    def __init__(self, base_url: str, *, http: httpx.Client | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = http or httpx.Client(base_url=self.base_url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _order(self, method: str, path: str, content: object = None, *, gives: type[T]) -> T:
        answer = self._http.request(method, f"/sim/{path}", json=None if content is None else plain(content))
        if answer.status_code != 200:
            raise OrderRefused(f"{method} /sim/{path.partition('?')[0]}: {answer.text}")
        return TypeAdapter(gives).validate_json(answer.content)


def plain(content: object) -> Any:
    """Turn an order into what JSON can hold."""
    return TypeAdapter(object).dump_python(content, mode="json")

"""Zoom's errors as exceptions, one class for each of its two formats."""

from collections.abc import Mapping


class ZoomError(Exception):
    """An error of the REST interface: `{"code": …, "message": …}`."""

    def __init__(self, *, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}/{code}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class OAuthError(Exception):
    """An error of the token endpoint: `{"reason": …, "error": …}`."""

    def __init__(self, *, error: str, reason: str, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.reason = reason


class NoSuchObject(LookupError):  # noqa: N818 - it is what happened, not an "error"
    """A control call named an object that the simulated world does not have."""


def invalid_token() -> ZoomError:
    """401/124 for a token that Zoom does not know or has revoked."""
    return ZoomError(status=401, code=124, message="Invalid access token.")


def expired_token() -> ZoomError:
    """401/124 for an expired token."""
    return ZoomError(status=401, code=124, message="Access token is expired.")


def missing_scopes(names: tuple[str, ...]) -> ZoomError:
    """400/4711 with the scopes by name."""
    message = f"Invalid access token, does not contain scopes:[{', '.join(names)}]."
    return ZoomError(status=400, code=4711, message=message)


def no_such_meeting(meeting_id: object) -> ZoomError:
    """404/3001."""
    return ZoomError(status=404, code=3001, message=f"Meeting does not exist: {meeting_id}.")


def no_such_user(user: object) -> ZoomError:
    """404/1001."""
    return ZoomError(status=404, code=1001, message=f"User does not exist: {user}.")


def may_not_host() -> ZoomError:
    """400/3161 for a user without a licence to host."""
    message = "Your user account is not allowed meeting hosting and scheduling capabilities."
    return ZoomError(status=400, code=3161, message=message)


def invalid_id() -> ZoomError:
    """400/300 for a meeting id that is none."""
    return ZoomError(status=400, code=300, message="Invalid meeting id.")


def invalid_parameter(field: str) -> ZoomError:
    """400/300 for a query parameter that Zoom does not take."""
    return ZoomError(status=400, code=300, message=f"Validation Failed. Invalid field: {field}.")

"""The errors that refuse a request: an HTTP status, a code for programs, a message for people, the wrong field."""

from http import HTTPStatus


class RefusedError(Exception):
    """The shop refuses the request, and has changed nothing.

    `field` is the wrong field of the body ("lines[0].qty"), or the wrong parameter.
    """

    def __init__(
        self, status: HTTPStatus, code: str, message: str, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


def invalid(field: str, message: str) -> RefusedError:
    """Return the error for a field or a parameter of a wrong form."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "InvalidRequest", message, field)


def not_found(what: str) -> RefusedError:
    """Return the error for a resource that does not exist."""
    return RefusedError(HTTPStatus.NOT_FOUND, "NotFound", f"There is no such {what}.")


def busy() -> RefusedError:
    """Return the error for a request that may succeed when the client sends it again."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "The shop is busy. Send the same request again."
    )

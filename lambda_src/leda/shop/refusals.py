"""Why a request is refused: an HTTP status, a code for programs, a sentence for people, the place that is wrong."""

from http import HTTPStatus


class RefusedError(Exception):
    """The request is not done, and nothing of it. `field`: a place in the body ("lines[0].qty") or a parameter."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


def invalid(field: str, message: str) -> RefusedError:
    """The request's shape is wrong there."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "InvalidRequest", message, field)


def not_found(what: str) -> RefusedError:
    """There is no such thing."""
    return RefusedError(HTTPStatus.NOT_FOUND, "NotFound", f"There is no such {what}.")


def busy() -> RefusedError:
    """It may well be done if it is asked again."""
    return RefusedError(
        HTTPStatus.SERVICE_UNAVAILABLE, "Busy", "The shop is busy. Send the same request again."
    )

"""Signs requests with AWS Signature Version 4, in the form of services with the JSON protocol: a body and no query.

The signing key is derived once a day. botocore derives it, and builds and sorts the headers, for every request.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import os
import time
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from botocore.exceptions import NoCredentialsError

CONTENT_TYPE = "application/x-amz-json-1.0"

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """An access key; `token` is the session token of a role's credentials, None for a user's."""

    access_key: str
    secret_key: str
    token: str | None


def credentials_from_environment() -> Callable[[], Credentials]:
    """Return a function that returns the current credentials. Raises NoCredentialsError.

    Lambda sets the credentials as environment variables, which are valid as long as the execution environment exists.
    botocore finds and refreshes all others: a container's, a profile's, and variables with an expiration time.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if key and secret and not os.environ.get("AWS_CREDENTIAL_EXPIRATION"):
        fixed = Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None)
        return lambda: fixed
    # Not at the top, because the import takes 170 ms of a cold start.
    import botocore.session

    found = botocore.session.get_session().get_credentials()
    if found is None:
        raise NoCredentialsError()

    def current() -> Credentials:
        frozen = found.get_frozen_credentials()
        # The stubs allow keys that are None, but credentials that botocore has found have none.
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)  # type: ignore[arg-type]

    return current


class Signer:
    """Signs the requests to `host` for one service of a region; for any number of threads."""

    def __init__(
        self, credentials: Callable[[], Credentials], region: str, service: str, host: str
    ) -> None:
        self._credentials = credentials
        self._host = host
        self._region = region
        self._service = service
        # Secret key, day, and the signing key derived from both. Replaced as a whole, so that threads need no lock.
        self._derived = ("", "", b"")

    def head(self, target: str, body: bytes, seconds: float | None = None) -> bytes:
        """Return the head of a request with this body to the operation `target`, signed at `seconds` (None: now)."""
        access_key, secret_key, token = self._credentials()
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
        day = moment[:8]
        signed = "content-type;host;x-amz-date;x-amz-target"
        token_line = token_header = ""
        if token:
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
            token_line = f"x-amz-security-token:{token}\n"
            token_header = f"X-Amz-Security-Token: {token}\r\n"
        canonical = (
            f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{moment}\n"
            f"{token_line}x-amz-target:{target}\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = _hmac(self._key(secret_key, day), text).hex()
        return (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"X-Amz-Date: {moment}\r\n{token_header}X-Amz-Target: {target}\r\n"
            f"Authorization: {_ALGORITHM} Credential={access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}\r\n"
            f"User-Agent: LEDA\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()

    def _key(self, secret_key: str, day: str) -> bytes:
        of_secret, of_day, key = self._derived
        if of_secret != secret_key or of_day != day:
            key = f"AWS4{secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._derived = (secret_key, day, key)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

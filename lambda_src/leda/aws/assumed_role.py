"""Makes a boto3 session with the credentials of another role, which are refreshed before they expire."""

from typing import Any

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials

from leda.aws import clients


def session_of(role: str, name: str) -> boto3.Session:
    """Return a session that assumes the role (an ARN) at its first call; `name` becomes the role session's name."""
    session = botocore.session.get_session()
    session.get_component("credential_provider").insert_before("env", _AssumedRole(role, name))
    return boto3.Session(botocore_session=session)


class _AssumedRole(CredentialProvider):
    METHOD = "assumed-role"

    def __init__(self, role: str, name: str) -> None:
        super().__init__()
        self._sts = clients.sdk("sts")
        self._request: Any = {"RoleArn": role, "RoleSessionName": name}

    def load(self) -> DeferredRefreshableCredentials:
        """Return credentials that are fetched at the first call."""
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)

    def _fetch(self) -> dict[str, str]:
        found = self._sts.assume_role(**self._request)["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }

"""The way to the replica's table: its Region, and a role of its account where there is one."""

from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials

from leda.aws import sdk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client(region: str, role: str | None, function: str) -> "DynamoDBClient":
    """A DynamoDB client for `region`; with `role` (an ARN), one that assumes it and does so again before it ends."""
    if role is None:
        return boto3.client("dynamodb", region_name=region, config=sdk.CLIENT)
    session = botocore.session.get_session()
    session.get_component("credential_provider").insert_before("env", _AssumedRole(role, function))
    return boto3.Session(botocore_session=session, region_name=region).client(
        "dynamodb", config=sdk.CLIENT
    )


class _AssumedRole(CredentialProvider):
    METHOD = "assumed-role"

    def __init__(self, role: str, function: str) -> None:
        super().__init__()
        self._sts = boto3.client("sts", config=sdk.CLIENT)
        self._request: Any = {"RoleArn": role, "RoleSessionName": function}

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are fetched when the first call needs them."""
        return DeferredRefreshableCredentials(self._fetch, self.METHOD)

    def _fetch(self) -> dict[str, str]:
        found = self._sts.assume_role(**self._request)["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }

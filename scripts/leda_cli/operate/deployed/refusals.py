"""What AWS's refusals mean for the operator: a right that is missing, credentials that have expired, another Region.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

RIGHTS = "docs/runbook.md lists the rights of each command (What an operator needs)"

# The codes differ by service: DynamoDB and Lambda have the first, IAM and S3 the second, SNS the third.
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "AuthorizationError"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_UNKNOWN = frozenset(
    {
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED_CALL = re.compile(
    r"not authorized to perform: (?P<action>[a-z0-9-]+:\w+)(?: on resource: \"?(?P<resource>[^\s\"]+))?"
)


def denied_action(error: ClientError) -> str | None:
    """The action that the caller's credentials lack; None: it is another error.

    Where the service does not say which, it is the name of the operation.

    >>> denied_action(ClientError({"Error": {"Code": "AccessDenied", "Message": "..."}}, "ListAlarms"))
    'ListAlarms'
    """
    if error.response["Error"]["Code"] not in _DENIED:
        return None
    match = _DENIED_CALL.search(error.response["Error"].get("Message", ""))
    return match["action"] if match else error.operation_name


def explained(error: BotoCoreError | ClientError) -> tuple[str, str] | None:
    """What a refusal means, and what to do about it; None for an error of another kind."""
    return _of_client(error) if isinstance(error, ClientError) else _of_settings(error)


def _of_client(error: ClientError) -> tuple[str, str] | None:
    code = error.response["Error"]["Code"]
    if action := denied_action(error):
        match = _DENIED_CALL.search(error.response["Error"].get("Message", ""))
        where = f" on {match['resource']}" if match and match["resource"] else ""
        return f"your credentials lack the right {action}{where}", f"ask for it; {RIGHTS}"
    if code in _EXPIRED:
        return "your credentials have expired", "sign in again (`aws sso login`, or new keys)"
    if code in _UNKNOWN:
        return (
            f"AWS does not know your credentials ({code})",
            "look at AWS_PROFILE, or at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; a wrong clock "
            "of this machine has the same effect",
        )
    return None


def _of_settings(error: BotoCoreError) -> tuple[str, str] | None:
    match error:
        case SSOError() | TokenRetrievalError():
            return f"you are not signed in: {error}", "run `aws sso login` with your profile"
        case ProfileNotFound():
            return str(error), "set AWS_PROFILE to a profile of ~/.aws/config, or unset it"
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return (
                f"there are no credentials: {error}",
                "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without --aws the command "
                "uses local AWS",
            )
        case NoRegionError():
            return "no Region is set", "set AWS_REGION to the Region of the stack"
        case InvalidRegionError() | EndpointConnectionError():
            return (
                str(error),
                "look at AWS_REGION, which must be the name of a Region, and at the network of this machine",
            )
    return None

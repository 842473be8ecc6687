"""MiniStack: the emulator for the shop, which needs services that LocalStack has only with an account.

It has HTTP APIs, Cognito, Firehose, Glue and Athena. docs/shop.md lists how it differs from AWS. Above all, it loses
records where AWS retries them, so nothing that runs on it shows how a failure is handled.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leda_cli.develop import toolchain
from leda_cli.develop.instance import Instance

SERVICES = (
    "apigateway",
    "athena",
    "cloudfront",
    "cognito-idp",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "firehose",
    "glue",
    "iam",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "sns",
    "sqs",
    "sts",
)
SETTINGS = {
    "ATHENA_ENGINE": "duckdb",
    # Requests are signed, and roles may do what their policies say.
    "AUTH": "true",
    "BIND_HOST": "127.0.0.1",
    "IOT_MTLS_ENABLED": "false",
    "LAMBDA_EXECUTOR": "local",
    # Each concurrent invocation is a process, and two cores start few Python processes sooner than many. Further calls
    # get 429, as on AWS above the account's limit. Delivering changes needs two at a time.
    "LAMBDA_ACCOUNT_CONCURRENCY": "6",
    "LAMBDA_WARM_TTL_SECONDS": "3600",
    "PERSIST_STATE": "0",
    "SFTP_ENABLED": "false",
}

_API = re.compile(r"https?://([a-z0-9]+)\.execute-api\.[a-z0-9.:-]+")
_SIGN_IN = re.compile(r"https://[a-z0-9-]+\.auth\.[a-z0-9-]+\.amazoncognito\.com")


class MiniStack(Instance[Path]):
    """An instance of MiniStack."""

    TITLE = "MiniStack"
    HEALTH = "/_ministack/health"
    PORT_SETTING = "LEDA_SHOP_PORT"

    def install(self) -> Path:
        """MiniStack's own environment, in which the functions run too."""
        return toolchain.install_ministack()

    def command(self, tools: Path) -> list[str]:
        """The server in the foreground. -P keeps the modules beside the file out of MiniStack's imports."""
        return [str(tools), "-P", str(Path(__file__).with_name("ministack_server.py"))]

    def interpreters(self, tools: Path) -> list[Path]:
        """MiniStack's own."""
        return [tools]

    def variables(self, port: int, tools: Path) -> dict[str, str]:
        """SETTINGS, and where everything is."""
        return {
            **SETTINGS,
            "PATH": os.pathsep.join([str(tools.parent), os.environ.get("PATH", os.defpath)]),
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "S3_DATA_DIR": str(self.folder / "root" / "s3"),
            "STATE_DIR": str(self.folder / "root" / "state"),
            "SERVICES": ",".join(SERVICES),
        }


def local_addresses(text: str, port: int) -> str:
    """Replace AWS's addresses of APIs and sign-in pages in a text by those at which MiniStack serves them.

    Terraform outputs AWS's host names, which do not resolve to this machine. MiniStack serves each API under a path of
    its own, and the sign-in page of every user pool at its root.
    """
    endpoint = f"http://127.0.0.1:{port}"
    text = _API.sub(lambda api: f"{endpoint}/_aws/execute-api/{api[1]}", text)
    return _SIGN_IN.sub(endpoint, text)


def allow_what_ministack_mistakes(client: Callable[[str], Any], site: str) -> None:
    """Loosen policies that are right on AWS but that MiniStack understands wrongly. Call it after each apply.

    client: makes a client of a service.
    site: the bucket of the site.

    MiniStack speaks HTTP, so a bucket that requires TLS refuses every request. It checks a call to a table's stream
    against all resources, so it refuses a role with the stream's ARN. It requires dynamodb:BatchExecuteStatement, which
    does not exist on AWS: there, each statement needs the right of its kind. It takes a request for one event source
    mapping for a request to list them. Its CloudFront has no host name that resolves, so browsers read the site from
    the bucket.
    """
    s3, iam = client("s3"), client("iam")
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket_policy(Bucket=bucket["Name"])  # it says nothing but "TLS only"
    s3.delete_public_access_block(Bucket=site)
    read = _allow(["s3:GetObject"], f"arn:aws:s3:::{site}/*")
    read["Principal"] = "*"
    s3.put_bucket_policy(Bucket=site, Policy=_policy([read]))
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)
            actions = _mistaken_actions(policy["PolicyDocument"])
            if actions and name != _MISTAKEN:
                document = _policy([_allow(actions, "*")])
                iam.put_role_policy(
                    RoleName=role["RoleName"], PolicyName=_MISTAKEN, PolicyDocument=document
                )


_MISTAKEN = "mistaken"


def _mistaken_actions(policy: dict[str, Any]) -> list[str]:
    found = []
    for statement in policy["Statement"]:
        if any("/stream/" in resource for resource in statement["Resource"]):
            found += statement["Action"]
        if any(action.startswith("dynamodb:PartiQL") for action in statement["Action"]):
            found.append("dynamodb:BatchExecuteStatement")
        if "lambda:GetEventSourceMapping" in statement["Action"]:
            found.append("lambda:ListEventSourceMappings")
    return found


def _allow(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})

"""The AWS account that a command works on, local AWS or a real one: its endpoint, and clients of its services.

Local AWS is the default: `.local/env` says where it answers. A real account is used only when asked for (`--aws`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from leda_cli.base.clients import callers_client, local_client
from leda_cli.base.errors import LedaError, this_command
from leda_cli.base.output import error_console
from leda_cli.base.paths import ENV_FILE, IS_CHECKOUT, MINISTACK_ENV_FILE, ROOT
from leda_cli.operate.deployed.refusals import explained

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

AwsOption = Annotated[
    bool,
    typer.Option(
        "--aws",
        help="Use the AWS account of the usual environment (AWS_PROFILE, AWS_REGION), not local AWS.",
    ),
]

_EXPORT = re.compile(r"""^\s*(?:export\s+)?([A-Z_][A-Z0-9_]*)=(["']?)(.*?)\2\s*$""")


def _client_of(service: str) -> cached_property[Any]:
    return cached_property(lambda account: account._client(service))


@dataclass(frozen=True)
class Account:
    """An account, by the settings that clients of it take."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """AWS_* settings of local AWS, which take the place of the process's own; empty for a real account."""

    @classmethod
    def chosen(cls, aws: bool) -> Account:
        """The account that the option `--aws` means. Raises LedaError where local AWS is not set up."""
        if aws:
            return cls()
        if not IS_CHECKOUT:
            raise LedaError(
                "local AWS is a part of a checkout of LEDA, and this command is installed without one",
                "pass --aws for the account of your AWS environment (AWS_PROFILE, AWS_REGION)",
            )
        return cls(read_env(ENV_FILE))

    @property
    def endpoint(self) -> str | None:
        """Where local AWS answers; None for a real account."""
        return self.environment.get("AWS_ENDPOINT_URL")

    # boto3's clients, each made at its first use.
    cloudwatch: ClassVar[cached_property[CloudWatchClient]] = _client_of("cloudwatch")
    dynamodb: ClassVar[cached_property[DynamoDBClient]] = _client_of("dynamodb")
    iam: ClassVar[cached_property[IAMClient]] = _client_of("iam")
    kinesis: ClassVar[cached_property[KinesisClient]] = _client_of("kinesis")
    lambdas: ClassVar[cached_property[LambdaClient]] = _client_of("lambda")
    logs: ClassVar[cached_property[CloudWatchLogsClient]] = _client_of("logs")
    s3: ClassVar[cached_property[S3Client]] = _client_of("s3")
    sns: ClassVar[cached_property[Any]] = _client_of("sns")
    streams: ClassVar[cached_property[DynamoDBStreamsClient]] = _client_of("dynamodbstreams")

    def _client(self, service: str) -> Any:
        if self.environment:
            return local_client(service, self.environment)
        return callers_client(service)

    @contextmanager
    def reached(self, problem: str, fix: str, local_fix: str = "run `make up`") -> Iterator[None]:
        """Around the first calls: a refusal is the `problem`, which `fix` cures in a real account.

        Says on standard error which account, Region and endpoints a real one has: what follows may cost money there.
        """
        try:
            if not self.environment:
                # On standard error: standard output may be JSON.
                error_console.print(f"    {escape(self._account())}")
            yield
        except (ClientError, BotoCoreError) as error:
            raise self._refusal(error, problem, fix, local_fix) from error

    def _refusal(
        self, error: ClientError | BotoCoreError, problem: str, fix: str, local_fix: str
    ) -> LedaError:
        if not self.endpoint and (found := explained(error)):
            return LedaError(f"{problem}: {found[0]}", found[1])
        if isinstance(error, ClientError):
            return LedaError(
                f"{problem}: {error.response['Error'].get('Message', error)}",
                (local_fix if self.endpoint else f"look at the account and the Region, run {fix}"),
            )
        if self.endpoint:
            return LedaError(
                f"nothing answers at {self.endpoint}, where local AWS was: {error}", "run `make up`"
            )
        return LedaError(
            f"AWS cannot be called: {error}",
            "look at AWS_PROFILE, AWS_REGION and the network; without --aws the command uses local AWS",
        )

    def _account(self) -> str:
        """The account, the Region and the endpoints that the caller's settings mean."""
        identity = self._client("sts").get_caller_identity()
        clients = (self.dynamodb, self.streams, self.kinesis, self.lambdas, self.s3)
        endpoints = dict.fromkeys(client.meta.endpoint_url for client in clients)
        return (
            f"AWS account {identity['Account']}, Region {self.dynamodb.meta.region_name}, "
            f"{', '.join(endpoints)}"
        )


@contextmanager
def answering(endpoint: str | None) -> Iterator[None]:
    """Turn a call that the stack does not answer, or refuses, into an error that says what to do."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        found = None if endpoint else explained(error)
        if found:
            raise LedaError(*found) from error
        raise LedaError(
            f"{f'local AWS at {endpoint}' if endpoint else 'AWS'} no longer answers as it should: {error}",
            (
                "look at `leda status` and begin again with `make up`"
                if endpoint
                else f"look at the account's limits, and run {this_command()} again"
            ),
        ) from error


def read_env(path: Path) -> dict[str, str]:
    """The settings in a file of `export NAME=value` lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise not_set_up(path, error) from error
    matches = map(_EXPORT.match, text.splitlines())
    return {match[1]: match[3] for match in matches if match}


def not_set_up(path: Path, error: OSError) -> LedaError:
    """The error for a file of local AWS that cannot be read."""
    shop = (
        f"; the shop's own local AWS: `. {_shown(MINISTACK_ENV_FILE)}`, and the command with --aws"
        if MINISTACK_ENV_FILE.exists()
        else ""
    )
    return LedaError(
        f"{_shown(path)} cannot be read ({error.strerror}): local AWS is not set up",
        f"run `make up`, or pass --aws for the account of your AWS environment{shop}",
    )


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path

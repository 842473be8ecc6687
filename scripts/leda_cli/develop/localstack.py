"""LocalStack without Docker: the emulator on which everything but the shop runs."""

from __future__ import annotations

import os
from pathlib import Path

from leda_cli.develop import toolchain
from leda_cli.develop.instance import Instance
from leda_cli.develop.toolchain import Toolchain

SERVICES = (
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "events",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "resourcegroupstaggingapi",
    "s3",
    "sns",
    "sqs",
    "sts",
)
# docs/local-aws.md has the reasons. Values were measured with bursts of 10,000 messages on two cores.
SETTINGS = {
    "EAGER_SERVICE_LOADING": "0",
    "DNS_ADDRESS": "0",
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "OVERRIDE_IN_DOCKER": "0",
    "PERSISTENCE": "0",
    "PROVIDER_OVERRIDE_DYNAMODB": "v2",
    "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
    "DYNAMODB_IN_MEMORY": "1",
    "DYNAMODB_HEAP_SIZE": "1g",
    "KINESIS_LATENCY": "0",
    # Otherwise LocalStack's Kinesis writes all of its data to disk every five seconds.
    "KINESIS_PERSISTENCE": "0",
    "KINESIS_MOCK_VERSION": "0.5.2",
    "KINESIS_SHARD_LIMIT": "500",
    "LAMBDA_RUNTIME_EXECUTOR": "process",
    # The plugin sets the pace at which a mapping polls its shards.
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.01",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.2",
    # Environments stay warm for an hour: a cold start costs more here than an idle process.
    "LAMBDA_KEEPALIVE_MS": "3600000",
}


class LocalStack(Instance[Toolchain]):
    """An instance of LocalStack."""

    TITLE = "LocalStack"
    HEALTH = "/_localstack/health"
    PORT_SETTING = "LEDA_PORT"

    def install(self) -> Toolchain:
        """LocalStack with the project's plugin, its emulators and the functions' interpreter."""
        return toolchain.install()

    def command(self, tools: Toolchain) -> list[str]:
        """The runtime itself, because `localstack start --host` needs Docker."""
        return [str(tools.localstack_python), "-m", "localstack.runtime.main"]

    def interpreters(self, tools: Toolchain) -> list[Path]:
        """LocalStack's and the functions'."""
        return [tools.localstack_python, tools.functions_python]

    def variables(self, port: int, tools: Toolchain) -> dict[str, str]:
        """SETTINGS, and where everything is."""
        tools_first = dict.fromkeys([str(tools.node.parent), str(tools.java.parent)])
        return {
            **SETTINGS,
            "PATH": os.pathsep.join([*tools_first, os.environ.get("PATH", os.defpath)]),
            "FILESYSTEM_ROOT": str(self.folder / "root"),
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "LOCALSTACK_HOST": f"127.0.0.1:{port}",
            "SERVICES": ",".join(SERVICES),
            "LEDA_DYNAMODB_LOCAL": str(tools.dynamodb_local),
            "LEDA_KINESIS_LOCAL": str(tools.kinesis_local),
            "LEDA_FUNCTIONS_PYTHON": str(tools.functions_python),
        }

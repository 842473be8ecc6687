"""Lets LocalStack use emulators that are already on the disk.

LEDA_DYNAMODB_LOCAL   folder with DynamoDBLocal.jar
LEDA_KINESIS_LOCAL    folder with kinesis-local's main.js

`java` and `node` are the first ones on PATH. Otherwise LocalStack would download DynamoDB Local, a Java agent, a JRE
and kinesis-local on the first call to each service.
"""

import os
import tempfile


def install() -> None:
    """Patch LocalStack's installers of the emulators whose folder is set in the environment."""
    if folder := os.environ.get("LEDA_DYNAMODB_LOCAL"):
        _use_dynamodb_local(folder)
    if folder := os.environ.get("LEDA_KINESIS_LOCAL"):
        _use_kinesis_local(folder)


# DynamoDB Local runs for minutes and works on one thread. Without the optimizing compiler and with the serial garbage
# collector, its first 2,500 PartiQL writes take 1.6 s of CPU instead of 3.7 s, later ones 0.9 s instead of 1.5 s.
JAVA_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def java_command(command: list[str], scratch: str) -> list[str]:
    """Return LocalStack's command for DynamoDB Local without the Java agent, and with temporary files in `scratch`.

    The agent raises a limit on indexes that LEDA does not reach. Java ignores TMPDIR, so DynamoDB Local would unpack a
    library in /tmp on every start, and Java would keep its performance data there.
    """
    java, *arguments = [part for part in command if not part.startswith("-javaagent:")]
    return [java, *JAVA_FLAGS, "-XX:-UsePerfData", f"-Djava.io.tmpdir={scratch}", *arguments]


def _use_dynamodb_local(folder: str) -> None:
    from localstack.services.dynamodb.packages import DynamoDBLocalPackageInstaller
    from localstack.services.dynamodb.server import DynamodbServer

    shell_command = DynamodbServer._create_shell_command
    DynamoDBLocalPackageInstaller.install = lambda self, target=None: None
    DynamoDBLocalPackageInstaller.get_installed_dir = lambda self: folder
    DynamoDBLocalPackageInstaller.get_java_env_vars = lambda self: {}
    DynamodbServer._create_shell_command = lambda self: java_command(
        shell_command(self), tempfile.gettempdir()
    )


def _use_kinesis_local(folder: str) -> None:
    from localstack.services.kinesis.packages import KinesisMockNodePackageInstaller

    main = os.path.join(folder, "main.js")
    KinesisMockNodePackageInstaller.install = lambda self, target=None: None
    KinesisMockNodePackageInstaller.get_installed_dir = lambda self: folder
    KinesisMockNodePackageInstaller.get_executable_path = lambda self: main

"""Which variables of the caller's shell a command uses, for itself and for the programs that it starts.

A shell may be set up for another AWS account, a proxy, or options for every run of Terraform or Java. Variables that
would change what a command does, or where its calls go, are dropped. Those that say how to reach the network, a package
index or a registry stay.

Standard library only: scripts/bootstrap uses it before there is an environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping, Sequence

LOOPBACK = ("127.0.0.1", "localhost", "::1")

# Dropped, unless _KEPT matches too.
_DROPPED = re.compile(
    # boto3, the AWS CLI, Terraform's provider
    r"AWS_.*"
    # Python, and environments that are active
    r"|PYTHON.*|__PYVENV_LAUNCHER__|VIRTUAL_ENV|CONDA_PREFIX"
    r"|PIP_.*|UV_.*"
    # Terraform and tflocal (any service's endpoint)
    r"|TF_.*|LOCALSTACK_.*|.*_ENDPOINT|EDGE_PORT|S3_HOSTNAME|LS_PROVIDERS_FILE|DRY_RUN|SKIP_ALIASES|USE_EXEC"
    r"|ADDITIONAL_TF_OVERRIDE_LOCATIONS|CUSTOMIZE_ACCESS_KEY"
    # Java, Node
    r"|CLASSPATH|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS"
    r"|NODE_OPTIONS|NODE_PATH|(?i:npm_config_.*)"
)
_KEPT = re.compile(
    r"PYTHON(IOENCODING|UTF8|UNBUFFERED|DONTWRITEBYTECODE)"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|PROXY|CERT|CLIENT_CERT|TIMEOUT|RETRIES"
    r"|CONFIG_FILE|KEYRING_PROVIDER)"
    r"|UV_((DEFAULT_|EXTRA_)?INDEX(_.*)?|FIND_LINKS|NO_INDEX|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|OFFLINE"
    r"|HTTP_TIMEOUT|HTTP_RETRIES|CONFIG_FILE|KEYRING_PROVIDER)"
    r"|TF_(CLI_CONFIG_FILE|PLUGIN_CACHE_DIR|TOKEN_.*|REGISTRY_.*)"
    r"|(?i:npm_config_(registry|(https[-_])?proxy|noproxy|ca|cafile|cert|key|strict[-_]ssl|fetch[-_].*"
    r"|userconfig|.*auth.*|@.*))"
)
_NO_AWS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""With these, boto3 finds no keys, Region or endpoint but those that it is given."""


def is_dropped(name: str) -> bool:
    """Tell whether a variable of the caller's shell is dropped."""
    return bool(_DROPPED.fullmatch(name)) and not _KEPT.fullmatch(name)


def for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the caller's environment that the programs started by `leda` get."""
    found = {name: value for name, value in environment.items() if not is_dropped(name)}
    if index := found.get("PIP_INDEX_URL"):
        found.setdefault("UV_DEFAULT_INDEX", index)  # uv does not read pip's setting
    found.update(_NO_AWS)
    _reach_loopback_directly(found)
    return found


def prepare(environment: MutableMapping[str, str], arguments: Sequence[str]) -> None:
    """Change the environment of `leda` itself, before anything that reads it is imported.

    arguments: those of the command line. Only a command with --aws or --publish may use the caller's AWS settings. An
    endpoint that is set to an empty text counts as not set.
    """
    is_local = not _is_for_an_account(arguments)
    for name in list(environment):
        of_aws = name.startswith("AWS_")
        is_empty_endpoint = name.startswith("AWS_ENDPOINT_URL") and not environment[name].strip()
        if is_empty_endpoint or (of_aws and is_local):
            del environment[name]
    if is_local:
        environment.update(_NO_AWS)
    _reach_loopback_directly(environment)


def _is_for_an_account(arguments: Sequence[str]) -> bool:
    return "--aws" in arguments or any(each.startswith("--publish") for each in arguments)


def foreign_python_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables of the shell that change how this interpreter works, or what it imports."""
    return [name for name in environment if name.startswith("PYTHON") and is_dropped(name)]


def _reach_loopback_directly(environment: MutableMapping[str, str]) -> None:
    """Exclude the loopback addresses from the caller's proxies. Programs read one variable or the other."""
    given = [environment.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    hosts = [host.strip() for text in given for host in text.split(",") if host.strip()]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))

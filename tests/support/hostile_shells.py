"""Environment variables of shells that are set up for something else, and that boto3 or a tool would read.

The value `FOREIGN` stands for the URL of a server that nothing may call.
"""

from __future__ import annotations

from collections.abc import Mapping

FOREIGN = "FOREIGN"
_REAL_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIA" + "EXAMPLEEXAMPLE00",
    "AWS_SECRET_ACCESS_KEY": "secret-of-a-real-account",
    "AWS_SESSION_TOKEN": "token-of-a-real-account",
}

OF_BOTO3: Mapping[str, Mapping[str, str]] = {
    "an account and a foreign endpoint": {**_REAL_KEYS, "AWS_ENDPOINT_URL": FOREIGN},
    "an account and an empty endpoint": {**_REAL_KEYS, "AWS_ENDPOINT_URL": ""},
    "an endpoint for each service": {
        f"AWS_ENDPOINT_URL_{service}": FOREIGN
        for service in ("DYNAMODB", "DYNAMODB_STREAMS", "KINESIS", "LAMBDA", "S3", "STS")
    },
    "a profile that there is not": {"AWS_PROFILE": "nonexistent", "AWS_DEFAULT_PROFILE": "none"},
    "no configuration files": {
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
    },
    "another Region": {"AWS_REGION": "mars-north-1", "AWS_DEFAULT_REGION": "mars-north-1"},
    "special endpoints": {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
    "settings that boto3 cannot read": {"AWS_MAX_ATTEMPTS": "many", "AWS_RETRY_MODE": "sometimes"},
    "certificates that there are not": {
        "AWS_CA_BUNDLE": "/nonexistent.pem",
        "REQUESTS_CA_BUNDLE": "/nonexistent.pem",
    },
    "a role from a container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": FOREIGN},
    "a proxy": dict.fromkeys(
        ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), FOREIGN
    ),
    "a proxy for everything but the company": {
        "http_proxy": FOREIGN,
        "no_proxy": ".example.com",
        "NO_PROXY": "",
    },
}

OF_TOOLS: Mapping[str, Mapping[str, str]] = {
    "Terraform": {
        "TF_CLI_ARGS": "-input=false",
        "TF_CLI_ARGS_init": "-bogus",
        "TF_CLI_ARGS_plan": "-bogus",
        "TF_CLI_ARGS_apply": "-bogus",
        "TF_VAR_deletion_protection": "perhaps",
        "TF_WORKSPACE": "production",
        "TF_DATA_DIR": "/nonexistent/data",
        "TF_LOG": "TRACE",
        "TF_REATTACH_PROVIDERS": "not JSON",
    },
    "tflocal": {
        "TF_CMD": "false",
        "LOCALSTACK_HOSTNAME": "foreign.invalid",
        "EDGE_PORT": "1",
        "S3_HOSTNAME": "foreign.invalid",
        "DYNAMODB_ENDPOINT": FOREIGN,
        "KINESIS_ENDPOINT": FOREIGN,
        "DRY_RUN": "1",
        "LS_PROVIDERS_FILE": "elsewhere.tf",
        "SKIP_ALIASES": "dynamodb",
    },
    "pip": {
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_TARGET": "/nonexistent",
        "PIP_USER": "1",
        "PIP_NO_DEPS": "1",
    },
    "uv": {
        "UV_SYSTEM_PYTHON": "1",
        "UV_PYTHON": "2.7",
        "UV_NO_BINARY": "1",
        "UV_PROJECT_ENVIRONMENT": "/nonexistent",
        "VIRTUAL_ENV": "/nonexistent",
        "CONDA_PREFIX": "/nonexistent",
    },
    "npm": {
        "npm_config_prefix": "/nonexistent",
        "NPM_CONFIG_GLOBAL": "true",
        "npm_config_dry_run": "true",
        "NODE_OPTIONS": "--bogus",
        "NODE_PATH": "/nonexistent",
    },
    "Java": {
        "JAVA_TOOL_OPTIONS": "-Xbogus",
        "_JAVA_OPTIONS": "-Xbogus",
        "JDK_JAVA_OPTIONS": "-Xbogus",
        "CLASSPATH": "/nonexistent",
    },
}

OF_PYTHON: Mapping[str, Mapping[str, str]] = {
    "no docstrings": {"PYTHONOPTIMIZE": "2"},
    "warnings are errors": {"PYTHONWARNINGS": "error"},
    "a prompt at the end": {"PYTHONINSPECT": "1"},
    "no packages of the user": {"PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"},
}


def all_together(*tables: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """All variables of the tables; where several shells set one, the last value."""
    return {
        name: value for table in tables for shell in table.values() for name, value in shell.items()
    }


def with_url(shell: Mapping[str, str], url: str) -> dict[str, str]:
    """The shell with `url` in the place of FOREIGN."""
    return {name: url if value == FOREIGN else value for name, value in shell.items()}

"""Checks which code the functions run, and which version of Terraform's AWS provider made the deployment."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leda_cli.operate.prove.findings import Finding, Level, advice, wrong

LOCK_FILE = ".terraform.lock.hcl"
MANIFEST = Path("build") / "packages.json"

# The same limits as in versions.tf; docs/upgrading.md has the reasons.
OLDEST_PROVIDER, PROVIDER_TOO_NEW = (5, 100), (7,)
BROKEN_PROVIDERS = frozenset({"6.29.0", "6.30.0", "6.31.0", "6.32.0", "6.32.1", "6.33.0", "6.34.0"})
TRIED_PROVIDER = (5, 100)
OLDEST_PYTHON = (3, 11)

_PROVIDER = re.compile(
    r'provider\s+"registry\.terraform\.io/hashicorp/aws"\s*\{[^}]*?version\s*=\s*"([0-9.]+)"', re.S
)


def runtimes(functions: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Functions whose Python is too old or differs from the others'; `functions`: GetFunctionConfiguration by name."""
    for name, found in functions.items():
        version = _numbers(found.get("Runtime", "").removeprefix("python"))
        if version and version < OLDEST_PYTHON:
            yield wrong(
                f"{name} runs {found['Runtime']}, and the code needs python3.11", "set `runtime`"
            )
    kinds = {found.get("Runtime", "") for found in functions.values()}
    if len(kinds) > 1:
        yield advice(
            f"the functions run different versions of Python: {', '.join(sorted(kinds))}",
            "run `terraform apply`",
        )


def packages(folder: Path, functions: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Functions that run other code than the packages in `folder`/build, if that folder exists.

    functions: GetFunctionConfiguration's answers by the name of the package.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for package, found in functions.items():
        entry = manifest.get(package)
        if entry is None:
            continue
        digest = base64.b64encode(bytes.fromhex(entry["sha256"])).decode()
        if found["CodeSha256"] != digest:
            yield advice(
                f"{found['FunctionName']} does not run {MANIFEST.parent / entry['file']}",
                "run `terraform apply`, or use the `leda` command of the version that is deployed",
            )


def provider(folder: Path) -> str | None:
    """The AWS provider's version in Terraform's lock file in `folder`; None without such a file or such an entry."""
    try:
        text = (folder / LOCK_FILE).read_text(encoding="utf-8")
    except OSError:
        return None
    match = _PROVIDER.search(text)
    return match[1] if match else None


def provider_findings(version: str | None) -> Iterator[Finding]:
    """What is known of the modules with this version of the provider."""
    if version is None:
        yield Finding(
            Level.NOT_CHECKED,
            "the version of Terraform's AWS provider",
            f"run the command in the folder of the configuration that was applied, which has {LOCK_FILE}",
        )
    elif version in BROKEN_PROVIDERS or not OLDEST_PROVIDER <= _numbers(version) < PROVIDER_TOO_NEW:
        yield advice(
            f"the modules do not work with version {version} of the AWS provider",
            "use another version: docs/upgrading.md says which",
        )
    elif _numbers(version)[:2] != TRIED_PROVIDER:
        yield advice(
            f"the AWS provider is {version}, and the modules are tested with 5.100 only",
            "docs/upgrading.md says what is known of other versions",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """
    >>> _numbers("5.100.0") > _numbers("5.99.1")
    True
    """
    return tuple(int(part) for part in version.split(".") if part.isdigit())

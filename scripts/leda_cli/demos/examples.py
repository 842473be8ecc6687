"""The folders under examples/ on local AWS.

deploy("scores")                on the developer's instance, with or without the pipeline
applied(aws, "scores")          on a test's own instance
with deployed_alone("shop"):    on a MiniStack of its own, removed at the end

An example is applied with `deletion_protection = false`, with the settings that its emulator needs (ON_MINISTACK), and
otherwise with its defaults.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leda_cli.base.clients import local_client
from leda_cli.base.errors import LedaError
from leda_cli.base.output import console, heading
from leda_cli.base.paths import BUILD, ROOT
from leda_cli.develop.instance import Instance, Running, client_variables
from leda_cli.develop.local import (
    StartedAws,
    apply_changes,
    developers,
    developers_ministack,
    outputs_of,
    running_ministack,
    sources_digest,
)
from leda_cli.develop.ministack import allow_what_ministack_mistakes, local_addresses
from leda_cli.develop.terraform import TfLocal

EXAMPLES = ROOT / "examples"

ON_MINISTACK = frozenset({"shop"})
"""The examples whose services LocalStack lacks."""
SITE_BUCKET = "shop-site"


@dataclass(frozen=True)
class ExampleAws:
    """An example that is applied on a local AWS. `variables` are the AWS_* settings of that AWS."""

    name: str
    terraform: TfLocal
    variables: Mapping[str, str]
    outputs: dict[str, Any]

    @property
    def endpoint(self) -> str:
        """The URL of every service."""
        return self.variables["AWS_ENDPOINT_URL"]

    def client(self, service: str) -> Any:
        """A new client."""
        return local_client(service, self.variables)


def names() -> list[str]:
    """Every example."""
    return sorted(file.parent.name for file in EXAMPLES.glob("*/versions.tf"))


def deploy(name: str) -> ExampleAws:
    """Apply an example on the developer's local AWS; quick if nothing changed since the last time.

    Raises LedaError if there is no such example, or if it cannot be applied.
    """
    root = _folder(name)
    began = time.monotonic()
    start: Any = developers_ministack if name in ON_MINISTACK else developers  # of two classes
    with start() as (instance, running):
        heading(f"Applying examples/{name}")
        applied = _applied(name, instance, running, sources_digest(running.id, root))
    console.print(
        f"examples/{name} is applied at {running.endpoint} ({time.monotonic() - began:.1f} s)."
    )
    return applied


@contextmanager
def deployed_alone(name: str) -> Iterator[ExampleAws]:
    """Apply an example of ON_MINISTACK on a MiniStack of its own; both are removed at the end."""
    with running_ministack(f"test-{name}") as (instance, running):
        yield _applied(name, instance, running, running.id)


def _applied(name: str, instance: Instance[Any], running: Running, digest: str) -> ExampleAws:
    """Apply an example unless `digest` is that of its last apply."""
    folder = instance.folder / "examples" / name
    aws = client_variables(running.port)
    on_ministack = name in ON_MINISTACK
    terraform = terraform_of(name, folder, aws, _on_ministack(running) if on_ministack else {})
    outputs = apply_changes(instance, terraform, folder, digest)
    if not on_ministack:
        return ExampleAws(name, terraform, aws, outputs)
    local = json.loads(local_addresses(json.dumps(outputs), running.port))
    applied = ExampleAws(name, terraform, aws, local)
    allow_what_ministack_mistakes(applied.client, SITE_BUCKET)
    _localise_site(applied, running.port)
    return applied


def _on_ministack(running: Running) -> dict[str, object]:
    """Variables of an example of ON_MINISTACK.

    MiniStack's CloudFront has no host name that resolves, so the site is at its bucket's URL; its events name no shard.
    """
    return {
        "cloudfront": False,
        "single_shard": True,
        "site_bucket_name": SITE_BUCKET,
        "site_url": f"{running.endpoint}/{SITE_BUCKET}",
    }


def _localise_site(applied: ExampleAws, port: int) -> None:
    """Write the local addresses into the file in which the site's pages find their API."""
    s3 = applied.client("s3")
    place = {"Bucket": SITE_BUCKET, "Key": "config.json"}
    found = s3.get_object(**place)
    text = local_addresses(found["Body"].read().decode(), port)
    kept = {name: found[name] for name in ("CacheControl", "ContentType")}
    s3.put_object(**place, **kept, Body=text)


def applied(aws: StartedAws, name: str) -> ExampleAws:
    """Apply an example on a test's local AWS."""
    terraform = terraform_of(name, aws.localstack.folder / "examples" / name, aws.variables)
    terraform.prepare()
    terraform.init()
    terraform.apply()
    return ExampleAws(name, terraform, aws.variables, outputs_of(terraform.outputs()))


def terraform_of(
    name: str, folder: Path, aws: Mapping[str, str], variables: Mapping[str, object] | None = None
) -> TfLocal:
    """Terraform for an example; it works and keeps its state in a folder under `folder`."""
    root = _folder(name)
    settings = folder / "variables.tfvars.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"deletion_protection": False, **(variables or {})}))
    return TfLocal(
        root,
        # Two levels down, as in the checkout, because the example refers to modules and packages by ../../.
        folder / "examples" / name,
        aws,
        links={"../../modules": ROOT / "modules", "../../build": BUILD}
        | {each.name: each for each in root.iterdir() if each.is_dir() and each.name[0] != "."},
        variables=settings,
        log_name=f"terraform-example-{name}",
    )


def _folder(name: str) -> Path:
    if name not in names():
        raise LedaError(f"There is no examples/{name}.", f"The examples are: {', '.join(names())}.")
    return EXAMPLES / name

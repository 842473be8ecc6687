"""`leda setup`, `up`, `down`, `status` and `clean`: local AWS with the stack applied.

up()                           the developer's instance, on port 4566 or LEDA_PORT
with running("test"):          a private instance on a free port, removed at the end (for pytest fixtures)
with running_empty("test"):    the same without the stack
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from leda_cli.base.errors import LedaError
from leda_cli.base.locks import only_one
from leda_cli.base.output import console, heading, info, step, warn
from leda_cli.base.paths import BUILD, ENV_FILE, LOCAL, MINISTACK_ENV_FILE, OUTPUTS_FILE, ROOT, VENV
from leda_cli.base.shell import LOOPBACK
from leda_cli.develop import toolchain
from leda_cli.develop.environments import digest_of
from leda_cli.develop.instance import Instance, Running, Tools, client_variables
from leda_cli.develop.localstack import LocalStack
from leda_cli.develop.ministack import MiniStack
from leda_cli.develop.terraform import TfLocal, require_terraform

DEFAULT_PORT = 4566
VARIABLES = ROOT / "scripts" / "local.tfvars"
_UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
APPLYING = "applying"
"""File that is in an instance's folder while Terraform applies something to the instance."""

AnInstance = TypeVar("AnInstance", LocalStack, MiniStack)


@dataclass(frozen=True)
class StartedAws:
    """A running local AWS, with or without the stack. `variables` are the AWS_* settings of its clients."""

    localstack: LocalStack
    running: Running
    variables: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        """Return the URL of every service."""
        return self.running.endpoint

    def kill_functions(self, function: str | None = None) -> int:
        """Kill the processes of all functions, or of the function with that name; return how many there were."""
        killed = 0
        for pid in self.localstack.function_processes(function):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed


@dataclass(frozen=True)
class LocalAws(StartedAws):
    """A local AWS with the stack applied."""

    terraform: TfLocal
    outputs: Mapping[str, object]

    def destroy(self) -> None:
        """Remove the stack; local AWS keeps running."""
        (self.localstack.folder / "applied").unlink(missing_ok=True)
        self.terraform.destroy()


def chosen_port(setting: str) -> int | None:
    """Return the port in the environment variable `setting`; None if it is not set. Raises LedaError for any text."""
    text = os.environ.get(setting, "").strip()
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise LedaError(
            f"{setting} is {text!r}, which is no port.", "Set it to a number from 1024 to 65535."
        )
    return int(text)


def outputs_of(text: str) -> dict[str, object]:
    """Return the values in what `terraform output -json` prints."""
    return {name: output["value"] for name, output in json.loads(text).items()}


def env_file(variables: Mapping[str, str]) -> str:
    """Return the text of .local/env, a file to `source`. It also unsets a shell's settings for another AWS."""
    direct = ",".join(LOOPBACK)
    return "".join(
        [
            f"unset {' '.join(_UNSET)}\n",
            *(f"export {name}={value}\n" for name, value in variables.items()),
            f'export NO_PROXY="{direct}${{no_proxy:+,$no_proxy}}${{NO_PROXY:+,$NO_PROXY}}"\n',
            'export no_proxy="$NO_PROXY"\n',
        ]
    )


def _instance(name: str) -> LocalStack:
    return LocalStack(LOCAL / name, "localstack" if name == "aws" else f"localstack-{name}")


def _ministack(name: str) -> MiniStack:
    log = "ministack" if name == "aws" else f"ministack-{name}"
    return MiniStack(LOCAL / f"{name}-ministack", log)


def sources_digest(instance: str, root: Path) -> str:
    """Return a digest of everything on which an apply of the root module in `root` depends."""
    own = root.glob("*.tf") if root == ROOT else root.glob("**/*")
    files = [*own, *ROOT.glob("modules/**/*.tf"), VARIABLES, *BUILD.glob("*")]
    files = sorted(file for file in files if file.is_file())
    return digest_of(files, instance, *(str(file.relative_to(ROOT)) for file in files))


def _prepare(instance: Instance[Tools]) -> Tools:
    """Install what is missing and build the packages; one process at a time."""
    from leda_cli.develop.packages import build

    with only_one("setup"):
        tools = instance.install()
        info("everything is installed")
        build(None)
    return tools


def _start(instance: Instance[Tools], tools: Tools, port: int | None) -> Running:
    """Start the instance if it does not run, or anew if an apply was interrupted, so that its state is unknown."""
    before, lost = instance.current(), applied_there(instance.folder)
    names = f" ({', '.join(lost)})" if lost else ""
    gone = f"everything in it is gone{names}; the next `make` that needs one applies it again"
    was_interrupted = bool(before) and (instance.folder / APPLYING).exists()
    if was_interrupted:
        warn("the last apply was interrupted, so nobody knows what it has made: starting anew")
        warn(gone)
        instance.stop()
    with step(instance.TITLE):
        running, fresh = instance.start(port, tools)
    if not fresh:
        info(f"already runs at {running.endpoint}")
    elif before and not was_interrupted:
        warn(
            f"the instance at {before.endpoint} had other settings, or did not answer: started anew"
        )
        warn(gone)
    return running


def applied_there(folder: Path) -> list[str]:
    """Name what is applied on the instance in that folder, for messages."""
    stack = ["the stack"] if (folder / "applied").exists() else []
    examples = (file.parent.name for file in (folder / "examples").glob("*/applied"))
    return stack + [f"examples/{name}" for name in sorted(examples)]


def apply_changes(
    instance: Instance[Any], terraform: TfLocal, folder: Path, digest: str
) -> dict[str, object]:
    """Apply a root module unless nothing has changed since its last apply; return its outputs.

    folder: where `digest` (of everything that the apply depends on) and the outputs are stored.
    """
    applied, saved = folder / "applied", folder / "outputs.json"
    if applied.exists() and applied.read_text() == digest and saved.exists():
        info("nothing changed since the last apply")
        return outputs_of(saved.read_text())
    applied.unlink(missing_ok=True)
    terraform.prepare()
    with step("terraform init"):
        terraform.init()
    applying = instance.folder / APPLYING
    with step("terraform apply"):
        applying.touch()
        try:
            terraform.apply()
        except KeyboardInterrupt:
            if others := applied_there(instance.folder):
                warn(
                    f"the next start begins with an empty {instance.TITLE}: "
                    f"{', '.join(others)} will be gone as well"
                )
            raise
        except LedaError:
            applying.unlink()  # Terraform has written its state, and another apply can continue from it
            raise
        applying.unlink()
    saved.write_text(terraform.outputs())
    applied.write_text(digest)
    return outputs_of(saved.read_text())


def _deploy(localstack: LocalStack, running: Running) -> LocalAws:
    """Apply the root module if anything changed."""
    variables = client_variables(running.port)
    links = {"modules": ROOT / "modules", "build": BUILD, "lambda_src": ROOT / "lambda_src"}
    terraform = TfLocal(
        ROOT,
        localstack.folder / "stack",
        variables,
        links=links,
        variables=VARIABLES,
        log_name=localstack.log.stem.replace("localstack", "terraform"),
    )
    digest = sources_digest(running.id, ROOT)
    outputs = apply_changes(localstack, terraform, localstack.folder, digest)
    return LocalAws(localstack, running, variables, terraform, outputs)


@contextmanager
def developers() -> Iterator[tuple[LocalStack, Running]]:
    """Yield the developer's local AWS, started if necessary, under a lock against other applies."""
    with _developers("aws", _instance("aws"), ENV_FILE, DEFAULT_PORT) as (localstack, running):
        if not (localstack.folder / "outputs.json").exists():
            OUTPUTS_FILE.unlink(missing_ok=True)  # the outputs of a stack that is gone
        yield localstack, running


@contextmanager
def developers_ministack() -> Iterator[tuple[MiniStack, Running]]:
    """Yield the developer's MiniStack, as `developers` does, on LEDA_SHOP_PORT or any free port.

    LEDA_PORT is LocalStack's, which may run at the same time.
    """
    with _developers("ministack", _ministack("aws"), MINISTACK_ENV_FILE, None) as started:
        yield started


@contextmanager
def _developers(
    lock: str, instance: AnInstance, env_file_: Path, default_port: int | None
) -> Iterator[tuple[AnInstance, Running]]:
    port = chosen_port(instance.PORT_SETTING)
    heading("Setting up")
    require_terraform()
    with only_one(lock):
        tools = _prepare(instance)
        heading("Starting local AWS")
        current = instance.current()
        running = _start(instance, tools, port or (current.port if current else default_port))
        env_file_.write_text(env_file(client_variables(running.port)))
        yield instance, running


def setup() -> None:
    """Install everything that local AWS runs on, under .local/."""
    heading("Setting up")
    require_terraform()
    with only_one("setup"):
        tools = toolchain.install()
    toolchain.describe(tools)


def up() -> LocalAws:
    """Start local AWS with the stack applied; quick if it already runs and nothing changed."""
    began = time.monotonic()
    with developers() as (localstack, running):
        aws = _deploy(localstack, running)
        OUTPUTS_FILE.write_text((localstack.folder / "outputs.json").read_text())
    console.print(f"Local AWS is up at {aws.endpoint} ({time.monotonic() - began:.1f} s).")
    info(f"to use it in this shell: source {ENV_FILE.relative_to(ROOT)}")
    return aws


def down() -> None:
    """Stop local AWS and everything it started; its contents are lost."""
    heading("Stopping local AWS")
    with only_one("aws"), only_one("ministack"):
        with step("stopping"):
            ran = [instance.stop() for instance in (_instance("aws"), _ministack("aws"))]
        for file in (ENV_FILE, MINISTACK_ENV_FILE, OUTPUTS_FILE):
            file.unlink(missing_ok=True)
    info("stopped" if any(ran) else "it was not running")


def status() -> None:
    """Show whether local AWS runs, where, and with which processes; exit status 0 whatever it shows.

    That nothing runs is an answer and no failure, as with `docker compose ps`. `systemctl status` ends with 3 then, for
    scripts; make would add "Error 3" to the answer, and a script can look for .local/env instead.
    """
    localstack, ministack = _instance("aws"), _ministack("aws")
    if not localstack.current() and not ministack.current():
        console.print("Local AWS is not running. Start it with: make up")
    if running := localstack.current():
        _show(localstack, running)
        applied = (localstack.folder / "applied").exists()
        info(
            "the pipeline is applied"
            if applied
            else "the pipeline is not applied: `make up` applies it"
        )
    if running := ministack.current():
        _show(ministack, running)


def _show(instance: Instance[Any], running: Running) -> None:
    healthy = "answers" if instance.healthy(running) else "does not answer"
    console.print(f"{instance.TITLE} (PID {running.pid}) {healthy} at {running.endpoint}")
    for process in instance.processes():
        name = process.environ().get("AWS_LAMBDA_FUNCTION_NAME") or process.name()
        info(f"{process.pid:>7}  {name}  {process.memory_info().rss >> 20} MiB")
    info(f"log: {instance.log.relative_to(ROOT)}")


def clean() -> None:
    """Stop local AWS and remove everything generated: .local/, build/ and .venv/."""
    heading("Removing everything generated")
    for name in ("aws", *(file.parent.name for file in LOCAL.glob("*/localstack.json"))):
        _instance(name).stop()
    for file in LOCAL.glob("*-ministack/ministack.json"):
        _ministack(file.parent.name.removesuffix("-ministack")).stop()
    for folder in (LOCAL, BUILD, VENV):
        if folder.exists():
            info(f"removing {folder.relative_to(ROOT)}/")
            shutil.rmtree(folder, ignore_errors=True)
    for cache in (*ROOT.glob("*.egg-info"), *ROOT.glob(".*_cache"), ROOT / ".hypothesis"):
        shutil.rmtree(cache, ignore_errors=True)
    for part in ("scripts", "lambda_src", "benchmarks", "tests"):
        for cache in (ROOT / part).rglob("__pycache__"):
            shutil.rmtree(cache, ignore_errors=True)


@contextmanager
def running(name: str = "test", keep: bool = False) -> Iterator[LocalAws]:
    """Yield a new, private local AWS on a free port, with the stack applied; it is removed at the end.

    keep: use the instance that an earlier run left running, and leave it running.
    """
    with running_empty(name, keep) as aws:
        yield _deploy(aws.localstack, aws.running)


@contextmanager
def running_empty(name: str, keep: bool = False) -> Iterator[StartedAws]:
    """Yield the same as `running`, without the stack."""
    with _private(name, _instance(name), keep) as (localstack, started):
        yield StartedAws(localstack, started, client_variables(started.port))


@contextmanager
def running_ministack(name: str = "test") -> Iterator[tuple[MiniStack, Running]]:
    """Yield a new, private, empty MiniStack on a free port; it is removed at the end."""
    with _private(f"{name}-ministack", _ministack(name), keep=False) as started:
        yield started


@contextmanager
def _private(lock: str, instance: AnInstance, keep: bool) -> Iterator[tuple[AnInstance, Running]]:
    require_terraform()
    with only_one(lock):
        tools = _prepare(instance)
        if not keep:
            instance.stop()  # left by a run that was killed
        try:
            yield instance, _start(instance, tools, None)
        finally:
            if not keep:
                instance.stop()

"""Terraform: its version, where its provider comes from, and `tflocal` on a module.

A machine may hold the AWS provider in a folder instead of reaching Terraform's registry. The folder is
looked for in this order; the first that holds it is written to .local/terraform.rc as a filesystem mirror:

1. LEDA_TF_PLUGIN_MIRROR, if set;
2. the implied mirror folders that Terraform documents, which it finds by itself, unless another method is
   configured: https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
3. one level under the usual roots for software that is not the distribution's own.

Where there is none, Terraform asks the registry. A TF_CLI_CONFIG_FILE of the user's that exists is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import CACHE, LOGS, TERRAFORM_RC, VENV, contained_environment
from leda_cli.develop.environments import last_lines
from leda_cli.develop.toolchain import parse_version

TERRAFORM_AT_LEAST = (1, 9)
MIRROR_VARIABLE = "LEDA_TF_PLUGIN_MIRROR"
PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")
# What tflocal writes next to the module: every provider endpoint, pointed at local AWS.
OVERRIDES = "localstack_providers_override.tf"
INTERRUPTED_SECONDS = 5
ADD_ON_ROOTS = ("/opt", "/usr/local/share", "/usr/local/lib", "/usr/share", "/usr/lib", "/srv")


def require_terraform() -> str:
    """Return Terraform's path; raise LedaError when it is missing or too old."""
    wanted = ".".join(map(str, TERRAFORM_AT_LEAST))
    fix = (
        f"Install Terraform {wanted} or later (https://developer.hashicorp.com/terraform/install) so that "
        "`terraform version` works, then run again."
    )
    path = shutil.which("terraform")
    if path is None:
        raise LedaError("Terraform is not installed (no `terraform` on PATH).", fix)
    try:
        done = subprocess.run(
            [path, "version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**contained_environment(), "TF_CLI_CONFIG_FILE": os.devnull},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LedaError(f"{path} does not run: {error}.", fix) from error
    version = parse_version(done.stdout)
    if done.returncode != 0 or version < TERRAFORM_AT_LEAST:
        shown = ".".join(map(str, version)) or (done.stderr or done.stdout).strip()[:200]
        raise LedaError(f"Terraform {wanted} or later is needed; {path} is {shown}.", fix)
    return path


def implied_mirrors(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders that Terraform itself searches for providers on Linux and macOS."""
    home = Path(environment.get("HOME") or Path.home())
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    shared = (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    return [
        home / ".terraform.d" / "plugins",
        data / "terraform" / "plugins",
        *(Path(folder) / "terraform" / "plugins" for folder in shared if folder),
        home / "Library" / "Application Support" / "io.terraform" / "plugins",
    ]


def _children(root: str) -> list[Path]:
    try:
        return sorted(child for child in Path(root).iterdir() if child.is_dir())
    except OSError:
        return []


def find_mirror(environment: Mapping[str, str], roots: Iterable[str] = ADD_ON_ROOTS) -> Path | None:
    """Return the folder to use as a filesystem mirror, or None when the registry is to be asked.

    Raises LedaError when LEDA_TF_PLUGIN_MIRROR names a folder without the provider.
    """
    if named := environment.get(MIRROR_VARIABLE):
        if not (Path(named) / PROVIDER).is_dir():
            raise LedaError(
                f"{MIRROR_VARIABLE} is {named}, which holds no {PROVIDER}.",
                "Set it to the folder above registry.terraform.io, or unset it to use Terraform's registry.",
            )
        return Path(named)
    candidates = [
        *implied_mirrors(environment),
        *(child for root in roots for child in _children(root)),
    ]
    return next((folder for folder in candidates if (folder / PROVIDER).is_dir()), None)


def cli_configuration(mirror: Path | None) -> str:
    """Return the CLI configuration: `mirror` for what it holds, the registry for everything else."""
    if mirror is None:
        return "# No provider mirror was found: Terraform asks the registry.\n"
    return (
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f"    path    = {json.dumps(str(mirror))}\n"
        f'    include = ["{PROVIDER}"]\n'
        "  }\n"
        "  direct {\n"
        f'    exclude = ["{PROVIDER}"]\n'
        "  }\n"
        "}\n"
    )


def terraform_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for Terraform outside of local AWS: its CLI configuration, and contained caches."""
    given = dict(os.environ if environment is None else environment)
    result = contained_environment(given)
    own = given.get("TF_CLI_CONFIG_FILE")
    if not own or not Path(own).is_file():
        TERRAFORM_RC.parent.mkdir(parents=True, exist_ok=True)
        TERRAFORM_RC.write_text(cli_configuration(find_mirror(given)))
        result["TF_CLI_CONFIG_FILE"] = str(TERRAFORM_RC)
    plugin_cache = CACHE / "terraform"
    plugin_cache.mkdir(parents=True, exist_ok=True)
    result.setdefault("TF_PLUGIN_CACHE_DIR", str(plugin_cache))
    result.update(TF_IN_AUTOMATION="1", TF_INPUT="0")
    return result


class TfLocal:
    """`tflocal` for one root module against one local AWS.

    It runs in a folder of its own, `work`, that has copies of the root's *.tf files and links to the rest. So
    the checkout stays clean whatever happens (tflocal writes an override file next to what it applies, which
    sends every call to the local endpoint), and a user's own state, tfvars and backend for a real account are
    neither read nor written.

    root: the folder with the *.tf files.
    links: name -> target, what the module refers to by a relative path.
    variables: a .tfvars file, or None.
    aws: the variables of the local endpoint.
    """

    def __init__(
        self,
        root: Path,
        work: Path,
        aws: Mapping[str, str],
        *,
        links: Mapping[str, Path] | None = None,
        variables: Path | None = None,
        log_name: str = "terraform",
    ) -> None:
        self.root = root
        self.work = work
        self.variables = variables
        self.log = LOGS / f"{log_name}.log"
        self._links = dict(links or {})
        self._aws = dict(aws)

    def prepare(self) -> None:
        """Bring the folder up to date with the root module."""
        self.work.mkdir(parents=True, exist_ok=True)
        for file in self.work.glob("*.tf"):
            file.unlink()
        for file in self.root.glob("*.tf"):
            shutil.copyfile(file, self.work / file.name)
        for name, target in self._links.items():
            link = self.work / name
            link.unlink(missing_ok=True)
            link.symlink_to(target)

    def environment(self) -> dict[str, str]:
        """Return the environment of every run."""
        environment = terraform_environment()
        environment.update(self._aws)
        # An address, so that tflocal does not send S3 calls to a name that only a resolver on the net knows.
        environment["S3_HOSTNAME"] = "127.0.0.1"
        # tflocal becomes Terraform, so that signals reach it; its override file is removed before the next run.
        environment.update(USE_EXEC="1", DISABLE_DEPRECATION_NOTICE="1")
        environment["PATH"] = os.pathsep.join([str(VENV / "bin"), environment.get("PATH", "")])
        return environment

    def run(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> int:
        """Run tflocal with its output at the end of the log; return its exit status.

        Raises LedaError with the last lines when the status is not one of `ok`.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        (self.work / OVERRIDES).unlink(missing_ok=True)
        with self.log.open("ab") as output:
            output.write(f"$ terraform {' '.join(arguments)}\n".encode())
            output.flush()
            process = subprocess.Popen(
                [str(VENV / "bin" / "tflocal"), *arguments],
                cwd=self.work,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            code = _wait_in_order(process)
        if code not in ok:
            raise LedaError(
                f"terraform {arguments[0]} failed.\n{last_lines(self.log, 40)}",
                "The lines above name the cause; the log holds the rest.",
            )
        return code

    def init(self) -> None:
        """Install the module's providers and modules."""
        self.run("init", "-no-color", "-input=false")

    def apply(self) -> None:
        """Make local AWS what the module says."""
        self.run(
            "apply",
            "-no-color",
            "-input=false",
            "-auto-approve",
            "-compact-warnings",
            *self._variables(),
        )

    def plan_is_empty(self) -> bool:
        """Tell whether a plan finds nothing to change; the log has the plan."""
        return (
            self.run(
                "plan",
                "-no-color",
                "-input=false",
                "-detailed-exitcode",
                *self._variables(),
                ok=(0, 2),
            )
            == 0
        )

    def planned_changes(self) -> set[tuple[str, str]]:
        """Return what a plan would change: for each resource its type, with each attribute that would be another."""
        plan = self.work / "changes.tfplan"
        self.run("plan", "-no-color", "-input=false", "-out", str(plan), *self._variables())
        done = subprocess.run(
            ["terraform", "show", "-json", str(plan)],
            cwd=self.work,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        plan.unlink()
        found = set[tuple[str, str]]()
        for resource in json.loads(done.stdout).get("resource_changes", []):
            change = resource["change"]
            if change["actions"] in (["no-op"], ["read"]):
                continue
            before, after = change["before"] or {}, change["after"] or {}
            unknown = change["after_unknown"]
            names = {*before, *after, *unknown}
            found |= {
                (resource["type"], name)
                for name in names
                if before.get(name) != after.get(name) and name in {*after, *unknown}
            }
        return found

    def destroy(self) -> None:
        """Remove everything that the module made."""
        self.run("destroy", "-no-color", "-input=false", "-auto-approve", *self._variables())

    def outputs(self) -> str:
        """Return the outputs as `terraform output -json` prints them."""
        done = subprocess.run(
            ["terraform", "output", "-json"],
            cwd=self.work,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LedaError(
                f"terraform output failed.\n{done.stderr.strip()}", "Run: make down, then make up."
            )
        return done.stdout

    def _variables(self) -> list[str]:
        return [f"-var-file={self.variables}"] if self.variables else []


def _wait_in_order(process: subprocess.Popen[bytes]) -> int:
    """Wait for Terraform, which gets the terminal's Ctrl-C itself and then ends in order.

    It may wait for the provider for a minute; nothing of a local AWS is worth that, so it is killed soon.
    """
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(INTERRUPTED_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        raise

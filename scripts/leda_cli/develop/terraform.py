"""Terraform: its version, the source of its AWS provider, and `tflocal` on a root module.

A machine without access to Terraform's registry may have the AWS provider in a folder. These folders are tried in
order, and the first that has the provider is written to .local/terraform.rc as a filesystem mirror:

1. LEDA_TF_PLUGIN_MIRROR, if set;
2. the implied mirror folders, which Terraform searches by itself unless another method is configured:
   https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
3. the folders one level below the usual roots for software that is not part of the distribution.

If none has the provider, Terraform asks the registry. If the user's TF_CLI_CONFIG_FILE names an existing file, it is
used as it is.
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
from leda_cli.develop.environments import captured, last_lines
from leda_cli.develop.toolchain import parse_version

TERRAFORM_AT_LEAST = (1, 9)
MIRROR_VARIABLE = "LEDA_TF_PLUGIN_MIRROR"
PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")
# The file that tflocal writes next to the module: it points every endpoint of the provider to local AWS.
OVERRIDES = "localstack_providers_override.tf"
INTERRUPTED_SECONDS = 5
ADD_ON_ROOTS = ("/opt", "/usr/local/share", "/usr/local/lib", "/usr/share", "/usr/lib", "/srv")


def require_terraform() -> str:
    """Return Terraform's path. Raises LedaError if Terraform is missing or too old."""
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
    """Return the folder to use as a filesystem mirror; None: use the registry.

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
    """Return the CLI configuration: the AWS provider from `mirror`, everything else from the registry."""
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
    """Return Terraform's environment, with its CLI configuration and with its caches under .local/."""
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
    """`tflocal` for one root module and one local AWS.

    It runs in a folder of its own, `work`, which has copies of the root module's *.tf files and links to the rest. So
    the checkout stays clean (tflocal writes an override file next to the module, which sends every call to the local
    endpoint), and the user's own state, tfvars and backend for a real account are neither read nor written.

    root: the folder with the *.tf files.
    links: name -> target of what the module refers to by a relative path.
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
        # Otherwise tflocal sends S3 calls to a host name that only a public resolver knows.
        environment["S3_HOSTNAME"] = "127.0.0.1"
        # tflocal replaces itself by Terraform, so that signals reach Terraform; then the override file is left behind,
        # and `run` removes it.
        environment.update(USE_EXEC="1", DISABLE_DEPRECATION_NOTICE="1")
        environment["PATH"] = os.pathsep.join([str(VENV / "bin"), environment.get("PATH", "")])
        return environment

    def run(self, command: str, *arguments: str, ok: tuple[int, ...] = (0,)) -> int:
        """Run tflocal with its output at the end of the log; return its exit status.

        Raises LedaError with the last lines when the status is not one of `ok`.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        (self.work / OVERRIDES).unlink(missing_ok=True)
        with self.log.open("ab") as output:
            output.write(f"$ terraform {' '.join((command, *arguments))}\n".encode())
            output.flush()
            process = subprocess.Popen(
                [str(VENV / "bin" / "tflocal"), command, "-no-color", "-input=false", *arguments],
                cwd=self.work,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            code = _wait_in_order(process)
        if code not in ok:
            raise LedaError(
                f"terraform {command} failed.\n{last_lines(self.log, 40)}",
                "The lines above name the cause; the log holds the rest.",
            )
        return code

    def init(self) -> None:
        """Install the module's providers and modules."""
        self.run("init")

    def apply(self) -> None:
        """Apply the module to local AWS."""
        self.run("apply", "-auto-approve", "-compact-warnings", *self._variables())

    def plan_is_empty(self) -> bool:
        """Tell whether a plan changes nothing; the log has the plan."""
        return self.run("plan", "-detailed-exitcode", *self._variables(), ok=(0, 2)) == 0

    def planned_changes(self) -> set[tuple[str, str]]:
        """Return what a plan would change: (type of the resource, name of the attribute)."""
        plan = self.work / "changes.tfplan"
        self.run("plan", "-out", str(plan), *self._variables())
        shown = self._shown("show", "-json", str(plan))
        plan.unlink()
        found = set[tuple[str, str]]()
        for resource in json.loads(shown).get("resource_changes", []):
            change = resource["change"]
            if change["actions"] in (["no-op"], ["read"]):
                continue
            before, after = change["before"] or {}, change["after"] or {}
            unknown = change["after_unknown"]
            found |= {
                (resource["type"], name)
                for name in {*after, *unknown}
                if before.get(name) != after.get(name)
            }
        return found

    def destroy(self) -> None:
        """Remove everything that the module made."""
        self.run("destroy", "-auto-approve", *self._variables())

    def outputs(self) -> str:
        """Return the outputs as `terraform output -json` prints them."""
        return self._shown("output", "-json")

    def _shown(self, *arguments: str) -> str:
        done = captured(["terraform", *arguments], self.work, self.environment())
        if done.returncode != 0:
            raise LedaError(
                f"terraform {arguments[0]} failed.\n{done.stderr.strip()}",
                "Run: make down, then make up.",
            )
        return done.stdout

    def _variables(self) -> list[str]:
        return [f"-var-file={self.variables}"] if self.variables else []


def _wait_in_order(process: subprocess.Popen[bytes]) -> int:
    """Wait for Terraform, which receives the terminal's Ctrl-C itself and then ends in order.

    Ending may take a minute, because Terraform waits for the provider. A local AWS is not worth that wait, so Terraform
    is killed after INTERRUPTED_SECONDS.
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

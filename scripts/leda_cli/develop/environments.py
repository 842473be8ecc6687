"""Virtual environments in the checkout, each synced from a lock file by uv.

Standard library only: scripts/bootstrap uses it to make the project's own environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import (
    LOCAL,
    LOGS,
    REQUIREMENTS,
    ROOT,
    contained_environment,
    installed_marker,
)

UV_FOLDER = LOCAL / "uv"

NO_NETWORK = (
    "Packages come from the Python package index that pip and uv are configured for: check the network, "
    "the proxy (HTTPS_PROXY) or set PIP_INDEX_URL and UV_DEFAULT_INDEX to a mirror, then run the same "
    "command again."
)


def digest_of(files: Iterable[Path], *more: str) -> str:
    """Return a digest of the files' contents and of `more`. When it changes, the set-up must be repeated."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    for text in more:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def is_complete(folder: Path, digest: str) -> bool:
    """Tell whether the set-up of `folder` was completed with this digest (`digest_of`)."""
    try:
        return installed_marker(folder).read_text() == digest
    except OSError:
        return False


def mark_complete(folder: Path, digest: str) -> None:
    """Record that `folder` is set up. Call it last, so that an interrupted set-up is repeated."""
    installed_marker(folder).write_text(digest)


def python_of(folder: Path) -> Path:
    """Return the interpreter of the virtual environment `folder`."""
    return folder / "bin" / "python"


def run_quietly(
    command: list[str],
    log_name: str,
    failed: str,
    fix: str,
    folder: Path = ROOT,
    **environment: str,
) -> None:
    """Run a command in `folder`, with its output in .local/logs/. Raises LedaError with the last lines if it fails."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{log_name}.log"
    with log.open("wb") as output:
        code = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**contained_environment(), **environment},
            check=False,
        ).returncode
    if code != 0:
        raise LedaError(f"{failed}\n{last_lines(log)}", fix)


def captured(
    command: list[str], folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` to its end; the result has its output and its status."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(environment or contained_environment()),
        check=False,
    )


def last_lines(file: Path, count: int = 15) -> str:
    """Return a line that names the log file, and the file's last lines, indented."""
    try:
        lines = file.read_text(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return "\n".join([f"  last lines of {shown}:", *(f"  | {line}" for line in lines)])


def uv() -> Path:
    """Return the path of uv; install it into .local/uv from requirements/uv.lock if it is not there yet."""
    lock = REQUIREMENTS / "uv.lock"
    digest = digest_of([lock], str(UV_FOLDER), sys.version)
    executable = UV_FOLDER / "bin" / "uv"
    if is_complete(UV_FOLDER, digest) and executable.exists():
        return executable
    shutil.rmtree(UV_FOLDER, ignore_errors=True)
    try:
        venv.create(UV_FOLDER, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise LedaError(
            f"{sys.executable} cannot make a virtual environment: {error}",
            "Install Python's venv module (on Debian and Ubuntu: apt install python3-venv), or run with "
            "another interpreter: make PYTHON=python3.12.",
        ) from error
    run_quietly(
        [
            str(python_of(UV_FOLDER)),
            *["-m", "pip", "install", "--require-hashes", "--no-deps", "-r"],
            str(lock),
        ],
        "uv",
        "uv could not be installed.",
        NO_NETWORK,
    )
    mark_complete(UV_FOLDER, digest)
    return executable


def is_current(folder: Path, lock: Path, python: str, state: str = "") -> bool:
    """Tell whether `sync` with the same arguments has nothing to do."""
    digest = digest_of([lock], str(folder), python, state)
    return is_complete(folder, digest) and python_of(folder).exists()


def sync(
    folder: Path, lock: Path, python: str, *, after: tuple[list[str], ...] = (), state: str = ""
) -> bool:
    """Make the virtual environment `folder` hold exactly what `lock` lists.

    folder: the environment's folder.
    lock: requirements with hashes.
    python: the interpreter to make the environment from.
    after: further uv commands (without the executable) that complete the environment.
    state: what else the environment depends on, such as the digest of a local package.

    Returns True if the environment was made or repaired, False if it was complete (which takes milliseconds). Raises
    LedaError when packages cannot be fetched.
    """
    if is_current(folder, lock, python, state):
        return False
    executable = str(uv())
    whole = installed_marker(folder).exists() and _made_from(folder, python)
    installed_marker(folder).unlink(missing_ok=True)
    name = folder.name if folder.name != "venv" else folder.parent.name
    failed = f"The environment {folder.relative_to(ROOT)} could not be set up."
    commands = [
        ["pip", "sync", "--require-hashes", "--python", str(python_of(folder)), str(lock)],
        *after,
    ]
    if not whole:  # a complete environment is updated in place, because somebody may be using it
        new = ["venv", "--quiet", "--no-project", "--clear", "--python", python, str(folder)]
        commands.insert(0, new)
    for command in commands:
        run_quietly([executable, *command], f"venv-{name.lstrip('.')}", failed, NO_NETWORK)
    mark_complete(folder, digest_of([lock], str(folder), python, state))
    return True


def _made_from(folder: Path, python: str) -> bool:
    """Tell whether the virtual environment `folder` works and was made from the interpreter `python`."""
    here = python_of(folder)
    check = f"import os, sys; sys.exit(not os.path.samefile(sys._base_executable, {python!r}))"
    return here.exists() and works(str(here), check)


def works(python: str, code: str = "import venv") -> bool:
    """Tell whether an interpreter runs `code`: a version manager's shim may exist without working."""
    try:
        return (
            subprocess.run(
                [python, "-c", code],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
                cwd="/",
                env=contained_environment(),
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_python(*versions: str) -> str | None:
    """Return a working interpreter for the first of `versions` ("3.13") that the machine has; None if it has none.

    Looks at this interpreter, at every folder of PATH, and at pyenv's versions.
    """
    for version in versions:
        major_minor = tuple(int(part) for part in version.split("."))
        if sys.version_info[:2] == major_minor:
            return base_interpreter()
        folders = [
            Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder
        ]
        pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
        folders += sorted(pyenv.glob(f"versions/{version}*/bin"), reverse=True)
        for folder in folders:
            candidate = folder / f"python{version}"
            check = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != {major_minor})"
            if candidate.exists() and works(str(candidate), check):
                return str(candidate)
    return None


def base_interpreter() -> str:
    """Return the interpreter that this process's virtual environment was made from, or this process's own."""
    return str(Path(getattr(sys, "_base_executable", "") or sys.executable).resolve())

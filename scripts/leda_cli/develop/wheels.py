"""The third-party wheels in the packages: their lock file, and their download."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leda_cli.base.errors import LedaError
from leda_cli.base.output import step
from leda_cli.base.paths import contained_environment
from leda_cli.develop import environments

LOWEST_PYTHON = "3.11"
"""The oldest Python on which lambda_src runs: newer on Lambda, but not on every machine that runs the tests."""


def fetch(lock: Path, cache: Path) -> Path:
    """Return the folder with the locked wheels; download them into `cache` unless they are there already.

    The folder, whose name is a hash of the lock, appears only when it is complete.
    """
    folder = cache / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        with step("Downloading the functions' dependencies"):
            _install(lock, folder)
    return folder


def _install(lock: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unfinished-") as scratch:
        target = Path(scratch) / "wheels"
        target.mkdir()
        _uv(
            "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:",
            "--require-hashes", "--link-mode", "copy", "--python", sys.executable,
            "--target", str(target), "--requirements", str(lock),
            doing="download the functions' dependencies",
        )  # fmt: skip
        try:
            target.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another build was faster
                raise


def write_lock(requirements: Path, lock: Path) -> None:
    """Resolve `requirements` again and write `lock` with the hashes of the pure-Python wheels only.

    So no installer on any machine can choose a compiled wheel or a source archive.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # pylock.toml names the file of each hash, so the pure wheel's hash is known.
        named = Path(scratch) / "pylock.toml"
        _uv(
            "pip", "compile", "--quiet", "--universal", "--python-version", LOWEST_PYTHON,
            "--no-header", "--output-file", str(named), str(requirements),
            doing="resolve the functions' dependencies",
        )  # fmt: skip
        packages = tomllib.loads(named.read_text(encoding="utf-8"))["packages"]
    lock.write_text("".join(map(_locked, packages)), encoding="utf-8")


def _locked(package: Mapping[str, Any]) -> str:
    """The lock file's entry of a package in pylock.toml. Raises LedaError if it has no pure-Python wheel."""
    hashes = [
        f" \\\n    --hash=sha256:{wheel['hashes']['sha256']}"
        for wheel in package.get("wheels", ())
        if str(wheel.get("url") or wheel.get("path")).endswith("-none-any.whl")
    ]
    if not hashes:
        raise LedaError(
            f"{package['name']} {package['version']} has no pure-Python wheel, and a package "
            "serves x86_64 and arm64.",
            "Pin another version in lambda_src/requirements.in, or do without it.",
        )
    marker = f" ; {package['marker']}" if "marker" in package else ""
    return f"{package['name']}=={package['version']}{marker}{''.join(hashes)}\n"


def _uv(*arguments: str, doing: str) -> None:
    try:
        subprocess.run(
            [str(environments.uv()), *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=True,
            env={**contained_environment(), "NO_COLOR": "1"},
        )
    except subprocess.CalledProcessError as error:
        message = error.stderr.strip()
        raise LedaError(f"Cannot {doing}: {message or 'uv failed'}", _advice(message)) from None


def _advice(message: str) -> str:
    if re.search(r"hash mismatch", message, re.I):
        return (
            "The index offers another file than lambda_src/requirements.lock names. Check where it "
            "comes from; if you changed versions on purpose, run scripts/build --lock"
        )
    if re.search(
        r"network|connect|dns|resolve host|timed? ?out|failed to (fetch|download)", message, re.I
    ):
        return f"{environments.NO_NETWORK} Downloads are kept."
    return "Check lambda_src/requirements.lock, or write it again with: scripts/build --lock"

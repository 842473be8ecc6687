"""The third-party wheels in the packages: their lock file, and their download."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path, PurePosixPath
from typing import Any

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import contained_environment
from leda_cli.develop import environments

LOWEST_PYTHON = "3.11"
"""The oldest Python on which lambda_src runs: newer on Lambda, but not on every machine that runs the tests."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)")
_HASH = re.compile(r"--hash=(?P<hash>sha256:[0-9a-f]{64})")
_LICENCES = re.compile(r"(?:^|/)(?:LICEN[CS]E|NOTICE|COPYING|AUTHORS)[^/]*$|/licenses/", re.I)


@dataclass(frozen=True, slots=True)
class Pin:
    """An entry of the lock file: the only files of a distribution that may be installed, by their hashes."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed wheel, and its `files` by their paths in its `folder`."""

    name: str
    version: str
    folder: Path
    files: tuple[str, ...]

    def about(self) -> list[str]:
        """The files that must accompany any copy of the wheel: the metadata and the licences."""
        return [
            path
            for path in self.files
            if ".dist-info/" in path and (path.endswith("/METADATA") or _LICENCES.search(path))
        ]


def normalize(name: str) -> str:
    """Return a distribution's name as the lock writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(path: Path) -> list[Pin]:
    """Read a requirements file in which every line pins a version and its hashes."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LedaError(f"{path} is missing.", "Write it with: scripts/build --lock") from None
    pins = []
    for line in text.replace("\\\n", " ").splitlines():
        entry = line.partition(" #")[0].strip()
        if not entry or entry.startswith("#"):
            continue
        pin, hashes = _PIN.match(entry), tuple(_HASH.findall(entry))
        if not pin or not hashes:
            raise LedaError(
                f"{path}: no exact version with a hash in: {entry[:80]}",
                "Write the file again with: scripts/build --lock",
            )
        pins.append(Pin(normalize(pin["name"]), pin["version"], hashes))
    return pins


def folder_of(pins: Iterable[Pin], cache: Path) -> Path:
    """Return the folder in which `fetch` keeps the wheels of these pins; its name is a hash of them."""
    text = "".join(f"{p.name}=={p.version} {' '.join(p.hashes)}\n" for p in pins)
    return cache / hashlib.sha256(text.encode()).hexdigest()[:16]


def fetch(lock: Path, cache: Path) -> dict[str, Distribution]:
    """Return the locked distributions; download them into `cache` unless they are there already.

    Their folder appears only when it is complete.
    """
    pins = read_lock(lock)
    folder = folder_of(pins, cache)
    if not folder.is_dir():
        _install(lock, folder, have_any=bool(pins))
    found = _installed(folder)
    for pin in pins:
        if pin.name not in found or found[pin.name].version != pin.version:
            raise LedaError(
                f"{folder} lacks {pin.name} {pin.version}.", f"Delete {folder} and build again."
            )
    return found


def _install(lock: Path, folder: Path, *, have_any: bool) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unfinished-") as scratch:
        target = Path(scratch) / "wheels"
        target.mkdir()
        if have_any:
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


def _installed(folder: Path) -> dict[str, Distribution]:
    found = {}
    for info in sorted(folder.glob("*.dist-info")):
        metadata = BytesParser().parsebytes((info / "METADATA").read_bytes(), headersonly=True)
        name, version = normalize(metadata["Name"]), metadata["Version"]
        with (info / "RECORD").open(newline="", encoding="utf-8") as rows:
            files = tuple(
                row[0]
                for row in csv.reader(rows)
                if row and row[1] and ".." not in PurePosixPath(row[0]).parts
            )
        found[name] = Distribution(name, version, folder, files)
    return found


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

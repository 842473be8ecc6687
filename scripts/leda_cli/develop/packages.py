"""Build the functions' deployment packages, the same bytes on every machine, and publish them.

Each folder of lambda_src/ with a handler.py becomes one zip: the folder's files at its root, the shared core
(lambda_src/leda) and the pinned wheels. Every package has the whole core: a module that is not imported takes space but
no time at a cold start.

A record processor is the package of lambda_src/process_records with the files of a user's folder in the place of its
process.py. The folder may be anywhere.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.output import info, step, warn
from leda_cli.base.paths import BUILD, LOCAL, ROOT
from leda_cli.develop import wheels
from leda_cli.develop.process_function import require_process

NOT_CARRIED = ("aws_lambda_powertools/event_handler/",)
"""Folders of the wheels that packages leave out: Powertools' HTTP router has two megabytes, and no function uses it."""

_ABOUT = re.compile(
    r"[^/]+\.dist-info/(?:METADATA$|licenses/|(?:.*/)?(?:LICEN[CS]E|NOTICE|COPYING|AUTHORS)[^/]*$)",
    re.I,
)
"""The files that must accompany any copy of a wheel: the metadata and the licences."""

_UTILITY = re.compile(r"aws_lambda_powertools/utilities/(?!__init__\.py|jmespath_utils/|typing/)")
"""Files of Powertools' utilities, half of a package: only record processors get them, as a user's `process` may import
them."""

PROCESSOR = "process_records"
"""The function that runs a user's `process` (docs/record-processor.md), and the file that has it."""
PROCESS = "process.py"
_PACKAGE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

LARGEST_DIRECT_UPLOAD = 50 * 1000 * 1000
LARGEST_UNZIPPED = 250 * 1000 * 1000
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution"""

# The earliest time that a zip can hold. Any fixed time would do.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_REGULAR_FILE_READABLE_BY_ALL = 0o100644
_MANIFEST = "packages.json"


class Entry(TypedDict):
    """What packages.json says of one package."""

    file: str
    sha256: str
    base64sha256: str
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class Package:
    """A built package."""

    function: str
    content: bytes

    @property
    def entry(self) -> Entry:
        """The package's entry in the manifest, with the digest in the forms that S3 keys and Lambda need."""
        digest = hashlib.sha256(self.content)
        return {
            "file": f"{self.function}.zip",
            "sha256": digest.hexdigest(),
            "base64sha256": base64.b64encode(digest.digest()).decode(),
            "size": len(self.content),
            "key": f"{self.function}-{digest.hexdigest()[:16]}.zip",
        }


def build(
    publish: Annotated[
        list[str] | None,
        typer.Option(
            metavar="s3://BUCKET/PREFIX",
            help="Also upload the packages there; may be repeated, for a bucket in each Region.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="The folder to write to.", show_default="build")
    ] = BUILD,
    process: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="Also build a record processor with the process.py of FOLDER; may be repeated.",
        ),
    ] = None,
    lock: Annotated[
        bool, typer.Option("--lock", help="First resolve lambda_src/requirements.in again.")
    ] = False,
) -> dict[str, Entry]:
    """Build the functions' packages: build/<function>.zip and build/packages.json."""
    from leda_cli.develop import publishing  # boto3 takes longer to import than a build

    targets = [publishing.parse(each) for each in publish or ()]
    source = ROOT / "lambda_src"
    processors = {**_example_processors(), **named_folders(process or [])}
    if lock:
        with step("Resolving lambda_src/requirements.in"):
            wheels.write_lock(source / "requirements.in", source / "requirements.lock")
    installed = wheels.fetch(source / "requirements.lock", LOCAL / "wheels")
    built = assemble(source, installed, processors)
    write(built, output)
    manifest = manifest_of(built)
    for target in targets:
        publishing.upload(
            {p.entry["key"]: p.content for p in built}, manifest_bytes(manifest), target
        )
    return manifest


def assemble(
    source: Path, installed: Path, processors: Mapping[str, Path] | None = None
) -> list[Package]:
    """Return the package of every function under `source` and of every processor, sorted by name.

    installed: the folder with the installed wheels.
    processors: folders with a process.py, by the name of the package that each becomes.
    """
    functions = {path.parent.name: own_files(path.parent) for path in source.glob("*/handler.py")}
    if not functions:
        raise LedaError(
            f"No function in {source}: no folder there has a handler.py.",
            "Run the build from a complete checkout.",
        )
    for name, folder in (processors or {}).items():
        if name in functions:
            raise LedaError(
                f"The record processor {name} has the name of a function in lambda_src.",
                "Give it a name of its own: --process NAME=FOLDER",
            )
        functions[name] = processor_files(functions[PROCESSOR], folder)
    shared = {
        f"leda/{place}": path.read_bytes() for place, path in own_files(source / "leda").items()
    }
    shared |= {
        place: path.read_bytes() for place, path in own_files(installed).items() if _carried(place)
    }
    needed = {file: content for file, content in shared.items() if not _UTILITY.match(file)}
    return [
        _package(name, files, shared if PROCESS in files else needed)
        for name, files in sorted(functions.items())
    ]


def own_files(folder: Path) -> dict[str, Path]:
    """A folder's files, except caches and hidden files, by their names in a package."""
    found = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in place.parts)
        if path.is_file() and not hidden and not path.name.endswith((".pyc", "~")):
            found[place.as_posix()] = path
    return found


def processor_files(core: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """The files of a record processor: those of `core`, with those of `folder` in the place of process.py.

    Raises LedaError where the folder has no usable function `process`, or has a file that the core has too.
    """
    files = own_files(folder) if folder.is_dir() else {}
    if PROCESS not in files:
        raise LedaError(
            f"{folder} has no {PROCESS}.",
            "Name a folder with a process.py that has a function process(record): docs/record-processor.md",
        )
    kept = {name: path for name, path in core.items() if name != PROCESS}
    if taken := sorted(kept.keys() & files.keys()):
        raise LedaError(
            f"{folder / taken[0]} would take the place of the record processor's own file.",
            "Rename it.",
        )
    try:
        tree = ast.parse(files[PROCESS].read_bytes(), str(files[PROCESS]))
    except SyntaxError as error:
        raise _syntax_error(error) from None
    require_process(tree, files[PROCESS])
    return kept | files


def named_folders(given: list[str]) -> dict[str, Path]:
    """Parse the values NAME=FOLDER of --process. Raises LedaError."""
    found: dict[str, Path] = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or not folder or not _PACKAGE_NAME.fullmatch(name):
            raise LedaError(
                f"{text!r} is not NAME=FOLDER.",
                "NAME becomes the package NAME.zip: up to 64 letters, digits, hyphens or underscores, a letter first.",
            )
        if name in found:
            raise LedaError(f"--process names {name} twice.", "Each package needs its own name.")
        found[name] = Path(folder)
    return found


def _example_processors() -> dict[str, Path]:
    """The record processors of the examples, by the names of their folders."""
    return {file.parent.name: file.parent for file in ROOT.glob(f"examples/*/*/{PROCESS}")}


def _syntax_error(error: SyntaxError) -> LedaError:
    return LedaError(
        f"{error.filename}, line {error.lineno}: {error.msg}",
        "The source must be Python that this interpreter reads, too "
        f"({sys.version_info.major}.{sys.version_info.minor}).",
    )


def write(built: list[Package], output: Path) -> None:
    """Write the zips and then the manifest, delete zips of functions that no longer exist, and print what is new."""
    output.mkdir(parents=True, exist_ok=True)
    changed = [each for each in built if _replace(output / each.entry["file"], each.content)]
    _replace(output / _MANIFEST, manifest_bytes(manifest_of(built)))
    for stale in set(output.glob("*.zip")) - {output / each.entry["file"] for each in built}:
        stale.unlink()
    for each in changed:
        info(f"{os.path.relpath(output / each.entry['file'])}: {len(each.content):,} bytes")
        if len(each.content) > LARGEST_DIRECT_UPLOAD:
            warn(
                f"{each.entry['file']} is over Lambda's 50 MB for a direct upload: publish it to S3."
            )
    if not changed:
        info("the functions' packages are up to date")


def manifest_of(built: list[Package]) -> dict[str, Entry]:
    """Return what packages.json says of the packages."""
    return {package.function: package.entry for package in built}


def manifest_bytes(manifest: Mapping[str, Entry]) -> bytes:
    """Return the manifest as it is written and published."""
    return (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode()


def _replace(path: Path, content: bytes) -> bool:
    """Replace `path` atomically, so that a reader sees the old file or the new one; return False if it is equal."""
    if path.is_file() and path.read_bytes() == content:
        return False
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return True


def _package(name: str, files: Mapping[str, Path], shared: Mapping[str, bytes]) -> Package:
    """The package of a function: its own files, and those that all packages share."""
    if taken := sorted(shared.keys() & files.keys()):
        raise LedaError(
            f"The package of {name} would have two files named {taken[0]}.",
            "Rename the function's own.",
        )
    contents = {**shared, **{place: path.read_bytes() for place, path in files.items()}}
    unzipped = sum(map(len, contents.values()))
    if unzipped > LARGEST_UNZIPPED:
        raise LedaError(
            f"The package of {name} unzips to {unzipped:,} bytes; Lambda takes 250 MB.",
            "Take files out of the function's folder, or deploy the function as an image.",
        )
    return Package(name, archive(contents))


def archive(contents: Mapping[str, bytes]) -> bytes:
    """Return a zip of `contents` whose bytes depend on nothing else.

    Entries are stored, not compressed: zlib, zlib-ng and their versions compress the same bytes differently, and Lambda
    unpacks a package before it runs.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(contents):
            item = zipfile.ZipInfo(name, _ZIP_TIME)
            item.create_system = _UNIX
            item.external_attr = _REGULAR_FILE_READABLE_BY_ALL << 16
            file.writestr(item, contents[name])
    return buffer.getvalue()


def _carried(place: str) -> bool:
    """Tell whether a file of the wheels goes into packages: modules and data, metadata and licences."""
    top = place.partition("/")[0]
    if top.endswith(".dist-info"):
        return bool(_ABOUT.match(place))
    return not top.endswith(".data") and not place.startswith((*NOT_CARRIED, "bin/"))

"""`scripts/release`: check, build and tag a version. The tag contains the packages, so `?ref=<tag>` needs no build.

The tag's commit is not on a branch: it has the branch's files and build/. Git stores what the packages have in common
only once, because the zips are not compressed: all of them together add half a megabyte to the repository.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from leda_cli.base.errors import LedaError
from leda_cli.base.output import heading, info
from leda_cli.base.paths import BUILD, ROOT
from leda_cli.develop import packages
from leda_cli.develop.environments import captured


def release(
    checked: Annotated[
        bool,
        typer.Option(
            "--checked", help="The checks of this commit have passed: do not run .ci/run."
        ),
    ] = False,
    publish: Annotated[
        list[str] | None,
        typer.Option(
            metavar="s3://BUCKET/PREFIX",
            help="Also upload the packages to PREFIX/v<version>, for accounts that cannot reach the repository; may be "
            "repeated, for a bucket in each Region.",
        ),
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(metavar="REMOTE", help="Push the tag there. Without it, the tag stays local."),
    ] = None,
) -> None:
    """Tag the commit as v<version>, with the packages in the tag. The version is that of pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tag = f"v{version}"
    notes = notes_of((ROOT / "CHANGELOG.md").read_text(), version)
    _require_releasable(tag)
    if not checked:
        heading("The checks of every change")
        if subprocess.run([ROOT / ".ci" / "run"], check=False).returncode != 0:
            raise LedaError(
                "The checks failed, so nothing was tagged.", "Correct what they name above."
            )
    heading("The packages")
    targets = [f"{each.rstrip('/')}/{tag}" for each in publish or ()]
    manifest = packages.build(publish=targets, output=BUILD, process=None, lock=False)
    commit = commit_with(
        [BUILD / "packages.json", *(BUILD / entry["file"] for entry in manifest.values())],
        f"Release {tag}: the packages of {_git('rev-parse', '--short', 'HEAD')}",
    )
    _git(
        "tag",
        "--annotate",
        "--cleanup=verbatim",
        "--message",
        f"LEDA {tag}\n\n{notes}",
        tag,
        commit,
    )
    info(f"tagged {tag}: {commit}")
    if push:
        _git("push", push, f"refs/tags/{tag}")
        info(f"pushed {tag} to {push}")
    else:
        info(f"publish it with: git push origin {tag}")


def notes_of(changelog: str, version: str) -> str:
    """Return the changelog's section of a version. Raises LedaError if it is missing or empty."""
    section = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if section is None or not section[1].strip():
        raise LedaError(
            f"CHANGELOG.md has no section for {version}.",
            f"Move what is under [Unreleased] below a line `## [{version}] - <date>`, and commit it.",
        )
    return section[1].strip()


def _require_releasable(tag: str) -> None:
    """Raise LedaError if the tag exists, or if the checkout has changes that are not committed."""
    if _git("tag", "--list", tag):
        raise LedaError(
            f"The tag {tag} exists already, and a release is never changed.",
            "Raise the version in pyproject.toml, add its section to CHANGELOG.md, and commit both.",
        )
    if changed := _git("status", "--porcelain"):
        raise LedaError(
            f"The checkout has changes that are not committed:\n{changed}",
            "Commit or remove them: a release holds what is committed.",
        )


def commit_with(files: Iterable[Path], message: str) -> str:
    """Return a new commit on top of HEAD that adds `files`, although .gitignore names them. No branch moves to it."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git("read-tree", "HEAD", environment=index)
        names = [str(file.relative_to(ROOT)) for file in files]
        _git("add", "--force", "--", *names, environment=index)
        tree = _git("write-tree", environment=index)
    return _git("commit-tree", tree, "-p", "HEAD", "-m", message)


def _git(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git in the checkout and return its output. Raises LedaError with git's message if it fails."""
    done = captured(["git", *arguments], ROOT, {**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise LedaError(
            f"git {arguments[0]} failed: {done.stderr.strip()}",
            "Correct what git names, then run scripts/release again.",
        )
    return done.stdout.strip()

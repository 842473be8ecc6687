"""A release made from a clone of the sources, as `scripts/release` makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leda_cli.base.paths import CACHE, LOCAL, ROOT

_SOMEBODY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.com"))
}
ENVIRONMENT: Mapping[str, str] = {**os.environ, **_SOMEBODY}


def run(command: list[str], folder: Path, ok: int = 0) -> str:
    """Run a command that must end with the status `ok`; return what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == ok, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Repository:
    """A bare repository with the sources as they are in the checkout, and a clone of it to release from."""

    bare: Path
    clone: Path

    def release(self, *arguments: str, ok: int = 0) -> str:
        """Run the clone's own scripts/release, with the checkout's checks left out."""
        return run(["scripts/release", "--checked", *arguments], self.clone, ok)


def repository(folder: Path) -> Repository:
    """Make both under `folder`. The clone has its own environment; it only shares the checkout's caches."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    sources = folder / "sources"
    for name in run(listed, ROOT).split("\0"):
        if (
            name and (ROOT / name).is_file()
        ):  # a file that was removed is listed until it is committed
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, sources / name)
    run(["git", "init", "--quiet", "--initial-branch", "main"], sources)
    run(["git", "add", "."], sources)
    run(["git", "commit", "--quiet", "--message", "The sources"], sources)
    bare, clone = folder / "bare.git", folder / "clone"
    run(["git", "clone", "--quiet", "--bare", str(sources), str(bare)], folder)
    run(["git", "clone", "--quiet", str(bare), str(clone)], folder)
    (clone / ".local").mkdir()
    for cache in (CACHE, LOCAL / "wheels"):
        cache.mkdir(exist_ok=True)
        (clone / ".local" / cache.name).symlink_to(cache)
    return Repository(bare, clone)

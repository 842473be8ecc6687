"""A release: its tag holds the packages, and the configuration in the README applies from the tag alone."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from leda_cli.base.paths import CACHE, LOCAL, ROOT
from leda_cli.develop.terraform import TfLocal
from support.live_aws import BareAws, wait_for

_HCL = re.compile(r"^```hcl\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = "git::https://github.com/<owner>/<repository>.git"

TABLE = """
resource "aws_dynamodb_table" "feedback" {
  name             = "ReleasedFeedback"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "id"
    type = "S"
  }
}
"""
# The table is new and needs no backfill; other examples on this local AWS have the default names.
OVERRIDE = """
module "feedback_totals" {
  name_prefix         = "Released-"
  backfill            = "none"
  deletion_protection = false
}
"""


_SOMEBODY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.com"))
}
ENVIRONMENT: Mapping[str, str] = {**os.environ, **_SOMEBODY}


def run(command: list[str], folder: Path, ok: int = 0) -> str:
    """Run a command that must end with the status `ok`; returns what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == ok, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Repository:
    """A bare repository with the checkout's sources, and a clone of it to release from."""

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
        # A file that was removed is listed until it is committed.
        if name and (ROOT / name).is_file():
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


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = repository(tmp_path_factory.mktemp("release"))
    made.release("--push", "origin")
    return made


def test_the_tag_holds_the_packages_and_the_branch_does_not(released: Repository) -> None:
    readme = (ROOT / "README.md").read_text()
    (tag,) = set(re.findall(r"\?ref=(\S+)\"", readme))
    assert run(["git", "tag"], released.bare).split() == [tag]
    in_tag, in_branch = (
        run(["git", "ls-tree", "-r", "--name-only", name], released.bare).split()
        for name in (tag, "main")
    )
    assert {"build/packages.json", "build/map.zip", "build/reduce.zip"} < set(in_tag)
    assert {name for name in in_tag if not name.startswith("build/")} == set(in_branch)
    assert run(["git", "status", "--porcelain"], released.clone) == ""


def test_a_release_that_exists_is_refused(released: Repository) -> None:
    assert "exists already" in released.release(ok=1)


def test_the_configuration_in_the_readme_applies_from_the_tag(
    released: Repository, bare: BareAws, tmp_path: Path
) -> None:
    (lines,) = _HCL.findall((ROOT / "README.md").read_text())
    assert _PLACEHOLDER in lines
    root = tmp_path / "root"
    root.mkdir()
    (root / "main.tf").write_text(
        TABLE + lines.replace(_PLACEHOLDER, f"git::file://{released.bare}")
    )
    (root / "main_override.tf").write_text(OVERRIDE)
    terraform = TfLocal(
        root, tmp_path / "work", dict(bare.aws.variables), log_name="terraform-release"
    )
    terraform.prepare()
    terraform.init()
    terraform.apply()

    item = {"id": {"S": "1"}, "date": {"S": "2026-08-01"}, "sentiment_score": {"N": "0.5"}}
    bare.dynamodb.put_item(TableName="ReleasedFeedback", Item=item)

    def totals() -> dict[str, str]:
        rows = bare.dynamodb.scan(TableName="Released-AggregateTable")["Items"]
        return {row["Identifier"]["S"]: row["Sentiment"]["N"] for row in rows}

    wanted = {"daily:2026-08-01": "0.5", "source:unknown:2026-08-01": "0.5"}
    wait_for("the row's totals", totals, wanted.__eq__)

"""A release: its tag holds the packages, and the README's lines apply from it with nothing else at hand."""

import re
from pathlib import Path

import pytest

from leda_cli.base.paths import ROOT
from leda_cli.develop.terraform import TfLocal
from support.live_aws import BareAws, wait_for
from support.released import Repository, repository, run

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
# The table is new, so there is nothing to count first; other examples on this local AWS have the usual names.
OVERRIDE = """
module "feedback_totals" {
  name_prefix         = "Released-"
  backfill            = "none"
  deletion_protection = false
}
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = repository(tmp_path_factory.mktemp("release"))
    made.release("--push", "origin")
    return made


def test_the_tag_holds_the_packages_and_no_branch_does(released: Repository) -> None:
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


def test_a_release_is_never_made_twice(released: Repository) -> None:
    assert "exists already" in released.release(ok=1)


def test_the_readmes_lines_apply_from_the_tag_alone(
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

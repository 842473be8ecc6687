"""`leda example`: the examples, and when they are applied again."""

import json
from pathlib import Path
from typing import Any

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import ROOT
from leda_cli.demos import example, examples
from leda_cli.develop import local
from leda_cli.develop.instance import Running, client_variables
from leda_cli.develop.localstack import LocalStack


class Terraform:
    """Records the commands that are run."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.runs: list[str] = []
        self.error = error

    def prepare(self) -> None:
        self.runs.append("prepare")

    def init(self) -> None:
        self.runs.append("init")

    def apply(self) -> None:
        self.runs.append("apply")
        if self.error:
            raise self.error

    def outputs(self) -> str:
        return json.dumps({"table": {"value": "Scores", "sensitive": False}})


def apply(folder: Path, terraform: Any, digest: str = "one") -> dict[str, object]:
    return local.apply_changes(LocalStack(folder, "test"), terraform, folder, digest)


def test_an_unchanged_example_is_not_applied_again(tmp_path: Path) -> None:
    first, again, changed = Terraform(), Terraform(), Terraform()

    assert apply(tmp_path, first) == {"table": "Scores"}
    assert apply(tmp_path, again) == {"table": "Scores"}
    assert apply(tmp_path, changed, "two") == {"table": "Scores"}

    assert (first.runs, again.runs, changed.runs) == (
        ["prepare", "init", "apply"],
        [],
        ["prepare", "init", "apply"],
    )


def test_only_an_interrupted_apply_leaves_the_marker_that_clears_the_state(tmp_path: Path) -> None:
    marker = tmp_path / local.APPLYING
    with pytest.raises(LedaError, match="failed"):
        apply(tmp_path, Terraform(LedaError("terraform apply failed.")))
    assert not marker.exists()

    with pytest.raises(KeyboardInterrupt):
        apply(tmp_path, Terraform(KeyboardInterrupt()))
    assert marker.exists()

    assert apply(tmp_path, Terraform()) == {"table": "Scores"}
    assert not marker.exists()


def test_an_example_is_applied_from_copies_without_deletion_protection(tmp_path: Path) -> None:
    terraform = examples.terraform_of(
        "complete", tmp_path, client_variables(1), {"name_prefix": "T-"}
    )
    terraform.prepare()

    assert terraform.variables
    settings = json.loads(terraform.variables.read_text())
    assert settings == {"deletion_protection": False, "name_prefix": "T-"}
    assert (terraform.work / "main.tf").read_text() == (
        ROOT / "examples" / "complete" / "main.tf"
    ).read_text()
    assert (terraform.work / "../../modules").resolve() == ROOT / "modules"


@pytest.mark.parametrize("name", sorted(examples.ON_MINISTACK))
def test_an_example_on_ministack_has_the_variables_that_it_is_told(name: str) -> None:
    running = Running(pid=1, created=0.0, port=4600, settings="", id="")
    variables = (examples.EXAMPLES / name / "variables.tf").read_text()
    for variable in examples._on_ministack(running):
        assert f'variable "{variable}"' in variables


def test_the_site_of_an_example_is_copied_too(tmp_path: Path) -> None:
    terraform = examples.terraform_of("shop", tmp_path, client_variables(1))
    terraform.prepare()
    assert (terraform.work / "site" / "index.html").is_file()


def test_a_digest_depends_on_the_instance_and_the_root_module() -> None:
    complete, reuse = (ROOT / "examples" / name for name in ("complete", "reuse"))
    digests = {
        local.sources_digest(instance, root) for instance in "ab" for root in (complete, reuse)
    }
    assert len(digests) == 4


def test_an_unknown_example_or_demo_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(LedaError, match=r"no examples/nowhere.*complete"):
        examples.deploy("nowhere")
    with pytest.raises(LedaError, match=r"no demo of 'complete'.*scores"):
        example.player("complete")


@pytest.mark.parametrize("name", example.playable())
def test_every_demo_has_its_example_and_a_play(name: str) -> None:
    assert name in examples.names()
    assert callable(example.player(name))

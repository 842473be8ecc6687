"""`leda status` and its fellows: what they say of local AWS."""

from pathlib import Path

import pytest

from leda_cli.develop import local
from leda_cli.develop.localstack import LocalStack
from leda_cli.develop.ministack import MiniStack


def test_that_nothing_runs_is_an_answer_of_status_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "_instance", lambda name: LocalStack(tmp_path / name, "test"))
    monkeypatch.setattr(local, "_ministack", lambda name: MiniStack(tmp_path / name, "test"))
    local.status()
    assert "Local AWS is not running. Start it with: make up" in capsys.readouterr().out

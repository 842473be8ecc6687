"""`scripts/release`: a version's notes and refusals. tests/deployed makes a release."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.develop import release

CHANGELOG = """# Changelog

## [Unreleased]

- next

## [0.2.0] - 2026-11-29

### Added

- a thing

## [0.1.0] - 2026-10-01
"""


def test_a_versions_notes_are_its_section() -> None:
    assert release.notes_of(CHANGELOG, "0.2.0") == "### Added\n\n- a thing"


@pytest.mark.parametrize("version", ["0.3.0", "0.1.0", "0.2"])
def test_a_version_without_notes_is_refused(version: str) -> None:
    with pytest.raises(LedaError, match="has no section"):
        release.notes_of(CHANGELOG, version)


def test_uncommitted_changes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    with pytest.raises(LedaError, match=r"CHANGELOG\.md"):
        release.release(checked=True)

"""The wheels in the packages: pinned, pure Python, unchanged, and downloaded once."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import REQUIREMENTS, ROOT, contained_environment
from leda_cli.develop import wheels

SOURCE = ROOT / "lambda_src"
LOCK = SOURCE / "requirements.lock"
HASH = "sha256:" + "0" * 64


def make_lock(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.lock"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def pins(lock: Path) -> dict[str, str]:
    """The versions of a lock by the names of their distributions."""
    return dict(re.findall(r"^([\w.-]+)==([^ ;]+)", lock.read_text(), re.MULTILINE))


def test_wheels_are_downloaded_once_for_each_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def fake(_lock: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        made.append(folder)

    monkeypatch.setattr(wheels, "_install", fake)
    for last in ("0", "0", "1"):
        lock = make_lock(tmp_path, f"thing==1.0 --hash={HASH[:-1]}{last}")
        assert wheels.fetch(lock, tmp_path / "cache") == made[-1]
    assert len(made) == len(set(made)) == 2


@pytest.mark.parametrize("line", ["thing", "thing>=1", "thing==1.0", f"thing --hash={HASH}"])
def test_a_line_without_a_version_and_a_hash_is_refused(tmp_path: Path, line: str) -> None:
    lock = make_lock(tmp_path, "--no-index", line)
    with pytest.raises(LedaError, match="--require-hashes"):
        wheels.fetch(lock, tmp_path / "cache")


def test_a_missing_network_is_an_error_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline() -> dict[str, str]:
        cache = str(tmp_path / "uv")
        return {
            **contained_environment(),
            "UV_OFFLINE": "1",
            "UV_CACHE_DIR": cache,
            "UV_NO_CONFIG": "1",
        }

    monkeypatch.setattr(wheels, "contained_environment", offline)
    with pytest.raises(LedaError, match="Cannot download") as raised:
        wheels.fetch(LOCK, tmp_path / "wheels")
    assert "network" in raised.value.fix
    assert not list((tmp_path / "wheels").iterdir())


def test_a_file_with_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\n")
    lock = make_lock(
        tmp_path, f"--find-links {tmp_path}", "--no-index", f"thing==1.0 --hash={HASH}"
    )
    with pytest.raises(LedaError, match="Hash mismatch") as raised:
        wheels.fetch(lock, tmp_path / "cache")
    assert "requirements.lock" in raised.value.fix


def test_the_lock_has_one_hash_for_each_distribution() -> None:
    assert LOCK.read_text().count("--hash=") == len(pins(LOCK))


def test_the_lock_names_no_host_and_no_folder() -> None:
    assert not re.search(r"https?:|\.org|\.io|file:|/", LOCK.read_text())


def test_the_lock_has_all_requirements() -> None:
    lines = (SOURCE / "requirements.in").read_text().splitlines()
    assert {line for line in lines if line and line[0] != "#"} <= pins(LOCK).keys()


def test_the_tests_use_the_versions_in_the_functions_packages() -> None:
    assert pins(LOCK).items() <= pins(REQUIREMENTS / "dev.lock").items()


def test_a_lock_keeps_only_the_hashes_of_pure_wheels() -> None:
    pure, compiled, source = ({"hashes": {"sha256": c * 64}} for c in "abc")
    package = {
        "name": "thing",
        "version": "1.0",
        "marker": "python_version < '3.13'",
        "sdist": source,
        "wheels": [
            {"url": "https://index/thing-1.0-cp313-cp313-win32.whl", **compiled},
            {"url": "https://index/thing-1.0-py3-none-any.whl", **pure},
        ],
    }
    assert wheels._locked(package) == (
        f"thing==1.0 ; python_version < '3.13' \\\n    --hash=sha256:{'a' * 64}\n"
    )


def test_a_distribution_without_a_pure_wheel_cannot_be_locked() -> None:
    file = {"url": "thing-1.0-cp313-cp313-win32.whl", "hashes": {"sha256": "a" * 64}}
    with pytest.raises(LedaError, match="no pure-Python wheel"):
        wheels._locked({"name": "thing", "version": "1.0", "wheels": [file]})

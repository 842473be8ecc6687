"""The wheels in the packages: pinned, pure Python, unchanged, and downloaded once."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import REQUIREMENTS, ROOT, contained_environment
from leda_cli.develop import wheels

SOURCE = ROOT / "lambda_src"
HASH = "sha256:" + "0" * 64


def make_lock(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.lock"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def install(folder: Path, name: str, files: dict[str, str]) -> None:
    """Write the files of an installed wheel."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/LICENSE.txt": "free",
    }
    record = ""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        record += f"{path},sha256={digest.decode().rstrip('=')},{len(text)}\n"
    (folder / info / "RECORD").write_text(record + f"{info}/RECORD,,\n../bin/x,sha256=a,1\n")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose downloads install one wheel, `thing`."""

    def fake(lock: Path, folder: Path, *, have_any: bool) -> None:
        install(folder, "thing", {"thing/__init__.py": "x = 1\n"})

    monkeypatch.setattr(wheels, "_install", fake)
    return tmp_path / "cache"


def test_wheels_are_downloaded_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = make_lock(tmp_path, f"thing==1.0 \\\n    --hash={HASH}", "    # via something")
    first = wheels.fetch(lock, cache)
    monkeypatch.setattr(wheels, "_install", None)
    assert wheels.fetch(lock, cache) == first
    assert set(first["thing"].files) == {
        "thing/__init__.py",
        "thing-1.0.dist-info/METADATA",
        "thing-1.0.dist-info/WHEEL",
        "thing-1.0.dist-info/LICENSE.txt",
    }


def test_a_changed_pin_is_downloaded(tmp_path: Path, cache: Path) -> None:
    wheels.fetch(make_lock(tmp_path, f"thing==1.0 --hash={HASH}"), cache)
    wheels.fetch(make_lock(tmp_path, f"thing==1.0 --hash={HASH[:-1]}1"), cache)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("line", ["thing", "thing>=1", "thing==1.0", f"thing --hash={HASH}"])
def test_a_line_without_a_version_and_a_hash_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(LedaError, match="no exact version with a hash"):
        wheels.read_lock(make_lock(tmp_path, line))


def test_a_missing_lock_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(LedaError) as raised:
        wheels.read_lock(tmp_path / "requirements.lock")
    assert "scripts/build --lock" in raised.value.fix


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
        wheels.fetch(SOURCE / "requirements.lock", tmp_path / "wheels")
    assert "network" in raised.value.fix
    assert not list((tmp_path / "wheels").iterdir())


def test_a_file_with_a_wrong_hash_is_refused(tmp_path: Path) -> None:
    install(tmp_path / "tree", "thing", {})
    wheel = shutil.make_archive(str(tmp_path / "thing"), "zip", tmp_path / "tree")
    Path(wheel).rename(tmp_path / "thing-1.0-py3-none-any.whl")
    lock = make_lock(tmp_path, f"--find-links {tmp_path}", f"thing==1.0 --hash={HASH}")
    with pytest.raises(LedaError, match="Hash mismatch") as raised:
        wheels._install(lock, tmp_path / "cache" / "x", have_any=True)
    assert "requirements.lock" in raised.value.fix


def test_the_lock_has_one_hash_for_each_distribution() -> None:
    for pin in wheels.read_lock(SOURCE / "requirements.lock"):
        assert len(pin.hashes) == 1, pin


def test_the_lock_names_no_host_and_no_folder() -> None:
    text = (SOURCE / "requirements.lock").read_text()
    assert not re.search(r"https?:|\.org|\.io|file:|/", text)


def test_the_lock_has_all_requirements() -> None:
    asked = {
        wheels.normalize(re.split(r"[=<>~!\[ ;]", line)[0])
        for line in (SOURCE / "requirements.in").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert asked <= {pin.name for pin in wheels.read_lock(SOURCE / "requirements.lock")}


def test_the_tests_use_the_versions_in_the_functions_packages() -> None:
    carried = {pin.name: pin.version for pin in wheels.read_lock(SOURCE / "requirements.lock")}
    tested = {pin.name: pin.version for pin in wheels.read_lock(REQUIREMENTS / "dev.lock")}
    assert {name: tested.get(name) for name in carried} == carried


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

"""Setting up tools and local AWS: versions, mirrors, ports, digests, and the user's environment."""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from leda_cli.base import paths
from leda_cli.base.errors import LedaError
from leda_cli.develop import environments, local, terraform, toolchain
from leda_cli.develop.instance import (
    MARKER,
    Running,
    client_variables,
    free_port,
    owner_of,
    port_is_free,
)
from leda_cli.develop.localstack import LocalStack
from support.processes import run


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v20.20.2", (20, 20, 2)),
        ('openjdk version "17.0.15" 2025-04-15', (17, 0, 15)),
        ("Terraform v1.11.4\non linux_amd64", (1, 11, 4)),
        ("Python 3.13.0", (3, 13, 0)),
        ("no number", ()),
    ],
)
def test_versions_are_read_from_the_output_of_tools(text: str, version: tuple[int, ...]) -> None:
    assert toolchain.parse_version(text) == version


def test_npm_does_not_expand_variables_in_the_name_of_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "a${HOME}$HOME b"
    monkeypatch.setattr(paths, "CACHE", cache)
    npm = toolchain.npm_command(toolchain.find_node())
    done = run(*npm, "config", "get", "cache", env=paths.contained_environment(), cwd=tmp_path)
    assert done.stdout.strip() == str(cache / "npm")


def test_uv_installs_the_checkout_by_a_relative_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """uv would expand `${HOME}` in an absolute path."""
    commands: list[list[str]] = []
    monkeypatch.setattr(environments, "sync", lambda *_, after, state: commands.extend(after))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)

    runpy.run_path(str(paths.ROOT / "scripts" / "bootstrap"))["bootstrap"]()

    [command] = commands
    assert command[command.index("--editable") + 1] == "."


def test_an_environment_is_made_again_after_a_change_of_its_inputs_or_an_interruption(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("a==1")
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    assert not environments.is_current(folder, lock, "python3")
    environments.mark_complete(folder, environments.digest_of([lock], str(folder), "python3", ""))
    assert environments.is_current(folder, lock, "python3")
    assert not environments.is_current(folder, lock, "python3", state="other plugin")
    assert not environments.is_current(folder, lock, "python3.12")
    lock.write_text("a==2")
    assert not environments.is_current(folder, lock, "python3")


def test_a_python_that_does_not_run_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert environments.find_python("3.99") is None
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert environments.find_python("3.99", own) == environments.base_interpreter()


def _mirror(folder: Path) -> Path:
    (folder / terraform.PROVIDER).mkdir(parents=True)
    return folder


def test_a_mirror_named_by_the_variable_is_preferred(tmp_path: Path) -> None:
    named, other = _mirror(tmp_path / "named"), _mirror(tmp_path / "opt" / "plugins")
    environment = {"HOME": str(tmp_path), terraform.MIRROR_VARIABLE: str(named)}
    assert terraform.find_mirror(environment, [str(other.parent)]) == named


def test_a_named_mirror_without_the_provider_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LedaError, match=terraform.MIRROR_VARIABLE):
        terraform.find_mirror({terraform.MIRROR_VARIABLE: str(tmp_path)}, [])


def test_the_users_plugin_folders_are_preferred_to_those_of_the_system(tmp_path: Path) -> None:
    implied = _mirror(tmp_path / ".terraform.d" / "plugins")
    other = _mirror(tmp_path / "opt" / "plugins")
    environment = {"HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path / "none")}
    assert terraform.find_mirror(environment, [str(other.parent)]) == implied
    assert terraform.find_mirror({**environment, "HOME": "/none"}, [str(other.parent)]) == other
    assert terraform.find_mirror({**environment, "HOME": "/none"}, [str(tmp_path / "no")]) is None


def test_a_mirror_is_used_for_the_aws_provider_only() -> None:
    text = terraform.cli_configuration(Path("/mirror"))
    assert 'path    = "/mirror"' in text
    assert text.count('["registry.terraform.io/hashicorp/aws"]') == 2
    assert "provider_installation" not in terraform.cli_configuration(None)


def test_the_path_of_a_mirror_is_quoted() -> None:
    assert 'path    = "/a$HOME/\\"b\\"/c"' in terraform.cli_configuration(Path('/a$HOME/"b"/c'))


def test_the_users_cli_configuration_is_used_if_it_exists(tmp_path: Path) -> None:
    own = tmp_path / "own.tfrc"
    own.touch()
    given = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(own)}
    assert terraform.terraform_environment(given)["TF_CLI_CONFIG_FILE"] == str(own)
    own.unlink()
    assert terraform.terraform_environment(given)["TF_CLI_CONFIG_FILE"] != str(own)


def test_a_missing_or_old_terraform_is_an_error_that_names_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LedaError, match=r"1\.9 or later"):
        terraform.require_terraform()
    old = tmp_path / "terraform"
    old.write_text("#!/bin/sh\necho Terraform v1.5.7\n")
    old.chmod(0o755)
    with pytest.raises(LedaError, match=r"1\.5\.7"):
        terraform.require_terraform()


def test_the_module_is_applied_from_copies(tmp_path: Path) -> None:
    root, work = tmp_path / "root", tmp_path / "work"
    (root / "modules").mkdir(parents=True)
    (root / "main.tf").write_text("one")
    (root / "terraform.tfvars").write_text("of a real account")
    tf = terraform.TfLocal(root, work, {}, links={"modules": root / "modules"})
    tf.prepare()
    (root / "main.tf").rename(root / "renamed.tf")
    tf.prepare()
    assert sorted(path.name for path in work.iterdir()) == ["modules", "renamed.tf"]
    assert (work / "modules").resolve() == root / "modules"


@pytest.mark.parametrize(("text", "port"), [("", None), ("4600", 4600), (" 4600 ", 4600)])
def test_the_port_is_read_from_the_environment(
    text: str, port: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDA_PORT", text)
    assert local.chosen_port("LEDA_PORT") == port


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "²", "٤٦٠٠", "4_600", "9" * 5000])
def test_an_invalid_port_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDA_PORT", text)
    with pytest.raises(LedaError, match="LEDA_PORT"):
        local.chosen_port("LEDA_PORT")


def test_localstack_and_ministack_have_separate_settings_for_their_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LEDA_PORT is for LocalStack, and must not be used for MiniStack too."""
    started: list[tuple[str, int | None]] = []

    def start(instance: Any, _tools: object, port: int | None) -> Running:
        started.append((instance.TITLE, port))
        return Running(1, 0.0, port or 4999, "", "")

    monkeypatch.setattr(local, "_start", start)
    monkeypatch.setattr(local, "_prepare", lambda _instance: None)
    monkeypatch.setattr(local, "require_terraform", lambda: None)
    for name in ("ENV_FILE", "MINISTACK_ENV_FILE", "OUTPUTS_FILE"):
        monkeypatch.setattr(local, name, tmp_path / name)
    monkeypatch.setattr(local, "LOCAL", tmp_path)
    monkeypatch.setenv("LEDA_PORT", "4600")
    monkeypatch.delenv("LEDA_SHOP_PORT", raising=False)
    with local.developers(), local.developers_ministack():
        pass
    monkeypatch.setenv("LEDA_SHOP_PORT", "4601")
    with local.developers_ministack():
        pass
    assert started == [("LocalStack", 4600), ("MiniStack", None), ("MiniStack", 4601)]


def waiting(code: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start Python with code that waits for the end of its input, which comes at the latest when the tests end."""
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **environment}, stdin=subprocess.PIPE
    )


def test_the_owner_of_a_local_aws_port_is_named(tmp_path: Path) -> None:
    port = free_port()
    code = f"import socket, sys; s = socket.create_server(('127.0.0.1', {port})); sys.stdin.read()"
    process = waiting(code, {MARKER: "/checkout/.local/aws"})
    try:
        while port_is_free(port):
            time.sleep(0.02)
        expected = f"a local AWS of LEDA (/checkout/.local/aws, PID {process.pid})"
        assert owner_of(port) == expected
    finally:
        process.kill()
        process.wait()


def test_an_interrupted_apply_warns_that_what_was_applied_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scores", "change-capture"):
        (tmp_path / "examples" / name).mkdir(parents=True)
        (tmp_path / "examples" / name / "applied").touch()
    (tmp_path / "examples" / "record-processor").mkdir()
    (tmp_path / "applied").touch()
    said: list[str] = []
    monkeypatch.setattr(local, "warn", said.append)

    class Terraform:
        def prepare(self) -> None: ...

        init = prepare

        def apply(self) -> None:
            raise KeyboardInterrupt

    folder = tmp_path / "examples" / "record-processor"
    instance: Any = SimpleNamespace(folder=tmp_path, TITLE="LocalStack", current=lambda: True)
    terraform_: Any = Terraform()
    with pytest.raises(KeyboardInterrupt):
        local.apply_changes(instance, terraform_, folder, "digest")
    (line,) = said
    gone = "the stack, examples/change-capture, examples/scores"
    assert gone in line

    said.clear()
    instance.stop = lambda: said.append("stopped")
    instance.start = lambda _port, _tools: (Running(1, 0.0, 1, "", ""), True)
    local._start(instance, None, None)
    assert gone in said[1]
    assert said[-1] == "stopped"


@pytest.mark.parametrize(("looks", "is_kept"), [([False, False, True], True), ([False] * 6, False)])
def test_an_instance_that_is_slow_to_answer_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: list[bool], is_kept: bool
) -> None:
    ran, fresh = Running(1, 0.0, 4599, "same", ""), Running(2, 0.0, 4599, "same", "")
    instance: Any = LocalStack(tmp_path, "test")
    answers = iter(looks)
    for name, value in {
        "current": lambda: ran,
        "healthy": lambda _running: next(answers),
        "stop": lambda: True,
        "_settings_digest": lambda *_: "same",
        "_start_fresh": lambda *_: fresh,
    }.items():
        monkeypatch.setattr(instance, name, value)
    assert instance.start(4599, None) == ((ran, False) if is_kept else (fresh, True))


def test_a_start_that_replaces_an_instance_warns_that_what_was_applied_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples" / "feedback").mkdir(parents=True)
    (tmp_path / "examples" / "feedback" / "applied").touch()
    said: list[str] = []
    monkeypatch.setattr(local, "warn", said.append)
    ran, now = Running(1, 0.0, 4599, "", ""), Running(2, 0.0, 4600, "", "")
    instance: Any = SimpleNamespace(folder=tmp_path, TITLE="LocalStack", current=lambda: ran)

    instance.start = lambda _port, _tools: (ran, False)
    local._start(instance, None, None)
    assert said == []

    instance.start = lambda _port, _tools: (now, True)
    assert local._start(instance, None, None) is now
    assert "http://127.0.0.1:4599" in said[0]
    assert "(examples/feedback)" in said[1]


@pytest.mark.parametrize(
    ("shell", "direct"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": ".corp"}, "127.0.0.1,localhost,::1,.corp"),
        ({"no_proxy": ".corp"}, "127.0.0.1,localhost,::1,.corp"),
    ],
)
def test_the_env_file_sets_a_shell_up_for_local_aws(shell: dict[str, str], direct: str) -> None:
    other = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://far"}
    text = local.env_file(client_variables(4566))
    done = run("sh", "-c", f"{text}\nenv", env={**other, **shell})
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & found.keys()
    assert (found["NO_PROXY"], found["no_proxy"]) == (direct, direct)


def test_outputs_are_reduced_to_their_values() -> None:
    assert local.outputs_of('{"a": {"value": {"b": 1}, "type": "x"}}') == {"a": {"b": 1}}


TOOLS = toolchain.Toolchain(*(Path(f"/tools/{n}/bin/x") for n in range(6)))


def test_the_users_aws_settings_are_not_passed_to_localstack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    variables = LocalStack(Path("/folder"), "unused").environment(4600, TOOLS)
    assert not {"AWS_PROFILE", "HTTPS_PROXY"} & variables.keys()
    assert variables["HOME"] == "/folder/home"
    assert variables["GATEWAY_LISTEN"] == "127.0.0.1:4600"


def test_a_port_in_use_is_detected_and_its_owner_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not port_is_free(port)
        assert str(os.getpid()) in owner_of(port)
    assert port_is_free(free_port())


def test_a_port_in_use_is_an_error_that_names_the_variable(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        instance = LocalStack(tmp_path / "aws", "unused")
        tools = toolchain.Toolchain(*(tmp_path / "a" / "b" / "c" for _ in range(6)))
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / ".leda-complete").touch()
        with pytest.raises(LedaError, match="LEDA_PORT"):
            instance.start(server.getsockname()[1], tools)


def test_a_pid_file_of_a_dead_or_another_process_is_ignored(tmp_path: Path) -> None:
    instance = LocalStack(tmp_path, "unused")
    assert instance.current() is None
    me = psutil.Process()
    for pid, created in ((me.pid, me.create_time()), (2**22 + 1, 0.0), (me.pid, 1.0)):
        said = {"pid": pid, "created": created, "port": 1, "settings": "", "id": ""}
        (tmp_path / "localstack.json").write_text(json.dumps(said))
        assert instance.current() is None
    (tmp_path / "localstack.json").write_text('{"pid": 1')
    assert instance.current() is None


def test_stopping_ends_every_process_of_the_instance_and_no_other(tmp_path: Path) -> None:
    def sleeper(folder: Path, **more: str) -> subprocess.Popen[bytes]:
        return waiting("import sys; sys.stdin.read()", {MARKER: str(folder), **more})

    instance = LocalStack(tmp_path / "mine", "unused")
    mine = sleeper(instance.folder, AWS_LAMBDA_FUNCTION_NAME="StateLambda")
    other = sleeper(tmp_path / "other")
    try:
        assert instance.function_processes() == [mine.pid]
        assert instance.function_processes("StateLambda") == [mine.pid]
        assert instance.function_processes("MapLambda") == []
        assert instance.stop()
        mine.wait(10)
        assert other.poll() is None
        assert not instance.stop()
    finally:
        for process in (mine, other):
            process.kill()
            process.wait()


# -- Chromium, for the tests of the shop's pages


def fake_programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> None:
    monkeypatch.setenv("PATH", str(folder))
    for name, script in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


def test_an_installed_chromium_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_programs(tmp_path, monkeypatch, chromium_browser="exit 0")
    assert toolchain.install_chromium() == tmp_path / "chromium-browser"


def test_root_installs_debians_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, chromium = tmp_path / "log", tmp_path / "chromium"
    install = f'echo "$@" >> {log}; case "$*" in *install*) : > {chromium}; /bin/chmod +x {chromium};; esac'
    fake_programs(tmp_path, monkeypatch, apt_get=install)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(environments, "contained_environment", lambda: {"PATH": str(tmp_path)})

    assert toolchain.install_chromium() == chromium
    assert log.read_text().splitlines() == [
        "--quiet update",
        "--quiet install --yes --no-install-recommends chromium",
    ]


def test_a_missing_chromium_is_an_error_that_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_programs(tmp_path, monkeypatch, apt_get="exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LedaError, match="no Chromium") as error:
        toolchain.install_chromium()
    assert "apt-get install chromium" in (error.value.fix or "")

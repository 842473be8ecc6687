"""The commands keep the shell's settings for the network and ignore those that would change what they do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from leda_cli.base import paths, shell
from leda_cli.base.paths import ROOT, VENV
from leda_cli.develop import terraform
from leda_cli.develop.instance import client_variables
from support.hostile_shells import OF_BOTO3, OF_PYTHON, OF_TOOLS
from support.processes import run

PROXIES = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"}
NETWORK = {*PROXIES, "no_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE"}
TABLE = {**OF_BOTO3, **OF_TOOLS, **OF_PYTHON}


@pytest.mark.parametrize("name", TABLE)
def test_started_programs_do_not_get_variables_that_would_change_what_they_do(name: str) -> None:
    given = {"HOME": "/home/me", "PATH": "/bin", **TABLE[name]}

    found = terraform.terraform_environment(given)

    for variable in TABLE[name].keys() - NETWORK:
        assert found.get(variable) in (None, os.devnull), variable
    assert (found["HOME"], found["PATH"]) == ("/home/me", "/bin")


@pytest.mark.parametrize("name", OF_TOOLS)
def test_terraform_on_local_aws_gets_the_local_keys_and_endpoint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variables in (OF_TOOLS[name], *OF_BOTO3.values()):
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
    local = client_variables(4600)

    found = terraform.TfLocal(tmp_path, tmp_path / "work", local).environment()

    of_aws = {variable for variable in found if variable.startswith("AWS_")}
    assert of_aws == {
        *local,
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }
    assert {variable: found[variable] for variable in local} == local
    assert found["S3_HOSTNAME"] == "127.0.0.1"
    assert "127.0.0.1" in found["NO_PROXY"].split(",")


@pytest.mark.parametrize(
    "name",
    [
        *sorted(PROXIES),
        "SSL_CERT_FILE",
        "PIP_INDEX_URL",
        "PIP_TRUSTED_HOST",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_MINE_PASSWORD",
        "UV_NATIVE_TLS",
        "npm_config_registry",
        "NPM_CONFIG_HTTPS_PROXY",
        "npm_config_//registry.example.com/:_authToken",
        "NODE_EXTRA_CA_CERTS",
        "TF_PLUGIN_CACHE_DIR",
        "TF_TOKEN_registry_example_com",
        "JAVA_HOME",
        "PYTHONIOENCODING",
        "LANG",
        "LEDA_PORT",
    ],
)
def test_variables_for_the_network_and_the_terminal_are_kept(name: str) -> None:
    assert shell.for_children({name: "value"})[name] == "value"


def test_uv_uses_pips_index_unless_it_has_one_of_its_own() -> None:
    assert shell.for_children({"PIP_INDEX_URL": "a"})["UV_DEFAULT_INDEX"] == "a"
    both = {"PIP_INDEX_URL": "a", "UV_DEFAULT_INDEX": "b"}
    assert shell.for_children(both)["UV_DEFAULT_INDEX"] == "b"


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"no_proxy": ".corp, 10.0.0.1"}, ".corp,10.0.0.1,127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "localhost"}, "localhost,127.0.0.1,::1"),
        ({"no_proxy": "a", "NO_PROXY": "b,a"}, "a,b,127.0.0.1,localhost,::1"),
        ({"no_proxy": ""}, "127.0.0.1,localhost,::1"),
    ],
)
def test_this_machine_is_never_reached_through_a_proxy(given: dict[str, str], hosts: str) -> None:
    found = shell.for_children(given)

    assert (found["no_proxy"], found["NO_PROXY"]) == (hosts, hosts)


@pytest.mark.parametrize("name", OF_BOTO3)
@pytest.mark.parametrize("arguments", [["demo"], ["load", "--messages", "1"], ["up"], []])
def test_a_local_command_sees_no_aws_credentials_or_profiles(
    name: str, arguments: list[str]
) -> None:
    environment = dict(OF_BOTO3[name])

    shell.prepare(environment, arguments)

    of_aws = {variable for variable in environment if variable.startswith("AWS_")}
    assert of_aws == {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
    assert environment["AWS_CONFIG_FILE"] == os.devnull


@pytest.mark.parametrize(
    "arguments",
    [["verify", "--aws"], ["build", "--publish", "s3://b"], ["build", "--publish=s3://b"]],
)
def test_a_command_for_an_account_keeps_the_callers_aws_settings(arguments: list[str]) -> None:
    mine = {"AWS_PROFILE": "mine", "AWS_ENDPOINT_URL_S3": "https://s3.example.com"}
    environment = {**mine, "AWS_ENDPOINT_URL": " ", "AWS_ENDPOINT_URL_SQS": ""}

    shell.prepare(environment, arguments)

    assert {name: value for name, value in environment.items() if name.startswith("AWS_")} == mine


@pytest.fixture
def shadow(tmp_path: Path) -> Path:
    """A folder with modules that hide those of the command."""
    for name in ("typer", "boto3", "rich", "leda"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not the right module')")
    return tmp_path


def help_of_verify(environment: dict[str, str]) -> str:
    done = run(
        VENV / "bin" / "leda", "verify", "--help", env={**environment, "COLUMNS": "100"}, input=""
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def plain_help() -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return help_of_verify(plain)


@pytest.mark.parametrize("name", OF_PYTHON)
def test_pythons_environment_variables_do_not_affect_the_command(
    name: str, shadow: Path, plain_help: str
) -> None:
    environment = {**os.environ, **OF_PYTHON[name], "PYTHONPATH": str(shadow)}

    assert help_of_verify(environment) == plain_help
    assert "Compare every total" in plain_help


def test_make_removes_pythons_environment_variables(shadow: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(shadow), "PYTHONHOME": "/nonexistent"}
    show = "import json, os; print(json.dumps([n for n in os.environ if n.startswith('PYTHON')]))"
    makefile = f"include {ROOT / 'Makefile'}\n\nshow: ; @{sys.executable} -c \"{show}\"\n"

    done = run("make", "--silent", "-f", "-", "show", cwd=ROOT, env=environment, input=makefile)

    assert set(json.loads(done.stdout)) <= {"PYTHON", "PYTHONIOENCODING", "PYTHONUTF8"}


def test_started_programs_have_their_caches_in_the_checkout() -> None:
    given = {"UV_CACHE_DIR": "/mine", "PIP_CACHE_DIR": "/mine", "npm_config_cache": "/mine"}
    found = paths.contained_environment({**given, "TMPDIR": "/mine", "XDG_CACHE_HOME": "/mine"})
    assert "/mine" not in found.values()

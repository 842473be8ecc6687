"""Where things are in the checkout, and the environment that keeps every tool's files inside it.

Standard library only: scripts/bootstrap imports it before there is an environment.
"""

from __future__ import annotations

import os
from pathlib import Path

from leda_cli.base import shell

ROOT = Path(__file__).resolve().parents[3]
IS_CHECKOUT = (ROOT / "scripts" / "leda_cli").is_dir()
"""Whether the command runs in a checkout: installed by itself, it has neither Terraform's files nor local AWS."""
LOCAL = ROOT / ".local"
REQUIREMENTS = ROOT / "requirements"
VENV = ROOT / ".venv"
BUILD = ROOT / "build"

LOGS = LOCAL / "logs"
TMP = LOCAL / "tmp"
CACHE = LOCAL / "cache"
TERRAFORM_RC = LOCAL / "terraform.rc"
ENV_FILE = LOCAL / "env"
MINISTACK_ENV_FILE = LOCAL / "ministack.env"
OUTPUTS_FILE = LOCAL / "outputs.json"


def contained_environment(base: dict[str, str] | None = None) -> dict[str, str]:
    """Return `base` (default: this process's environment) with every cache and scratch folder under .local/.

    Variables that would change how a program works, or where its calls go, are dropped (base/shell.py). HOME stays:
    package managers read the user's index and proxy settings there; with these variables they write nothing to it.
    """
    environment = shell.for_children(os.environ if base is None else base)
    TMP.mkdir(parents=True, exist_ok=True)
    environment.update(
        TMPDIR=str(TMP),
        XDG_CACHE_HOME=str(CACHE),
        XDG_DATA_HOME=str(LOCAL / "share"),
        UV_CACHE_DIR=str(CACHE / "uv"),
        UV_PYTHON_DOWNLOADS="never",
        PIP_CACHE_DIR=str(CACHE / "pip"),
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        # npm takes `${...}` in a setting for a variable.
        npm_config_cache=str(CACHE / "npm").replace("${", "\\${"),
        npm_config_update_notifier="false",
        CHECKPOINT_DISABLE="1",
        DISABLE_EVENTS="1",
    )
    return environment


def installed_marker(folder: Path) -> Path:
    """Return the file that is written last when `folder` is set up; without it the folder is incomplete."""
    return folder / ".leda-complete"

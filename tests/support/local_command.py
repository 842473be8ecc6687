"""Runs `leda` as a user does, but with the local AWS of a test instead of the developer's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from leda_cli.base.paths import ROOT
from leda_cli.develop.local import env_file

# The command with another .local/env.
_CODE = """
import sys
from pathlib import Path
from leda_cli.base import paths
paths.ENV_FILE = Path(sys.argv[1])
sys.argv = ["leda", *sys.argv[2:]]
from leda_cli.start import main
main()
"""


def leda(
    aws: Mapping[str, str], folder: Path, *arguments: str, shell: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command on the local AWS whose clients' settings are `aws`.

    folder: for the file that replaces .local/env. shell: environment variables besides those of this process.
    """
    return subprocess.run(
        [*program(aws, folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "160", **(shell or {})},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def program(aws: Mapping[str, str], folder: Path) -> tuple[str, ...]:
    """The program and its first arguments that run `leda` on that local AWS."""
    settings = folder / "env"
    settings.write_text(env_file(aws))
    return sys.executable, "-c", _CODE, str(settings)

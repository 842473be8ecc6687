"""Running a command as a process of its own."""

import subprocess
from pathlib import Path
from typing import Any


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, and return its status and its texts. A command that hangs fails the test."""
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=120, check=False, **options
    )

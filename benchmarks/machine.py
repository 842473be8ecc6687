"""Describes the machine of a measurement: processors, memory, versions; no host names or paths."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

_MODEL = "model name"


def processor() -> str:
    """The processor's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith(_MODEL)]
    return models[0] if models else platform.machine()


def description() -> str:
    """The machine in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{cores} cores of {processor()}, {memory} GB of memory, {platform.system()}"


def versions() -> str:
    """The versions of the software that runs the functions."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("boto3", "botocore", "aws-lambda-powertools")
    )
    return f"Python {platform.python_version()}, {packages}"


def today() -> str:
    """The date, in UTC."""
    return datetime.now(UTC).date().isoformat()

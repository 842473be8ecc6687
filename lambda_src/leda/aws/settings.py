"""Reads the environment variables that Terraform sets for the functions, once at a cold start."""

import json
import os


class MissingSettingError(RuntimeError):
    """An environment variable of the function is not set, or not usable; the text names the variable."""


def required(name: str) -> str:
    """Return the variable's text. Raises MissingSettingError."""
    value = os.environ.get(name)
    if not value:
        raise MissingSettingError(
            f"the function's environment variable {name} is not set: deploy it with LEDA's Terraform modules"
        )
    return value


def function_name() -> str:
    """Return the function's name, which Lambda sets; `local` outside Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    """
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")


def optional(name: str) -> str | None:
    """Return the variable's text; None if it is not set."""
    return os.environ.get(name) or None


def positive(name: str, default: int) -> int:
    """Return the variable as a whole number of at least 1. Raises MissingSettingError."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise MissingSettingError(
            f"the function's environment variable {name} is {text!r}, not a number >= 1"
        )
    return int(text)


def positive_by_name(name: str) -> dict[str, int]:
    """Return the variable, a JSON object of whole numbers of at least 1; empty if the variable is not set.

    Raises MissingSettingError.
    """
    text = os.environ.get(name) or "{}"
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    # A bool is an int in Python, so isinstance would accept true.
    if not isinstance(given, dict) or not all(type(n) is int and n >= 1 for n in given.values()):
        raise MissingSettingError(
            f"the function's environment variable {name} is {text!r}, not a JSON object of numbers >= 1"
        )
    return given

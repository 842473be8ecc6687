"""Reads the JSON that producers send: with exact numbers, and with errors that a producer understands.

The text of an error is quarantined with the message, so it names no type and no limit of Python.
"""

import codecs
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn


class NotJsonError(ValueError):
    """The data is not JSON in UTF-8, or cannot be read; the text is the reason."""


class JsonReader:
    """Reads JSON; `whole` converts the text of an integer, `fraction` the text of any other number."""

    def __init__(
        self, whole: Callable[[str], Any] | None = None, fraction: Callable[[str], Any] = Decimal
    ) -> None:
        # Made once, because json.loads makes a decoder for each call.
        self._decoder = json.JSONDecoder(
            parse_int=whole, parse_float=fraction, parse_constant=_no_constant
        )

    def read(self, data: bytes) -> Any:
        """Return the JSON document in `data`. Raises NotJsonError."""
        text = text_of(data)
        if text.startswith("\ufeff"):
            # https://www.rfc-editor.org/rfc/rfc8259#section-8.1
            raise NotJsonError(
                "not JSON: begins with a byte order mark (U+FEFF), which no sender may add"
            )
        try:
            return self._decoder.decode(text)
        except NotJsonError:
            raise
        except json.JSONDecodeError as error:
            raise NotJsonError(f"not JSON: {error}") from error
        except RecursionError as error:
            raise NotJsonError("not readable JSON: nested too deeply") from error
        except ArithmeticError as error:
            raise NotJsonError("holds a number whose exponent is out of range") from error
        except ValueError as error:
            # https://docs.python.org/3/library/stdtypes.html#integer-string-conversion-length-limitation
            digits = sys.get_int_max_str_digits()
            raise NotJsonError(f"holds an integer of more than {digits:,} digits") from error


def text_of(data: bytes) -> str:
    """Decode the data. Raises NotJsonError if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise NotJsonError("not UTF-8: it looks like UTF-16") from error
        raise NotJsonError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def kind_of(value: Any) -> str:
    """Return JSON's name for the type of the value, with its article.

    >>> kind_of([])
    'an array'
    """
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "a number"


def _no_constant(name: str) -> NoReturn:
    raise NotJsonError(f"not JSON: {name} is not a number in JSON")

"""The text that shows a row's key to a person."""

from typing import Any

from leda.engine.audit.row_keys import key_text


def test_a_key_is_shown_with_all_its_attributes_and_binary_ones_in_hexadecimal() -> None:
    stored: dict[str, Any] = {"a": {"B": b"\x01\xff"}, "b": {"N": "7"}, "c": {"S": "x"}}
    assert key_text(stored, ["a", "b"]) == "01ff, 7"

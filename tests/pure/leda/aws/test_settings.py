"""The functions' settings: what is missing or wrong is named."""

import pytest

from leda.aws import settings
from leda.aws.clients import STANDARD
from leda.aws.settings import MissingSettingError

NAME = "LEDA_TEST_SETTING"


def test_a_required_setting_is_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "StateTable")

    assert settings.required(NAME) == "StateTable"


@pytest.mark.parametrize("text", [None, ""])
def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.delenv(NAME, raising=False)
    if text is not None:
        monkeypatch.setenv(NAME, text)

    with pytest.raises(MissingSettingError, match=NAME):
        settings.required(NAME)
    assert settings.optional(NAME) is None


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("64", 64), ("", 4)])
def test_a_count_has_a_default(monkeypatch: pytest.MonkeyPatch, text: str, expected: int) -> None:
    monkeypatch.setenv(NAME, text)

    assert settings.positive(NAME, default=4) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "four", " ", "1e3", "²"])
def test_a_count_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(NAME, text)

    with pytest.raises(MissingSettingError, match=NAME):
        settings.positive(NAME, default=4)


@pytest.mark.parametrize(("text", "expected"), [('{"a": 3}', {"a": 3}), ("", {})])
def test_counts_by_name_may_be_left_out(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: dict[str, int]
) -> None:
    monkeypatch.setenv(NAME, text)

    assert settings.positive_by_name(NAME) == expected


@pytest.mark.parametrize("text", ["a", "1", '{"a": 0}', '{"a": 1.5}', '{"a": true}', '{"a": "1"}'])
def test_counts_by_name_that_are_no_whole_numbers_are_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)

    with pytest.raises(MissingSettingError, match=NAME):
        settings.positive_by_name(NAME)


def test_a_call_that_hangs_ends_before_the_function_does() -> None:
    assert STANDARD.tries * (STANDARD.connect_seconds + STANDARD.read_seconds) < 60

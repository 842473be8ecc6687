"""The functions' settings: an error names the setting that is missing or wrong."""

import pytest

from leda.aws import settings
from leda.aws.clients import STANDARD
from leda.aws.settings import MissingSettingError

NAME = "LEDA_TEST_SETTING"


def test_a_required_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_count_that_is_not_a_positive_whole_number_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)

    with pytest.raises(MissingSettingError, match=NAME):
        settings.positive(NAME, default=4)


@pytest.mark.parametrize(("text", "expected"), [('{"a": 3}', {"a": 3}), ("", {})])
def test_counts_by_name_are_read_and_empty_by_default(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: dict[str, int]
) -> None:
    monkeypatch.setenv(NAME, text)

    assert settings.positive_by_name(NAME) == expected


@pytest.mark.parametrize("text", ["a", "1", '{"a": 0}', '{"a": 1.5}', '{"a": true}', '{"a": "1"}'])
def test_counts_by_name_that_are_not_positive_whole_numbers_are_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)

    with pytest.raises(MissingSettingError, match=NAME):
        settings.positive_by_name(NAME)


def test_all_tries_of_a_call_end_within_the_functions_timeout() -> None:
    assert STANDARD.tries * (STANDARD.connect_seconds + STANDARD.read_seconds) < 60

"""The limits of a value's digits, as a function reads them from its environment."""

import pytest

from leda.values.limits import Limits, LimitsError


@pytest.mark.parametrize("value", ["true", "1.5", '"1"', "null"])
def test_a_limit_that_is_not_a_whole_number_is_refused(value: str) -> None:
    with pytest.raises(LimitsError, match="not a whole number"):
        Limits.from_json(f'{{"max_decimal_places": {value}}}')

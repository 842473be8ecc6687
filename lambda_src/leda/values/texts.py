"""Measures and cuts texts in bytes of UTF-8, as AWS's limits do; writes a number with its noun."""

from decimal import Decimal


def utf8_bytes(text: str) -> int | None:
    """Return the number of bytes in UTF-8; None if the text has a lone surrogate, which UTF-8 cannot encode."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def cut(text: str, most_bytes: int) -> str:
    """Return the beginning of the text, of at most `most_bytes` in UTF-8. A lone surrogate becomes a question mark.

    >>> cut("€uro", 4)
    '€u'
    """
    # Every character has at least one byte, so the text after that many characters need not be encoded.
    return text[:most_bytes].encode(errors="replace")[:most_bytes].decode(errors="ignore")


def number_of(count: int | Decimal, one: str, many: str = "") -> str:
    """Return the number with its noun: `one`, or for another number than 1 `many`, by default `one` with an s.

    >>> number_of(1, "row"), number_of(1234, "row"), number_of(0, "batch", "batches")
    ('1 row', '1,234 rows', '0 batches')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"

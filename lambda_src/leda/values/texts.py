"""Measures and cuts texts in bytes of UTF-8, as AWS's limits do."""


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

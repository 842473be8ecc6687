"""Texts measured as AWS measures them: in bytes of UTF-8."""


def utf8_bytes(text: str) -> int | None:
    """How many bytes the text has in UTF-8; None where it has a lone surrogate, which UTF-8 cannot hold."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def cut(text: str, most_bytes: int) -> str:
    """The beginning of the text that has at most so many bytes in UTF-8; a lone surrogate becomes a question mark.

    >>> cut("€uro", 4)
    '€u'
    """
    # No character has fewer bytes than one, so the rest need not be encoded.
    return text[:most_bytes].encode(errors="replace")[:most_bytes].decode(errors="ignore")

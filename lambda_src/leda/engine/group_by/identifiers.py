"""Escapes the texts of keys in the identifiers of totals.

An identifier is the grouping's name and the texts of the keys, joined by colons: `source:web:2026-08-01`. In a text,
`%` is written as `%25` and `:` as `%3A`, and an empty text as `%`, so two different keys never share a total.
"""

from leda.engine.group_by.hierarchy import SEPARATOR


def escaped(text: str) -> str:
    """Return the text of a key in its form in an identifier.

    >>> escaped("arn:aws:s3"), escaped("")
    ('arn%3Aaws%3As3', '%')
    """
    if not text:
        return "%"
    if "%" in text or SEPARATOR in text:
        return text.replace("%", "%25").replace(SEPARATOR, "%3A")
    return text


def unescaped(text: str) -> str:
    """Return the text of a key from its form in an identifier; the reverse of `escaped`."""
    if text == "%":
        return ""
    return text.replace("%3A", SEPARATOR).replace("%25", "%")

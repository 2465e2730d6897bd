"""How much room a text takes on a terminal, where some characters take two places and some none.

Before: ``show``, ``logs``.
"""

from __future__ import annotations


def width(text: str) -> int:
    """The places that a text takes."""
    return len(text) if text.isascii() else sum(map(_places, text))


def padded(text: str, places: int, *, right: bool = False) -> str:
    """The text with spaces up to so many places."""
    space = " " * max(0, places - width(text))
    return space + text if right else text + space


def cropped(text: str, places: int) -> str:
    """The text, or as much of its beginning as fits with ``…`` after it."""
    if width(text) <= places:
        return text
    kept, left = "", places - 1
    for character in text:
        left -= _places(character)
        if left < 0:
            break
        kept += character
    return kept + "…"


def _places(character: str) -> int:
    from unicodedata import combining, east_asian_width

    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1

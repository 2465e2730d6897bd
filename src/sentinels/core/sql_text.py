"""Where a statement of SQL ends: PostgreSQL's quotes and comments, and nothing more of its grammar.

Comes in: one statement, perhaps with a semicolon and comments behind it. Goes out: the statement
alone, so that it may stand in another one. Before: ``db/asking``.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      --[^\r\n]*
    | (?P<comment>/\*)
    | [eE]'(?:[^'\\]|\\.|'')*'?
    | '[^']*'?
    | "[^"]*"?
    | [^\W\d][\w$]*
    | \$(?P<tag>[^\W\d]\w*)?\$
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")


def statement_alone(text: str) -> str:
    """``text`` up to the semicolon that ends its first statement."""
    position = 0
    while found := _TOKEN.search(text, position):
        if found["end"]:
            return text[: found.start()]
        position = found.end()
        if found["comment"]:
            position = _after_comment(text, position)
        elif found[0].startswith("$"):
            closing = text.find(found[0], position)
            position = len(text) if closing < 0 else closing + len(found[0])
    return text


def _after_comment(text: str, position: int) -> int:
    """Comments of SQL nest."""
    depth = 1
    while depth and (found := _COMMENT.search(text, position)):
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
    return len(text) if depth else position

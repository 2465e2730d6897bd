"""``$(VAR)`` in commands, arguments and variables, exactly as Kubernetes expands it.

``$(NAME)`` becomes the variable's value, ``$$(NAME)`` the text ``$(NAME)``, and a reference to what
does not exist stays as it is. Source: k8s.io/kubernetes third_party/forked/golang/expansion. Comes
in: text and variables. Goes out: text. Next: ``clusters/local/runner``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with its references replaced."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return variables.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def expand_all(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Each word with its references replaced."""
    return [expand(word, variables) for word in words]


def expand_env(env: Mapping[str, str], base: Mapping[str, str]) -> dict[str, str]:
    """The variables in order; each may refer to those before it and to ``base``."""
    known = dict(base)
    for name, value in env.items():
        known[name] = expand(value, known)
    return {name: known[name] for name in env}

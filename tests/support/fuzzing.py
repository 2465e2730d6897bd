"""Malformed requests, made from the OpenAPI document that the front door serves of itself.

Each begins as a sound request of a random operation and is then spoiled: in its values, in its
bytes, in its path, query or headers. The same seed makes the same requests. Comes in: a document, a
seed. Goes out: requests without end. Next: ``whole_config``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.support.whole_config import TEXTS, WHOLE

_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64 + 1,
    -(2**70),
    10**39,
    0.1,
    -0.0,
    1e308,
    5e-324,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {"b": {"c": []}}},
    list(range(300)),
    ["a"] * 1001,
    {f"k{number}": number for number in range(200)},
]
_REFERENCES = ["1", "2", "digits", "0", "-1", "9" * 30, "²", "%", "..", "a/b"]


@dataclass(frozen=True)
class Request:
    """One request; ``path`` has its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Fuzzer:
    """Requests for the operations of a document, all made with this token."""

    document: Mapping[str, Any]
    token: str
    seed: int
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._operations = [
            (path, method.upper(), operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        ]
        self._with_body = [each for each in self._operations if "requestBody" in each[2]]

    def bodies(self) -> Iterator[Request]:
        """A spoiled body each, two of three to push."""
        pushes = [each for each in self._with_body if each[0] == "/v1/jobs"]
        while True:
            some = pushes if self.rng.random() < 2 / 3 else self._with_body
            path, method, operation = self.rng.choice(some)
            value = self.sample(operation["requestBody"]["content"]["application/json"]["schema"])
            for _ in range(self.rng.choice((1, 1, 2, 5))):
                value = self._spoil_inside(value)
            body = self._dumped(value)
            if self.rng.random() < 0.2:
                body = self.mangle(body)
            yield Request(method, self._path(path), self._headers(), body)

    def others(self) -> Iterator[Request]:
        """Spoiled paths, queries, headers and methods, of every operation."""
        while True:
            path, method, operation = self.rng.choice(self._operations)
            headers = {**self._headers(), **self._spoiled_headers()}
            if self.rng.random() < 0.1:
                method = self.rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"))
            query = urlencode(self._query(operation), doseq=True, errors="surrogatepass")
            whole = f"{self._path(path)}?{query}"
            body = self._dumped(self.value()) if self.rng.random() < 0.3 else b""
            yield Request(method, whole, headers, body)

    def sample(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """A value of the schema's shape; a config, left open there, is part of ``WHOLE``."""
        if "$ref" in schema:
            return self.sample(self.document["components"]["schemas"][schema["$ref"][21:]], name)
        if name == "config":
            keys = [key for key in WHOLE if self.rng.random() < 0.5]
            return {key: deepcopy(WHOLE[key]) for key in keys if key != "secrets"}
        if "anyOf" in schema:
            return self.sample(self.rng.choice(schema["anyOf"]), name)
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        return self._of_type(schema, name)

    def _of_type(self, schema: Mapping[str, Any], name: str) -> Any:
        """Texts where nothing else is said."""
        made: dict[object, Callable[[], Any]] = {
            "object": lambda: self._object(schema),
            "array": lambda: [self.sample(schema["items"]) for _ in range(self.rng.randint(0, 2))],
            "integer": lambda: self.rng.randint(0, 5),
            "number": self.rng.random,
            "boolean": lambda: self.rng.random() < 0.5,
            "null": lambda: None,
        }
        plain = {"image": "/code/digits", "query": "SELECT 1"}.get(name, "digits")
        return made.get(schema.get("type"), lambda: plain)()

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: self.sample(below, key)
            for key, below in schema.get("properties", {}).items()
            if key in schema.get("required", ()) or self.rng.random() < 0.7
        }

    def value(self) -> Any:
        """Anything."""
        return deepcopy(self.rng.choice((*_VALUES, *TEXTS.values())))

    def spoil(self, value: Any) -> Any:
        """One thing about it, at a random place, is wrong."""
        if isinstance(value, dict) and value and self.rng.random() < 0.9:
            key = self.rng.choice(list(value))
            return self._spoiled_pair(value, key)
        if isinstance(value, list) and value and self.rng.random() < 0.8:
            at = self.rng.randrange(len(value))
            return [*value[:at], self.spoil(value[at]), *value[at + 1 :]]
        return self.value()

    def _spoil_inside(self, value: Any) -> Any:
        """Mostly the config, where there is one: it has most of what can be wrong."""
        config = value.get("config") if isinstance(value, dict) else None
        if isinstance(config, dict) and self.rng.random() < 0.8:
            return {**value, "config": self.spoil(config)}
        return self.spoil(value)

    def _spoiled_pair(self, value: dict[str, Any], key: str) -> dict[str, Any]:
        rest = {name: below for name, below in value.items() if name != key}
        match self.rng.randrange(6):
            case 0:
                return rest
            case 1:
                return {**rest, str(self.rng.choice(list(TEXTS.values()))): value[key]}
            case 2:
                return {
                    **value,
                    self.rng.choice((*WHOLE, *TEXTS.values(), "kaonfig")): self.value(),
                }
            case _:
                return {**value, key: self.spoil(value[key])}

    def mangle(self, body: bytes) -> bytes:
        """Something about its bytes is wrong."""
        at, rng = self.rng.randrange(len(body) + 1), self.rng
        ways: list[Callable[[], bytes]] = [
            lambda: body[:at],
            lambda: body[:at] + bytes([rng.randrange(256)]) + body[at:],
            lambda: body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :],
            lambda: body + body,
            lambda: b"\xef\xbb\xbf" + body,
            lambda: body.decode("utf-8", "replace").encode("utf-16"),
            lambda: b"[" * rng.choice((21, 5000)) + body,
            lambda: body.replace(b"{", b'{"image": "/a", "image": "/b", ', 1),
            lambda: body.replace(b":", b": NaN, " + b'"x":', 1),
            lambda: body.replace(b":", b": -1e999999, " + b'"x":', 1),
            lambda: bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 100)))),
        ]
        return rng.choice(ways)()

    def _dumped(self, value: Any) -> bytes:
        """Half characters stand as JSON's escapes, or as bytes that no UTF-8 has."""
        if self.rng.random() < 0.7:
            return json.dumps(value).encode()
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _path(self, template: str) -> str:
        parts = []
        for part in template.split("/"):
            if part.startswith("{"):
                some = (*_REFERENCES, *TEXTS.values()) if self.rng.random() < 0.3 else ("1", "2")
                text = self.rng.choice(some)[:3000]
                parts.append(quote(text, safe="", errors="surrogatepass"))
            else:
                parts.append(part)
        return "/".join(parts)

    def _query(self, operation: Mapping[str, Any]) -> dict[str, Any]:
        query: dict[str, Any] = {}
        for parameter in operation["parameters"]:
            if parameter["in"] == "query" and self.rng.random() < 0.5:
                good = self.sample(parameter["schema"])
                query[parameter["name"]] = good if self.rng.random() < 0.4 else self._word()
        if self.rng.random() < 0.1:
            query[self._word()] = self._word()
        return query

    def _word(self) -> str:
        return str(self.value())[:2000]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def _spoiled_headers(self) -> dict[str, str]:
        """Only what HTTP lets a header be."""
        name = self.rng.choice(("Authorization", "Content-Type", "Idempotency-Key", "Cookie"))
        text = self._word().encode("latin-1", "replace").decode("latin-1")
        text = "".join(each for each in text if each not in "\r\n\0")
        return {name: text.strip()} if self.rng.random() < 0.3 else {}

"""An event function's real handler as a functions-framework source, over what a test made."""

from __future__ import annotations

import functions_framework
from flask import Request, Response

from tests.support import ears


@functions_framework.http
def event(request: Request) -> Response:
    return ears.function().handle(request)

"""The front door's real handler as a functions-framework source, over whatever door a test made."""

from __future__ import annotations

import functions_framework
from flask import Request, Response

from sentinels.functions.submit.handler import handle
from tests.support import front


@functions_framework.http
def submit(request: Request) -> Response:
    return handle(front.door(), request)

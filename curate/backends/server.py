"""Requests to a server that speaks OpenAI's protocol: some at a time, tried again where that may help.

The only file that speaks HTTP.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from curate.errors import ModelError, first_line

AT_ONCE = 32
"""Requests under way together; the server makes batches of them."""
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each further try; a longer wait that the server asks for is granted up to the last of these."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that may be others the next time."""
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 600.0
KEY = "CURATE_SERVER_KEY"


class Server:
    """A connection to one server.

    Args:
        url: such as `http://localhost:8000`.
        patient: whether to try again what may pass; a question asked before the work begins is not worth a minute.
    """

    def __init__(self, url: str, *, patient: bool = True) -> None:
        import httpx2

        key = os.environ.get(KEY)
        self.url = url
        self._waits = WAITS if patient else WAITS[:1]
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(ANSWER_SECONDS if patient else CONNECT_SECONDS, connect=CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=AT_ONCE),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=False,
        )

    def get(self, path: str) -> Any:
        """The JSON at a path.

        Raises:
            ModelError: no answer, or one that says what is wrong.
        """
        return self._ask("GET", path, None)

    def post_all(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        """The answers to several requests, in their order.

        Raises:
            ModelError: one of them failed for good; those not yet sent are left.
        """
        workers = ThreadPoolExecutor(AT_ONCE)
        try:
            return list(workers.map(lambda body: self._ask("POST", path, body), bodies))
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            workers.shutdown(wait=False)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: Any) -> Any:
        import httpx2

        for wait in (*self._waits, None):
            asked = 0.0
            try:
                answer = self._client.request(method, self.url + path, json=body)
                if answer.status_code not in PASSING:
                    return self._read(path, answer)
                told = f"status {answer.status_code}: {_message(answer)}"
                asked = _seconds(answer.headers.get("retry-after"))
            except httpx2.TransportError as error:
                told = f"{type(error).__name__}: {first_line(error)}"
            if wait is not None:
                time.sleep(max(wait, min(asked, WAITS[-1])))
        raise ModelError(
            "The server does not answer.",
            f"{self.url}{path}: {told}",
            "Check that it runs; then the same command goes on from here.",
        )

    def _read(self, path: str, answer: Any) -> Any:
        status = answer.status_code
        if status < 300:
            try:
                return answer.json()
            except ValueError as error:
                raise ModelError(
                    "The server's answer is no JSON.", f"{self.url}{path}", "Is this the address of a vLLM server?"
                ) from error
        hint = "See what the server says, and its log."
        if status in (401, 403):
            hint = f"Set the environment variable {KEY} to the server's key."
        elif status == 404:
            hint = "See the names at /v1/models, and whether the server was started for this kind of model."
        raise ModelError("The server refuses.", f"{self.url}{path}: status {status}: {_message(answer)}", hint)


def _message(answer: Any) -> str:
    """What an answer says is wrong, in one line."""
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    if isinstance(body, dict):
        inner = body.get("error")
        body = inner.get("message", inner) if isinstance(inner, dict) else inner or body.get("detail", body)
    return " ".join(str(body).split())[:300]


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0  # a date; our own waits will do

"""Requests to a server that speaks OpenAI's protocol: several at a time, retried where that may help.

The only file that speaks HTTP.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from curate.errors import ModelError, first_line
from curate.offline import allow

AT_ONCE = 32
"""Concurrent requests; the server batches them."""
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each retry; a longer wait that the server asks for is granted up to the last of these."""
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Transient statuses."""
CONNECT_SECONDS = 10.0
ANSWER_BYTES = 2**28
SHOWN = 400
"""How many characters of a server's message to show."""
KEY = "CURATE_SERVER_KEY"


class Server:
    """A connection to one server.

    Args:
        url: such as `http://localhost:8000`.
        seconds: how long one answer may take, and after which time no further retry is made for it.
        patient: whether to retry transient failures; a question asked before the work begins is not worth a minute.

    Raises:
        ModelError: the server's key cannot be sent.
    """

    def __init__(self, url: str, *, seconds: float = CONNECT_SECONDS, patient: bool = True) -> None:
        import httpx2

        allow(url)
        self.url, self._key = url, os.environ.get(KEY, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelError("The server's key has characters that a header cannot hold.", KEY, "Copy it again.")
        self._waits, self._seconds = WAITS if patient else WAITS[:1], seconds
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            limits=httpx2.Limits(max_connections=AT_ONCE),
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            trust_env=False,
        )

    def get(self, path: str) -> Any:
        """The JSON at a path.

        Raises:
            ModelError: no answer, or an error message.
        """
        return self._ask("GET", path, None, Event())

    def post_all(self, path: str, bodies: Sequence[dict[str, Any]]) -> list[Any]:
        """The answers to several requests, in order.

        Raises:
            ModelError: one of them failed for good; unsent requests are dropped.
        """
        waiting: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
        answered: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        for numbered in enumerate(bodies):
            waiting.put(numbered)
        stop = Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    number, body = waiting.get_nowait()
                except Empty:
                    return
                try:
                    answered.put((number, self._ask("POST", path, body, stop)))
                except BaseException as error:
                    answered.put((number, error))

        # Threads that nobody waits for: a server that hangs must not keep the process from exiting.
        for _ in range(min(AT_ONCE, len(bodies))):
            Thread(target=work, daemon=True).start()
        answers: list[Any] = [None] * len(bodies)
        try:
            for _ in bodies:
                number, answer = answered.get()
                if isinstance(answer, BaseException):
                    raise answer
                answers[number] = answer
        finally:
            stop.set()
        return answers

    def redacted(self, text: str) -> str:
        """The text without the server's key."""
        return text.replace(self._key, "[key]") if self._key else text

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, body: Any, stop: Event) -> Any:
        import httpx2

        begun = time.monotonic()
        for wait in (*self._waits, None):
            asked = 0.0
            try:
                status, headers, content = self._once(method, path, body)
                if status not in PASSING:
                    return self._read(path, status, content)
                told = f"status {status}: {_message(content)}"
                asked = _seconds(headers.get("retry-after"))
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                told = f"{type(error).__name__}: {first_line(error)}"
            pause = max(wait or 0.0, min(asked, WAITS[-1]))
            if wait is None or time.monotonic() - begun + pause > self._seconds or stop.is_set():
                break
            time.sleep(pause)
        raise ModelError(
            "The server does not answer.",
            self.redacted(f"{self.url}{path}: {told}")[:SHOWN],
            "Check that it runs, then rerun the same command to resume; --server-timeout gives it more seconds.",
        )

    def _once(self, method: str, path: str, body: Any) -> tuple[int, Any, bytes]:
        """One attempt: status, headers and content; copes with an answer that arrives drop by drop, or never ends."""
        import httpx2

        until, content = time.monotonic() + self._seconds, bytearray()
        with self._client.stream(method, self.url + path, json=body) as answer:
            for piece in answer.iter_bytes():
                content += piece
                if time.monotonic() > until:
                    raise httpx2.ReadTimeout(f"the answer took longer than {self._seconds:g} seconds")
                if len(content) > ANSWER_BYTES:
                    raise ModelError(
                        f"The server's answer is longer than {ANSWER_BYTES >> 20} MiB.",
                        f"{self.url}{path}",
                        "Is this the address of a vLLM server?",
                    )
            return answer.status_code, answer.headers, bytes(content)

    def _read(self, path: str, status: int, content: bytes) -> Any:
        where = f"{self.url}{path}"
        if status < 300:
            try:
                return json.loads(content)
            except (ValueError, RecursionError) as error:
                raise ModelError(
                    "The server's answer is not valid JSON.", where, "Is this the address of a vLLM server?"
                ) from error
        hint = "Read the server's message above, and its log."
        if status in (401, 403):
            hint = f"Set the environment variable {KEY} to the server's key."
        elif status == 404:
            hint = "See the names at /v1/models, and whether the server was started for this kind of model."
        said = self.redacted(f"{where}: status {status}: {_message(content)}")
        raise ModelError("The server rejected the request.", said[:SHOWN], hint)


def _message(content: bytes) -> str:
    """An answer's error message, in one line."""
    body: Any = content.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):
        body = json.loads(body)
    if isinstance(body, dict):
        inner = body.get("error")
        body = inner.get("message", inner) if isinstance(inner, dict) else inner or body.get("detail", body)
    return " ".join(str(body).split())


def _seconds(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0  # a date; our own delays will do

"""A server in a thread that answers as vLLM or SGLang do, with numbers made from token ids; and fails when told to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

Failure = tuple[int, dict[str, str], bytes]
"""Status (0: hang up, HANGS: never answer), headers (`drops`: a byte now and then), content."""
HANGS = -1


class FakeServer:
    """What the server is to say, and what it was asked.

    Attributes:
        failures: answers given before any true one, in their order.
        asked: (path, body) of every request.
        change: alters a true answer.
        sglang: whether it is SGLang's.
        released: ends what hangs.
    """

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.asked: list[tuple[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.change: Callable[[str, Any], Any] = lambda path, answer: answer
        self.limit: int | None = 512
        self.sglang = False
        self.url = ""
        self.lock = Lock()
        self.released = Event()

    def answer(self, path: str, body: Any) -> Any:
        if path == "/v1/models":
            owner = "sglang" if self.sglang else "vllm"
            return {"data": [{"id": "tiny", "max_model_len": self.limit, "owned_by": owner}]}
        if self.sglang:
            return of_sglang(path, body)
        if path == "/version":
            return {"version": "0.0.1"}
        if path == "/classify":
            return {"data": [{"index": 0, "label": None, "probs": [reward(body["input"])], "num_classes": 1}]}
        ids = body["prompt"]
        if "prompt_logprobs" in body:
            rest = [{str(t): {"logprob": logp(ids[i], t), "rank": 1}} for i, t in enumerate(ids[1:])]
            return {"choices": [{"prompt_logprobs": [None, *rest]}]}
        drawn = [body["seed"] % 7, 2][: body["max_tokens"]]
        values = [-0.5] * len(drawn)
        reason = "stop" if drawn[-1] == 2 else "length"
        return {"choices": [{"token_ids": drawn, "logprobs": {"token_logprobs": values}, "finish_reason": reason}]}


def of_sglang(path: str, body: Any) -> Any:
    if path == "/get_server_info":
        return {"version": "0.0.2"}
    ids = body["input_ids"]
    if path == "/classify":
        return {"embedding": [reward(ids)], "meta_info": {"prompt_tokens": len(ids)}}
    start = body["logprob_start_len"]
    rest = [[logp(ids[i - 1], ids[i]), ids[i], None] for i in range(start + 1, len(ids))]
    return {"text": "", "meta_info": {"input_token_logprobs": [[None, ids[start], None], *rest]}}


def logp(before: int, token: int) -> float:
    return -((7 * before + 3 * token) % 11) / 4


def reward(ids: list[int]) -> float:
    return len(ids) + ids[-1] / 8


def write_slowly(file: Any, content: bytes, fake: FakeServer) -> None:
    for i in range(len(content)):
        file.write(content[i : i + 1])
        if fake.released.wait(0.05):
            return


@contextmanager
def serving() -> Iterator[FakeServer]:
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._respond(None)

        def do_POST(self) -> None:
            self._respond(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _respond(self, body: Any) -> None:
            with fake.lock:
                fake.asked.append((self.path, body))
                fake.headers.append(dict(self.headers))
                failure = fake.failures.pop(0) if fake.failures else None
            if failure is None:
                failure = (200, {}, json.dumps(fake.change(self.path, fake.answer(self.path, body))).encode())
            status, headers, content = failure
            if status in (0, HANGS):  # hang up without a word, at once or much later
                fake.released.wait(60 if status else 0)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            write_slowly(self.wfile, content, fake) if "drops" in headers else self.wfile.write(content)

    class Listening(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # more than are asked at once; the default of 5 makes them wait for a second or more

    server = Listening(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)  # how soon it notices the shutdown
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""A small hub on loopback: accounts, data sets and commits, as far as huggingface_hub's client asks for them."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_secret_of_the_tests"


@dataclass
class FakeHub:
    """What it holds, and how it fails.

    Attributes:
        repos: files by data set.
        private: whether each was created as a private one.
        forbidden: owners for whom the token may not write.
        fails: the status of an answer, by how the path of a request ends.
        asked: every request.
    """

    address: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    fails: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, object]:
        self.asked.append(f"{method} {path}")
        for end, status in self.fails.items():
            if path.endswith(end):
                return status, {"error": "told to fail"}
        if path == "/":
            return 200, {}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/validate-yaml":
            assert "configs:" in json.loads(body)["content"]
            return 200, {"errors": [], "warnings": []}
        if path == "/api/whoami-v2":
            return 200, {"name": "owner", "type": "user"}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        return self._repo(method, path.split("/")[3:], body)

    def _create(self, wanted: dict[str, object]) -> tuple[int, object]:
        repo = f"{wanted['organization']}/{wanted['name']}" if wanted.get("organization") else str(wanted["name"])
        if repo.split("/")[0] in self.forbidden:
            return 403, {"error": "You don't have the rights to create a dataset under this namespace"}
        if repo in self.repos:
            return 409, {"error": "You already created this dataset repo", "url": f"{self.address}/datasets/{repo}"}
        self.repos[repo] = {}
        self.private[repo] = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        return 200, {"url": f"{self.address}/datasets/{repo}"}

    def _repo(self, method: str, parts: list[str], body: bytes) -> tuple[int, object]:
        repo, rest = "/".join(parts[:2]), parts[2:]
        if repo not in self.repos:
            return 404, {"error": "Repository not found"}
        files = self.repos[repo]
        if rest[:1] == ["tree"]:
            return 200, [
                {"type": "file", "path": name, "size": len(one), "oid": "0" * 40} for name, one in files.items()
            ]
        if rest[:1] == ["preupload"]:
            names = [one["path"] for one in json.loads(body)["files"]]
            return 200, {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
        if rest[:1] == ["commit"]:
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del files[line["value"]["path"]]
            url = f"{self.address}/datasets/{repo}/commit/{'1' * 40}"
            return 200, {"commitUrl": url, "commitOid": "1" * 40, "pullRequestUrl": None}
        return 200, {"id": repo, "sha": "1" * 40, "siblings": [], "private": True, "tags": []}


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A hub that answers until the block ends."""
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            status, answer = hub.answer(self.command, path, body, self.headers.get("Authorization") or "")
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = _do  # noqa: N815

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()

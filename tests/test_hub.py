"""A hub that is away: refused at once, silent, hard to look up, or there after all."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import transformers
from huggingface_hub import constants

from curate import hub
from curate.errors import ModelError
from tests.backends.models import SHAPE
from tests.commands.helpers import pair_rows, write_jsonl
from tests.commands.terminal import Terminal

SCORE = ["score", "d.jsonl", "-o", "o.parquet"]


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A port, and what becomes of its connections, which stay open."""
    server, held = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        try:
            while True:
                held.append(server.accept()[0])
                answer(held[-1])
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        for connection in held:
            connection.close()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_found", {})
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 60.0)
    monkeypatch.setattr(hub, "WHOLE_SECONDS", 90.0)


def test_a_port_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", closed_port())
    assert hub.why_unreachable() == "Connection refused"


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.3)
    with listening(lambda _: None) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert hub.why_unreachable() == "no answer"


def test_something_that_does_not_speak_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(lambda connection: connection.sendall(b"220 smtp\r\n\r\n")) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        assert "220 smtp" in str(hub.why_unreachable())


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(hub, "WHOLE_SECONDS", 0.2)

    def looks_up(*_: object, **__: object) -> None:
        given_up.wait(30)
        raise OSError

    monkeypatch.setattr(hub, "urlopen", looks_up)
    assert hub.why_unreachable() == "no answer"
    given_up.set()


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_whatever_answers_is_there(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(hub, "VALID_SECONDS", 1e9)
        assert hub.why_unreachable() is None
        assert hub.why_unreachable() is None
        assert len(asked) == 1, "it is asked now and then"
        monkeypatch.setattr(hub, "VALID_SECONDS", -1.0)
        assert hub.why_unreachable() is None
        assert len(asked) == 2
    finally:
        server.shutdown()
        server.server_close()


def run(folder: Path, words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_ENDPOINT")}
    env = {**kept, "HF_HOME": str(folder / "hf"), **environment}
    return subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True)


UNREACHABLE = "error: There is no folder models/policy here; the hub cannot be reached."


@pytest.mark.parametrize(
    "words",
    [
        [*SCORE, "--policy", "models/policy"],
        [*SCORE, "--tokenizer", "models/policy"],
        [*SCORE, "--embedder", "models/policy"],
        [*SCORE, "--reward", "models/policy"],
        ["generate", "d.jsonl", "-o", "o.parquet", "--policy", "models/policy"],
    ],
)
def test_a_name_that_is_neither_a_folder_nor_reachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    write_jsonl(tmp_path / "d.jsonl", pair_rows())
    monkeypatch.chdir(tmp_path)
    curate, address = Terminal(monkeypatch, capsys), closed_port()
    for name, value in (("HF_HUB_CACHE", str(tmp_path / "hf")), ("ENDPOINT", address), ("HF_HUB_OFFLINE", False)):
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_ENDPOINT", address)
    code, _, said = curate(*words, "-q")
    assert (code, said.splitlines()[:2]) == (2, [UNREACHABLE, f"where: {address}: Connection refused"])
    assert len(said.splitlines()) == 3
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, _, said = curate(*words, "-q")
    assert code == 2
    assert "There is no folder models/policy here" in said
    assert "unset HF_HUB_OFFLINE" in said


def test_the_hub_s_variables_are_read_by_a_fresh_process(tmp_path: Path) -> None:
    """The embedder's libraries read them on their own, too."""
    write_jsonl(tmp_path / "d.jsonl", pair_rows())
    words, address = ["-m", "curate", *SCORE, "--embedder", "models/policy", "-q"], closed_port()
    done = run(tmp_path, words, HF_ENDPOINT=address)
    assert (done.returncode, done.stderr.splitlines()[:2]) == (
        2,
        [UNREACHABLE, f"where: {address}: Connection refused"],
    )
    offline = run(tmp_path, words, HF_HUB_OFFLINE="1")
    assert (offline.returncode, "unset HF_HUB_OFFLINE" in offline.stderr) == (2, True)


def test_a_data_set_when_the_hub_is_away(tmp_path: Path) -> None:
    done = run(tmp_path, ["-m", "curate", "inspect", "hf://owner/name"], HF_ENDPOINT=closed_port())
    assert done.returncode == 2
    assert "The hub cannot be reached, and its cache does not contain this data set." in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_what_the_cache_holds_is_used_when_the_hub_is_away(tmp_path: Path) -> None:
    place = tmp_path / "hf" / "hub" / "models--org--tiny"
    transformers.LlamaConfig(**SHAPE).save_pretrained(place / "snapshots" / "abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    code = (
        "from curate.backends import ModelSpec\nfrom curate.backends.configs import read_config\n"
        "print(read_config(ModelSpec.of('org/tiny')).hidden_size)\n"
        "from huggingface_hub import constants\nprint(constants.HF_HUB_OFFLINE)\n"
        "from curate.errors import ModelError\nfrom curate.tokens import HubTokenizer\n"
        "try:\n    HubTokenizer('org/tiny')\nexcept ModelError as error:\n    print(error.what)\n"
    )
    done = run(tmp_path, ["-c", code], HF_ENDPOINT=closed_port())
    assert done.stdout.splitlines() == [
        str(SHAPE["hidden_size"]),
        "False",
        "There is no folder org/tiny here; the hub cannot be reached.",
    ], done.stderr


def test_a_folder_needs_no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def asked(_: str) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "_ask", asked)
    monkeypatch.setattr(hub, "is_offline", lambda: False)
    hub.check_found(str(tmp_path))
    with hub.hub_access(str(tmp_path)):
        pass
    error = hub.not_loaded("Cannot be loaded.", str(tmp_path), OSError("torn\nmore"))
    assert isinstance(error, ModelError)
    assert (error.what, error.where) == ("Cannot be loaded.", f"{tmp_path}: torn")

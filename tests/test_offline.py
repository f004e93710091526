"""`--offline`: connections are refused, but those to a server that was named; and no command tries any."""

import os
import socket
import subprocess
import sys

import pytest

from curate import offline
from curate.errors import OfflineError
from tests.commands.helpers import candidate_rows, pair_rows, prompt_rows, write_jsonl
from tests.commands.terminal import Terminal

seen: list[str] = []
"""What this process asked of the network. A hook cannot be removed, so it stays, and this is emptied."""


def _see(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        seen.append(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[:2]}")


@pytest.fixture
def begun(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(offline, "_named", {})
    for name in (offline.VARIABLE, *offline.LIBRARIES):
        monkeypatch.setenv(name, "")
    offline.begin()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_every_connection_is_refused(begun, port, monkeypatch):
    for tried in (
        lambda: socket.create_connection(("127.0.0.1", port)),
        lambda: socket.getaddrinfo("example.org", 443),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    ):
        with pytest.raises(OfflineError, match="while offline"):
            tried()
    monkeypatch.delenv(offline.VARIABLE)
    socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_server_that_was_named_is_reached_and_no_other_port(begun, port, host):
    offline.allow(f"http://{host}:{port}/v1")
    socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(OfflineError), socket.create_server(("127.0.0.1", 0)) as other:
        socket.create_connection(other.getsockname())


def test_sockets_that_are_files_are_not_the_network(begun, tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))


def test_processes_started_from_here_refuse_too(begun, port):
    code = f"import curate, socket\nsocket.create_connection(('127.0.0.1', {port}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "OfflineError: A connection was about to be made" in done.stderr


def test_the_libraries_of_the_hub_are_told(begun):
    from curate.hub import is_offline

    assert is_offline()
    assert {os.environ[name] for name in offline.LIBRARIES} == {"1"}
    assert offline.how_to_end() == "unset CURATE_OFFLINE"


def test_no_command_asks_the_network_for_anything(begun, tmp_path, monkeypatch, capsys, demo_models):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "d.jsonl", pair_rows(6))
    write_jsonl(tmp_path / "c.jsonl", candidate_rows(3))
    write_jsonl(tmp_path / "p.jsonl", prompt_rows(2))
    policy, reward = (str(demo_models / name) for name in ("policy", "reward"))
    curate = Terminal(monkeypatch, capsys)
    sys.addaudithook(_see)
    seen.clear()
    for command in (
        "inspect d.jsonl --deep --decontaminate p.jsonl",
        f"score d.jsonl -o s.parquet --policy {policy} --reward {reward} --embedder minilm --add-flags all "
        "--decontaminate p.jsonl --cache numbers",
        f"generate p.jsonl -o g.parquet --policy {policy} --samples 2 --max-tokens 4",
        f"pair c.jsonl -o q.parquet --best-of-n2 --policy {policy} --reward {reward}",
        "select s.parquet -o k --by dcrm --top 50% --report r.html",
        "weigh k -o w.parquet --method gamma-po",
        "export k -o e --to trl",
        "explain s.parquet 0",
        "show k",
    ):
        code, _, said = curate(*command.split(), "--offline")
        assert code == 0, said
    assert seen == []


def test_a_hub_name_is_looked_for_in_the_cache_alone(begun, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    write_jsonl(tmp_path / "d.jsonl", pair_rows(6))
    curate = Terminal(monkeypatch, capsys)
    for words in (["score", "d.jsonl", "-o", "s.parquet", "--policy", "org/tiny"], ["inspect", "hf://org/data"]):
        code, _, said = curate(*words, "--offline")
        assert code == 2
        assert len(said.splitlines()) == 3
        assert "leave out --offline" in said, said

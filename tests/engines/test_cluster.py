"""Addresses of clusters, before Ray is asked; what Ray itself does is in `test_actors` and `commands/test_ray`."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from curate.engines.cluster import check_address, session
from curate.errors import SettingsError


def test_importing_curate_and_its_engines_does_not_import_ray() -> None:
    code = "import sys, curate, curate.cli.app, curate.engines.local; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_session_without_ray_does_nothing() -> None:
    with session(), session():
        pass


@pytest.mark.parametrize("address", ["somewhere", "ray://head:10001", "head:port", ":6379"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    with pytest.raises(SettingsError, match="HOST:PORT, or auto") as caught:
        check_address(address)
    assert caught.value.where == f"--ray-address {address}"


def test_an_address_at_which_nothing_listens_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SettingsError, match="cannot be joined") as caught:
        check_address(f"127.0.0.1:{port}")
    assert len([caught.value.what, caught.value.where, caught.value.hint]) == 3
    assert caught.value.where == f"--ray-address 127.0.0.1:{port}"
    assert "ray status" in caught.value.hint

"""Ray: the cluster that a command joins or starts, what it has, and how it is left.

A Ray of this command's own is quiet and short-lived: it binds to this machine alone, has no dashboard, reports no usage
statistics, prints nothing and ends with the command. A cluster at an address is joined, and left as it was. Ray is
imported only here and in `actors`, inside functions.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from curate import offline
from curate.errors import MissingExtra, ModelError, SettingsError, first_line

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}
OBJECTS = 2**28
"""Bytes for objects of a Ray of our own: workers hold two batches each, of a few hundred kilobytes."""
REACHED_SECONDS = 10.0
LOOKED_SECONDS = 120.0
_depth = 0


@dataclass(frozen=True)
class Cluster:
    """Where copies of a scorer run on Ray.

    Attributes:
        address: of the cluster to join; None starts a Ray on this machine.
        gpus: GPUs of each worker, 0 for workers on CPUs.
        workers: how many workers; None for as many as the cluster has GPUs for, also when it grows.
    """

    address: str | None = None
    gpus: int = 0
    workers: int | None = None


@dataclass(frozen=True)
class Nodes:
    """What a cluster has now: all its GPUs and CPUs, and the CPUs of its largest node."""

    gpus: int
    cpus: int
    largest: int


def check_installed() -> None:
    """Refuse to plan with Ray where it is not installed.

    Raises:
        MissingExtra: that.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra("ray", "ray")


@contextmanager
def session() -> Iterator[None]:
    """A block at whose end the Ray that was started or joined within it is left; one that was there before stays."""
    global _depth
    ray_before = _is_connected()
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth and not ray_before and _is_connected():
            import ray

            ray.shutdown()


def _is_connected() -> bool:
    import sys

    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def connect(address: str | None) -> Any:
    """Ray, connected to the cluster at the address, or to one of our own; nothing is done if it is already connected.

    Raises:
        SettingsError: nothing answers at the address, or this machine is not a node of that cluster.
        ModelError: Ray does not start here.
    """
    check_installed()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return ray
    if address is not None:
        check_address(address)
    _hush()
    where: dict[str, Any] = {"address": address} if address else {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": OBJECTS,
        "_node_ip_address": "127.0.0.1",
    }  # fmt: skip
    try:
        with _own_signals():
            ray.init(log_to_driver=False, logging_level="error", **where)
    except Exception as error:  # of many kinds, as whatever Ray starts may fail
        if address is None:
            raise ModelError(
                f"Ray does not start on this machine: {first_line(error)}", "--engine ray", "Use --engine=local."
            ) from error
        raise _unreachable(address, first_line(error)) from error
    return ray


def check_address(address: str) -> None:
    """Refuse at once what Ray would try for minutes.

    Raises:
        SettingsError: nothing answers at the address, or it is none.
    """
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if "://" in address or not host or not port.isdigit():
        raise SettingsError(
            "The address of a Ray cluster is HOST:PORT, or auto on one of its nodes.",
            setting="ray_address",
            value=address,
            hint="Run this command on a node: `ray start --address=HOST:6379 --num-cpus=0` makes this machine one.",
        )
    offline.allow(f"http://{address}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHED_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, first_line(error)) from error


def _unreachable(address: str, why: str) -> SettingsError:
    return SettingsError(
        f"The Ray cluster cannot be joined: {why.rstrip('.')}.",
        setting="ray_address",
        value=address,
        hint="Is it running, and is this machine one of its nodes? `ray status --address=HOST:6379` shows it.",
    )


def _hush() -> None:
    """Keep what Ray says of workers that died off standard output, where tables and JSON go; we say it ourselves."""
    import ray._private.worker as driver

    driver.print_to_stdstream = lambda *_, **__: None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our handler of SIGTERM, which Ray replaces when it connects."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if main and before is not None:
            signal.signal(signal.SIGTERM, before)


def nodes_of(address: str | None) -> Nodes:
    """What the cluster has now.

    Raises:
        SettingsError: it cannot be joined.
    """
    with session():
        ray = connect(address)
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus = [int(one.get("CPU", 0)) for one in alive]
        return Nodes(int(sum(one.get("GPU", 0) for one in alive)), sum(cpus), max(cpus, default=0))


@cache  # a task on a GPU, asked for by each model of each scorer
def dtype_of(address: str | None) -> str:
    """What `--dtype auto` means on a GPU of the cluster.

    Raises:
        SettingsError: no GPU became free to be asked.
    """
    with session():
        ray = connect(address)
        asked = ray.remote(num_cpus=0, num_gpus=1, max_retries=TRIES_TO_LOOK)(_look).remote()
        try:
            return str(ray.get(asked, timeout=LOOKED_SECONDS))
        except ray.exceptions.GetTimeoutError as error:
            raise SettingsError(
                "No GPU of the cluster became free, so its best dtype is not known.",
                setting="dtype",
                value="auto",
                hint="Wait for a GPU, or say --dtype=bfloat16.",
            ) from error


TRIES_TO_LOOK = 3


def _look() -> str:
    """Runs on a node of the cluster."""
    from curate.backends.open import auto_dtype

    return auto_dtype("cuda:0")

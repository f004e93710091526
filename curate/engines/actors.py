"""Workers on a Ray cluster: one actor for each GPU, or for each group of GPUs that share a model.

These are plain Ray actors with a submit loop of our own (`crew`), rather than Ray Data's `map_batches`:

- Which rows share a batch decides the last digits, so the batches must be those of a local run. They are cut by token
  counts once a model is open; Ray Data cuts by rows, and may split and merge blocks on the way.
- A batch that kills its worker is retried three times and then named. Ray Data retries it for ever, or, told
  otherwise, loses the block.
- Numbers are stored by key as each batch ends, by a driver that may be killed at any time; Ray Data yields blocks.
- At most two batches for each worker are on the way, whatever their size.

An actor opens its model once. It is handed its next batch while it measures one, and answers with keyed numbers. When
a node goes away, its batches are handed to others, and its actors wait until there is room again. What a scorer raises
is raised here, not retried. `--gpus N` asks for all N at once, so that an autoscaling cluster grows to them, and begins
with those that are there; without it the run takes every GPU, also of nodes that join later.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from curate import offline
from curate.engines.cluster import Cluster, connect, nodes_of
from curate.engines.crew import Lost, Member, Said, Task
from curate.engines.worker import Failed, Opened, is_device_fault, portable
from curate.errors import ModelError, first_line
from curate.hashing import versions
from curate.scorers import Batch, Shares
from curate.version import __version__

PACKAGES = ["torch", "transformers", "ray"]
"""Packages whose versions must be those of the driver, as the manifest names only those; the build may differ."""
HEARD_SECONDS = 1.0
GROWN_SECONDS = 5.0
PATIENCE_SECONDS = 60.0


def software() -> dict[str, str]:
    """What decides numbers and must be the same on all nodes."""
    return {"curate-preferences": __version__, **{k: v.partition("+")[0] for k, v in versions(PACKAGES).items()}}


@dataclass(frozen=True)
class OpenedThere(Opened):
    """A model is open on a node: which one, and with which software."""

    node: str = ""
    software: tuple[tuple[str, str], ...] = ()


class Worker:
    """What runs in an actor: opens its copy of the model and measures batch by batch. Errors are answers, too."""

    def __init__(self, scorer: Shares, is_offline: bool) -> None:
        self._scorer, self._is_offline = scorer, is_offline

    def open(self) -> Opened | Failed:
        """Open the model."""
        if self._is_offline:
            offline.begin("leave out --offline")
        try:
            notes = self._scorer.open()
            cut = self._scorer.cut()
            return OpenedThere(notes, cut, _gpu(), _node(), tuple(software().items()))
        except Exception as error:
            return Failed(portable(error), again=is_device_fault(error))

    def measure(self, batch: Batch) -> Said:
        """The numbers of a batch."""
        try:
            return self._scorer.measure(batch)
        except Exception as error:
            return Failed(portable(error), again=is_device_fault(error))


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _gpu() -> str:
    """The kind of this actor's GPU; empty on a CPU."""
    import ray

    if not ray.get_gpu_ids():
        return ""
    from curate.backends.open import gpu_name

    return gpu_name()


class Actor:
    """An actor as seen by the driver."""

    def __init__(self, ray: Any, make: Callable[[], Any], device: str) -> None:
        self._ray, self._make, self.device = ray, make, device
        self.failures = 0
        self.start()

    def start(self) -> None:
        """Ask Ray for an actor, which waits until there is room for it."""
        self.opened, self.tasks = False, deque[Task]()
        self.node = ""
        self._actor = self._make()
        self.answers = deque([self._actor.open.remote()])

    def give(self, task: Task) -> None:
        """Hand it a batch."""
        self.tasks.append(task)
        self.answers.append(self._actor.measure.remote(task.batch))

    def kill(self) -> None:
        """Kill it at once."""
        self._ray.kill(self._actor)

    def end(self) -> str:
        """Forget it: Ray ends it."""
        self.answers.clear()
        return "ended"

    def answer(self) -> Said:
        """What it says next, which is there."""
        errors = self._ray.exceptions
        try:
            said: Said = self._ray.get(self.answers[0])
        except errors.RayTaskError as error:
            return Failed(_not_run(error), again=False)
        except errors.RayError as error:
            self.kill()
            self.end()
            if getattr(error, "actor_init_failed", False):
                return Failed(_not_run(error), again=False)
            # Of a node that vanished, Ray first knows only that its actors do not answer.
            return Lost(_how(error), isinstance(error, errors.ActorUnavailableError) or self._node_is_gone())
        self.answers.popleft()
        if isinstance(said, OpenedThere):
            self.node = said.node
        return said

    def _node_is_gone(self) -> bool:
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        return bool(self.node) and self.node not in alive


def _how(error: Exception) -> str:
    """How an actor ended, in a few words."""
    text = str(error)
    for sign, words in (("OOM", "perhaps out of memory"), ("out of memory", "out of memory")):
        if sign in text:
            return words
    return first_line(error).rstrip(".")


def _not_run(error: Exception) -> ModelError:
    lines = [line.strip() for line in str(error).splitlines() if "Error" in line]
    return ModelError(
        f"A worker of the cluster does not run: {lines[-1] if lines else first_line(error)}",
        "--engine ray",
        "Install the same curate-preferences, with the same extras, on every node.",
    )


class Actors:
    """Actors on a Ray cluster.

    Args:
        cluster: which, and how many.
        say: receives what the user should know.
    """

    advice = "Check the memory of the cluster's nodes, and their Ray logs. What was measured is kept."

    def __init__(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        self._cluster, self._say = cluster, say
        self._begun = self._looked = time.monotonic()
        self._number = 0

    def members(self, scorer: Shares) -> Iterator[Actor]:
        """Ask for all actors that are wanted, or that the cluster has room for."""
        self._ray = connect(self._cluster.address)
        nodes, wanted = nodes_of(self._cluster.address), self._cluster
        if wanted.gpus:
            device, threads, cpus = "cuda:0", None, 0
            count = wanted.workers or max(1, nodes.gpus // wanted.gpus)
        else:
            device, count = "cpu", wanted.workers or 1
            cpus = threads = max(1, min(nodes.largest, nodes.cpus // count))
        actor = self._ray.remote(Worker).options(
            num_cpus=cpus, num_gpus=wanted.gpus, max_restarts=0, max_task_retries=0
        )
        copy = self._ray.put(scorer.on(device, threads))
        self._make = lambda: actor.remote(copy, offline.is_begun())
        for _ in range(count):
            yield self._another()

    def _another(self) -> Actor:
        self._number += 1
        return Actor(self._ray, self._make, f"worker {self._number}")

    def joined(self) -> Sequence[Actor]:
        """New actors where GPUs have joined the cluster, unless a number was asked for."""
        now, wanted = time.monotonic(), self._cluster
        if not wanted.gpus or wanted.workers is not None or now - self._looked < GROWN_SECONDS:
            return ()
        self._looked = now
        room = int(self._ray.cluster_resources().get("GPU", 0)) // wanted.gpus
        return [self._another() for _ in range(room - self._number)]

    def heard(self, members: Sequence[Member]) -> Iterator[tuple[Member, Said]]:
        """What actors answer within a second: those alone that are first in turn."""
        first = {member.answers[0]: member for member in cast(Sequence[Actor], members) if member.answers}
        self._ray.wait(list(first), timeout=HEARD_SECONDS)
        ready, _ = self._ray.wait(list(first), num_returns=len(first), timeout=0)
        self._tell_if_waiting(members)
        for answer in ready:
            member = first[answer]
            said = member.answer()
            if isinstance(said, OpenedThere):
                check_software(dict(said.software))
            yield member, said

    def _tell_if_waiting(self, members: Sequence[Member]) -> None:
        """Say once that the cluster has no room, if it is so for long."""
        if self._begun and any(member.opened for member in members):
            self._begun = 0.0
        if self._begun and time.monotonic() - self._begun > PATIENCE_SECONDS:
            self._begun = 0.0
            what = f"{self._cluster.gpus} GPU(s)" if self._cluster.gpus else "CPUs"
            self._say(f"still waiting for a worker: each needs {what} on one node of the cluster, and time to open.")


def check_software(theirs: dict[str, str]) -> None:
    """Refuse a node with other versions than the driver's.

    Raises:
        ModelError: it has.
    """
    ours = software()
    other = [f"{name} {theirs[name]}, not {ours[name]}" for name in ours if theirs[name] != ours[name]]
    if other:
        raise ModelError(
            f"A node of the cluster has {', '.join(other)}.", "--engine ray", "Install the same versions everywhere."
        )

"""Where models run: in this process, in several, or on a Ray cluster; settled before any model is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from curate.backends import ModelSpec
from curate.backends.open import gpus_named
from curate.engines.cluster import Cluster, check_installed, dtype_of, nodes_of
from curate.engines.local import Devices
from curate.errors import SettingsError
from curate.model import Model
from curate.settings import ModelSettings


def model_spec(settings: ModelSettings, model: Model, *, here: bool = False) -> ModelSpec:
    """The spec that opens this model as the settings say.

    Args:
        settings: where models run.
        model: which one.
        here: whether it runs in this process whatever the settings say.

    Raises:
        SettingsError: there are no such GPUs, here or in the cluster.
    """
    spec = ModelSpec(
        model,
        settings.device,
        settings.dtype,
        settings.trust_remote_code,
        backend=settings.backend,
        tensor_parallel=settings.tensor_parallel or 1,
        server_seconds=settings.server_timeout,
    )
    if here and settings.engine == "ray":
        return spec
    if settings.ray_address and spec.engine in ("torch", "vllm"):
        return _spec_there(settings, spec)
    return replace(spec, device=gpus_named(settings.gpus)[0] if settings.gpus else settings.device)


def _spec_there(settings: ModelSettings, spec: ModelSpec) -> ModelSpec:
    """The spec for a cluster at an address: on GPUs if they are asked for, or if it has some and nothing is."""
    nodes = nodes_of(settings.ray_address)
    asked = settings.gpus is not None or settings.device.startswith("cuda")
    each = settings.tensor_parallel or 1
    if asked and nodes.gpus < each:
        raise SettingsError(
            f"The cluster has {nodes.gpus} GPUs, fewer than a model needs ({each}).",
            setting="ray_address",
            value=settings.ray_address,
            hint="Start a node with GPUs first, if the cluster grows by itself; or use --device=cpu.",
        )
    if not (asked or (settings.device == "auto" and nodes.gpus)):
        return replace(spec, device="cpu", dtype="float32" if spec.dtype == "auto" else spec.dtype, elsewhere=True)
    dtype = dtype_of(settings.ray_address) if spec.dtype == "auto" else spec.dtype
    return replace(spec, device="cuda:0", dtype=dtype, elsewhere=True)


def check_places(settings: ModelSettings) -> None:
    """Refuse contradictory settings of where models run.

    Raises:
        SettingsError: both GPUs and CPU processes, or either together with another device; what Ray cannot be told.
        MissingExtra: Ray is not installed.
    """
    _check_ray(settings)
    if settings.gpus and settings.workers > 1:
        raise SettingsError(
            "--gpus and --workers exclude each other.",
            setting="workers",
            value=settings.workers,
            hint="Each GPU gets one process: leave out --workers.",
        )
    if settings.gpus and settings.device not in ("auto", "cuda"):
        raise SettingsError(
            "--gpus and --device exclude each other.", setting="device", value=settings.device, hint="Leave one out."
        )
    if settings.workers > 1 and settings.device.startswith("cuda"):
        raise _no_gpu(settings)


def _check_ray(settings: ModelSettings) -> None:
    if settings.engine != "ray":
        if settings.ray_address is not None:
            raise SettingsError(
                "Only the Ray engine joins a cluster.",
                setting="ray_address",
                value=settings.ray_address,
                hint="Add --engine=ray.",
            )
        return
    check_installed()
    for setting in ("gpus", "device"):
        value = str(getattr(settings, setting) or "")
        if "," in value or ":" in value:
            raise SettingsError(
                "Ray itself chooses which GPUs it uses.",
                setting=setting,
                value=value,
                hint="Say how many, --gpus=N, or all; CUDA_VISIBLE_DEVICES hides others from a Ray on this machine.",
            )


def devices_of(settings: ModelSettings, specs: Sequence[ModelSpec]) -> Devices:
    """Where to run copies of these models, each in its own process; empty to run in this process.

    Raises:
        SettingsError: the GPUs do not exist, or CPU processes were requested for models that run on a GPU.
    """
    if settings.engine == "ray":
        return _cluster(settings, specs)
    if settings.gpus:
        return gpus_named(settings.gpus)
    if settings.workers > 1 and any(spec.device.startswith("cuda") for spec in specs):
        raise _no_gpu(settings)
    return ("cpu",) * settings.workers if settings.workers > 1 else ()


def _cluster(settings: ModelSettings, specs: Sequence[ModelSpec]) -> Cluster:
    """One worker for each GPU, or group of GPUs that share a model; on CPUs as many as were asked for."""
    if not any(spec.device.startswith("cuda") for spec in specs):
        return Cluster(settings.ray_address, 0, settings.workers)
    if settings.workers > 1:
        raise _no_gpu(settings)
    each = settings.tensor_parallel or 1
    most = int(settings.gpus) if settings.gpus and settings.gpus != "all" else None
    if most is not None and most < each:
        raise SettingsError(
            f"A model needs {each} GPUs.", setting="gpus", value=most, hint="Raise it, or lower --tensor-parallel."
        )
    return Cluster(settings.ray_address, each, most // each if most else None)


def _no_gpu(settings: ModelSettings) -> SettingsError:
    return SettingsError(
        "--workers starts processes on the CPU, but the models run on a GPU.",
        setting="workers",
        value=settings.workers,
        hint="Use --gpus=all, or --device=cpu.",
    )

"""The page on clusters: its YAML and its script are well-formed, its commands exist, its arithmetic adds up."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from curate.cli.app import app
from curate.plan.hours import GPUS, UTILISATION
from tests.docs.pages import ROOT, blocks, curate_lines, table
from tests.docs.prose import banned

PAGE = (ROOT / "recipes" / "cluster.md").read_text("utf-8")
COMMANDS = {
    "page": " ".join(curate_lines(PAGE)[0]),
    "kuberay": yaml.safe_load(blocks(PAGE, "yaml")[0])["spec"]["entrypoint"].removeprefix("curate "),
    "slurm": re.findall(r"^curate (.*?) &$", blocks(PAGE, "bash")[0].replace("\\\n", " "), re.MULTILINE)[0],
}


def test_the_page_reads_as_one_would_say_it() -> None:
    assert banned(PAGE) == []
    assert [line for line in PAGE.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_the_kuberay_job_asks_for_as_many_gpus_as_its_command() -> None:
    job = yaml.safe_load(blocks(PAGE, "yaml")[0])
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    most = group["maxReplicas"] * int(container["resources"]["limits"]["nvidia.com/gpu"])
    assert f"--gpus {most} " in COMMANDS["kuberay"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_slurm_script_parses() -> None:
    (script,) = blocks(PAGE, "bash")
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    assert "#SBATCH --gpus-per-node=8" in script


@pytest.mark.parametrize("place", COMMANDS)
def test_the_commands_exist(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their options are read before anything is looked for, such as Ray or the data."""
    monkeypatch.chdir(tmp_path)
    command = re.sub(r"\$\(\(.*?\)\)", "64", COMMANDS[place]).replace('"$address"', "auto")
    words = command.split()
    assert app([*words, "--help"], standalone_mode=False) in (0, None)
    known = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert {word for word in words if word.startswith("--")} <= known


def test_the_arithmetic_of_costs_adds_up() -> None:
    """Hours = 2 x parameters x tokens / (the GPU's peak x its expected share) / 3600."""
    tokens, rate = 1e8 * 900, GPUS["H100"].flops * UTILISATION
    for model, _, per_second, hours in table(PAGE, "| model | parameters"):
        parameters = {"8B": 8e9, "0.6B": 0.6e9}[model.split(",")[0]]
        wanted = 2 * parameters * tokens / rate / 3600
        assert abs(float(hours.replace(",", "")) / wanted - 1) < 0.02
        assert abs(float(per_second.replace(",", "")) / (rate / (2 * parameters)) - 1) < 0.02

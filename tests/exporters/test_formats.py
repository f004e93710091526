"""Every format, read back with the reader that its trainer uses."""

import ast
import json
import os
import subprocess

import datasets
import pandas as pd
import pytest
import yaml

from curate.cards.plots import PLOTS
from curate.exporters.registry import all_exporters, find_exporter
from curate.hashing import pair_id, text_of

from .golden import CHOSEN, FORMATS, LONG, PROMPTS, REJECTED, SHORT, rows, run_export, says, write


def answers(texts):
    return [says("assistant", text) for text in texts]


def whole(texts):
    return [[*prompt, answer] for prompt, answer in zip(PROMPTS, answers(texts), strict=True)]


def loaded(folder, exporter):
    """As the trainers read it: with `datasets`, from the data file."""
    kind = {"parquet": "parquet", "jsonl": "json"}[exporter.kind]
    found = datasets.load_dataset(
        kind, data_files=str(folder / exporter.file), split="train", cache_dir=str(folder.parent / "cache")
    )
    return found


FULL = {"chosen": whole(CHOSEN), "rejected": whole(REJECTED)}
# (1.5 - 1.0) and (2.5 - 0.0)
MARGINS = {"margin": [0.5, 2.5]}
EXPECTED = {
    "trl": {
        "prompt": [SHORT, LONG],
        "chosen": [[one] for one in answers(CHOSEN)],
        "rejected": [[one] for one in answers(REJECTED)],
    },
    "trl-reward": FULL | MARGINS,
    "argilla": {
        "pair_id": [
            pair_id(text_of(prompt), chosen, rejected)
            for prompt, chosen, rejected in zip(PROMPTS, CHOSEN, REJECTED, strict=True)
        ],
        "prompt": [SHORT, LONG],
        "chosen": list(CHOSEN),
        "rejected": list(REJECTED),
    },
    "kto": {
        "prompt": [SHORT, SHORT, LONG, LONG],
        "completion": [[one] for one in answers([CHOSEN[0], REJECTED[0], CHOSEN[1], REJECTED[1]])],
        "label": [True, False, True, False],
    },
    "openrlhf": FULL | MARGINS,
    "torchtune": FULL,
    "open-instruct": FULL,
    "axolotl": {"messages": [SHORT, LONG], "chosen": answers(CHOSEN), "rejected": answers(REJECTED)},
    "ms-swift": {"messages": whole(CHOSEN), "rejected_response": list(REJECTED)} | MARGINS,
    "nemo-rl": {
        "context": [SHORT, LONG],
        "completions": [
            [{"rank": 0, "completion": [chosen]}, {"rank": 1, "completion": [rejected]}]
            for chosen, rejected in zip(answers(CHOSEN), answers(REJECTED), strict=True)
        ],
    },
    "llamafactory": {
        "conversations": [
            [{"from": "human", "value": SHORT[0]["content"]}],
            [
                {"from": "human", "value": "1+1?"},
                {"from": "gpt", "value": "2"},
                {"from": "human", "value": "And +1? 🧮"},
            ],
        ],
        "chosen": [{"from": "gpt", "value": text} for text in CHOSEN],
        "rejected": [{"from": "gpt", "value": text} for text in REJECTED],
        "system": ["", "Be brief."],
    },
    "verl": {
        "prompt": [
            "User: Wie heißt «猫»\n auf Deutsch?\n\nAssistant: ",
            "System: Be brief.\n\nUser: 1+1?\n\nAssistant: 2\n\nUser: And +1? 🧮\n\nAssistant: ",
        ],
        "chosen": list(CHOSEN),
        "rejected": list(REJECTED),
    },
}


def test_every_format_is_here() -> None:
    assert tuple(all_exporters()) == FORMATS
    assert sorted(EXPECTED) == list(FORMATS)


@pytest.fixture(params=FORMATS)
def done(request, tmp_path):
    """An export of the golden table: its folder and its exporter."""
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", request.param)
    return tmp_path / "out", find_exporter(request.param)


def test_the_trainers_reader_finds_the_rows(done) -> None:
    folder, exporter = done
    found = loaded(folder, exporter)
    assert {name: list(found[name]) for name in found.column_names} == EXPECTED[exporter.name]
    if exporter.kind == "parquet":
        types = found.features.arrow_schema
        assert all(types.field(field.name).type == field.type for field in exporter.schema)


def test_the_folder_loads_by_its_card(done) -> None:
    folder, exporter = done
    found = datasets.load_dataset(str(folder), split="train", cache_dir=str(folder.parent / "cache"))
    assert found.column_names == list(EXPECTED[exporter.name])


def test_the_snippet_names_the_data_and_is_well_formed(done) -> None:
    folder, exporter = done
    snippets = [path for path in folder.iterdir() if path.name not in ("README.md", exporter.file, *PLOTS)]
    assert snippets
    assert exporter.file in "".join(path.read_text() for path in snippets)
    readme = (folder / "README.md").read_text()
    for path in snippets:
        assert f"`{path.name}`" in readme
        text = path.read_text()
        assert str(folder.parent) not in text
        if path.suffix == ".yaml":
            assert isinstance(yaml.safe_load(text), dict)
        elif path.suffix == ".py":
            ast.parse(text)
        elif path.suffix == ".sh":
            assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
        else:
            assert path.name == "dataset_info.json"


def test_names_within_the_yaml_are_those_of_the_data(tmp_path) -> None:
    data = write(tmp_path / "d.jsonl", rows())
    found = {}
    for name, snippet in (("axolotl", "axolotl"), ("verl", "verl"), ("torchtune", "torchtune"), ("nemo-rl", "nemo_rl")):
        run_export(data, tmp_path / name, name)
        found[name] = yaml.safe_load((tmp_path / name / f"{snippet}.yaml").read_text())
    axolotl = found["axolotl"]["datasets"][0]
    assert (tmp_path / "axolotl" / axolotl["path"]).is_file()
    assert {axolotl[f"field_{part}"] for part in ("messages", "chosen", "rejected")} == set(EXPECTED["axolotl"])
    assert (found["axolotl"]["rl"], axolotl["type"]) == ("dpo", "chat_template.default")
    assert (tmp_path / "verl" / found["verl"]["parquet_files"][0]).is_file()
    assert [found["verl"][f"{part}_key"] for part in EXPECTED["verl"]] == list(EXPECTED["verl"])
    assert (tmp_path / "torchtune" / found["torchtune"]["dataset"]["data_files"]).is_file()
    assert (tmp_path / "nemo-rl" / found["nemo-rl"]["data"]["train"]["data_path"]).is_file()


def test_nemo_rl_validates_on_data_that_is_there(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", "nemo-rl")
    data = yaml.safe_load((tmp_path / "out" / "nemo_rl.yaml").read_text())["data"]
    for part in ("train", "validation"):
        # merged over its example configs, which name HelpSteer3 and its splits
        assert data[part] == {"dataset_name": "PreferenceDataset", "data_path": "train.jsonl", "split": "train"}


def said_to(command, script, folder, **variables):
    """The arguments that a script gives to this command."""
    shims = folder.parent / "shims"
    shims.mkdir()
    (shims / command).write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    (shims / command).chmod(0o755)
    environment = {"PATH": f"{shims}:{os.environ['PATH']}", **variables}
    run = ["sh", str(folder / script), "--seed", "a b"]
    return subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def test_what_open_instruct_is_told(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", "open-instruct")
    said = said_to("accelerate", "open_instruct.sh", tmp_path / "out", MODEL="my model")
    assert said[:2] == ["launch", "open_instruct/dpo_tune_cache.py"]
    options = {}
    for word in said[2:]:
        if word.startswith("--"):
            name = word.removeprefix("--")
            options[name] = []
        else:
            options[name].append(word)
    assert options.pop("mixer_list") == [str(tmp_path / "out" / "train.parquet"), "1.0"]
    assert options.pop("mixer_list_splits") == ["train"]
    assert options.pop("model_name_or_path") == ["my model"]
    assert options.pop("seed") == ["a b"]
    off = {"push_to_hub": ["false"], "try_launch_beaker_eval_jobs": ["false"]}
    assert options == off | {"max_seq_length": ["4096"], "output_dir": ["trained"]}


@pytest.mark.parametrize("trainer", ["openrlhf.cli.train_dpo", "openrlhf.cli.train_rm"])
@pytest.mark.parametrize("margin", [True, False])
def test_openrlhf_hears_of_margins_where_its_trainer_knows_them(tmp_path, trainer, margin) -> None:
    table = rows()
    for row in table:
        row.pop("chosen_reward" if not margin else "source")
    run_export(write(tmp_path / "d.jsonl", table), tmp_path / "out", "openrlhf")
    said = said_to("deepspeed", "openrlhf.sh", tmp_path / "out", MODEL="m", TRAINER=trainer)
    assert said[:2] == ["--module", trainer]
    assert said[said.index("--data.max_len") + 1] == "4096"
    assert ("--model.margin_loss_enable" in said) == (margin and trainer.endswith("rm"))
    assert said[-2:] == ["--seed", "a b"]


def test_verl_says_that_none_of_its_trainers_reads_this(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", "verl")
    assert "No trainer of verl 0.9.1 reads RMDataset" in (tmp_path / "out" / "verl.yaml").read_text()
    assert "no trainer of verl 0.9.1 reads" in (tmp_path / "out" / "README.md").read_text()


def test_dataset_info_of_llamafactory(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", "llamafactory")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    config = yaml.safe_load((tmp_path / "out" / "llamafactory.yaml").read_text())
    entry = info[config["dataset"]]
    assert (tmp_path / "out" / entry["file_name"]).is_file()
    assert (entry["formatting"], entry["ranking"]) == ("sharegpt", True)
    assert sorted(entry["columns"].values()) == sorted(EXPECTED["llamafactory"])


def test_verl_reads_with_pandas(tmp_path) -> None:
    run_export(write(tmp_path / "d.jsonl", rows()), tmp_path / "out", "verl")
    frame = pd.read_parquet(tmp_path / "out" / "train.parquet")
    assert frame.to_dict("list") == EXPECTED["verl"]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ([says("user", "a"), says("user", "b"), says("user", "c")], "alternate"),
        ([says("user", "a"), says("system", "b"), says("user", "c")], "only in front"),
    ],
)
def test_llamafactory_rejects_what_it_would_drop(tmp_path, prompt, reason) -> None:
    table = rows()
    table[0]["prompt"] = prompt
    data = write(tmp_path / "d.jsonl", table)
    result = run_export(data, tmp_path / "out", "llamafactory")
    assert (result.pairs, result.rows) == (1, 1)
    assert list(result.rejected.values()) == [1]
    assert reason in next(iter(result.rejected))
    assert run_export(data, tmp_path / "swift", "ms-swift").rejected.keys() == {
        next(iter(result.rejected)).replace("llamafactory", "ms-swift")
    }
    # the other formats can say it
    assert run_export(data, tmp_path / "other", "trl").rows == 2

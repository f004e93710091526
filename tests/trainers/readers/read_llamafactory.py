"""Reads an export as LLaMA-Factory does: read_llamafactory.py FOLDER MODEL OUT."""

import json
import os
import sys
from pathlib import Path

from stubs import stub

stub("torchaudio")
folder, model, out = sys.argv[1:]
os.chdir(folder)

import yaml  # noqa: E402
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402
from llamafactory.model import load_tokenizer  # noqa: E402

config = yaml.safe_load(Path("llamafactory.yaml").read_text())
config |= {"model_name_or_path": model, "template": "chatml", "output_dir": out + ".trained", "report_to": "none"}
model_args, data_args, training_args, finetuning_args, _ = get_train_args({**config, "use_cpu": True})
loaded = load_tokenizer(model_args)
tokenizer = loaded["tokenizer"]
template = get_template_and_fix_tokenizer(tokenizer, data_args)
rows = get_dataset(template, model_args, data_args, training_args, stage="rm", **loaded)["train_dataset"]


def text(ids):
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


found = []
for row in rows:
    made = {}
    for side in ("chosen", "rejected"):
        ids, labels = row[f"{side}_input_ids"], row[f"{side}_labels"]
        start = next(i for i, label in enumerate(labels) if label != -100)
        made |= {"prompt": text(ids[:start]), side: text(ids[start:])}
    found.append(made)
settings = {"stage": finetuning_args.stage, "beta": finetuning_args.pref_beta, "length": data_args.cutoff_len}
Path(out).write_text(json.dumps({"rows": found, "settings": settings}))

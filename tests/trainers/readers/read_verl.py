"""Reads an export as verl's RMDataset does: read_verl.py FOLDER MODEL OUT."""

import json
import os
import sys
from pathlib import Path

from stubs import stub


def main(folder: str, model: str, out: str) -> None:
    os.chdir(folder)
    stub("ray", "tensordict", "hydra", "omegaconf", "codetiming", "torchdata", "peft", "pybind11", "datasets")
    import yaml
    from transformers import AutoTokenizer
    from verl.utils.dataset.rm_dataset import RMDataset

    settings = yaml.safe_load(Path("verl.yaml").read_text())
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = RMDataset(**settings, tokenizer=tokenizer, cache_dir=out + ".cache")
    found = []
    for row in rows:
        held = row["input_ids"], row["attention_mask"]
        texts = [tokenizer.decode(ids[mask.bool()]) for ids, mask in zip(*held, strict=True)]
        found.append(dict(zip(("chosen", "rejected"), texts, strict=True)))
    Path(out).write_text(json.dumps({"rows": found, "settings": settings}))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Reads an export as torchtune does: read_torchtune.py FOLDER MODEL OUT."""

import json
import os
import sys
from pathlib import Path

from stubs import stub


def main(folder: str, model: str, out: str) -> None:
    os.chdir(folder)
    stub("torchao")
    from omegaconf import OmegaConf
    from torchtune import config
    from torchtune.models.qwen2_5 import qwen2_5_tokenizer

    model_of = json.loads((Path(model) / "tokenizer.json").read_text())["model"]
    vocabulary, merges = Path(out).with_name("vocab.json"), Path(out).with_name("merges.txt")
    vocabulary.write_text(json.dumps(model_of["vocab"]))
    merges.write_text("#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in model_of["merges"]))
    tokenizer = qwen2_5_tokenizer(str(vocabulary), str(merges))
    rows = config.instantiate(OmegaConf.load("torchtune.yaml").dataset, tokenizer)

    def text(ids: list[int]) -> str:
        return tokenizer.decode([int(one) for one in ids], skip_special_tokens=False)

    found = []
    for row in rows:
        made = {}
        for side in ("chosen", "rejected"):
            ids, labels = row[f"{side}_input_ids"], [int(one) for one in row[f"{side}_labels"]]
            # an earlier turn of the assistant counts too: the response is what follows the last token that does not
            start = len(labels) - next((i for i, one in enumerate(reversed(labels)) if one == -100), 0)
            made |= {"prompt": text(ids[:start]), side: text(ids[start:])}
        found.append(made)
    Path(out).write_text(json.dumps({"rows": found, "settings": {}}))


if __name__ == "__main__":
    main(*sys.argv[1:])

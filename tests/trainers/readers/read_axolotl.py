"""Reads an export as Axolotl does: read_axolotl.py FOLDER MODEL OUT."""

import json
import os
import sys
from pathlib import Path


def main(folder: str, model: str, out: str) -> None:
    os.chdir(folder)
    import yaml
    from axolotl.loaders import load_tokenizer
    from axolotl.utils.data.rl import prepare_preference_datasets
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.schemas.config import AxolotlInputConfig

    config = yaml.safe_load(Path("axolotl.yaml").read_text()) | {"base_model": model}
    checked = AxolotlInputConfig(**config).model_dump(exclude_none=True)
    settings = {name: checked[name] for name in ("rl", "sequence_len", "learning_rate", "micro_batch_size")}
    added = {"dataset_prepared_path": out + ".prepared", "dataset_num_proc": 1, "tokenizer_config": model}
    cfg = DictDefault(checked | added)
    rows, _ = prepare_preference_datasets(cfg, load_tokenizer(cfg))
    found = [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows]
    Path(out).write_text(json.dumps({"rows": found, "settings": settings}, default=str))


if __name__ == "__main__":  # its workers import this file again
    main(*sys.argv[1:])

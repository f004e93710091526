"""Reads an export as OpenRLHF does: read_openrlhf.py FOLDER MODEL OUT."""

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from stubs import stub

stub("deepspeed", "flash_attn", "bitsandbytes", "ray", "optimum", "wandb")
folder, model, out = sys.argv[1:]
from openrlhf.datasets import RewardDataset  # noqa: E402
from openrlhf.datasets.utils import blending_datasets  # noqa: E402
from openrlhf.utils.config import hierarchize  # noqa: E402


class Parsed(Exception):
    """The trainer's own parser has read its arguments."""


def parsed(trainer):
    """The arguments that the script gives this trainer, as its own parser reads them."""
    said = subprocess.run(
        ["sh", "openrlhf.sh"], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PATH": f"{Path(out).parent}:{os.environ['PATH']}", "MODEL": model, "TRAINER": trainer},
    ).stdout.split("\0")[:-1]  # fmt: skip
    assert said[:2] == ["--module", trainer], said
    sys.argv = said[1:]
    before, kept = argparse.ArgumentParser.parse_args, []

    def parse(self, *given):
        kept.append(before(self, *given))
        raise Parsed

    argparse.ArgumentParser.parse_args = parse
    try:
        runpy.run_module(trainer, run_name="__main__")
    except Parsed:
        return hierarchize(kept[0])
    finally:
        argparse.ArgumentParser.parse_args = before


shim = Path(out).parent / "deepspeed"
shim.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
shim.chmod(0o755)
os.chdir(folder)
settings, found = {}, []
for kind in ("dpo", "rm"):
    args = parsed(f"openrlhf.cli.train_{kind}")
    from openrlhf.utils.utils import get_tokenizer

    strategy = SimpleNamespace(args=args, print=print, is_rank_0=lambda: False)
    tokenizer = get_tokenizer(args.model.model_name_or_path, None, "right", strategy)
    data = blending_datasets(args.data.dataset, args.data.dataset_probs, strategy, args.train.seed)
    rows = RewardDataset(data, tokenizer, args.data.max_len, strategy, is_dpo=kind == "dpo", num_processors=1)
    settings[kind] = {"length": args.data.max_len, "margin": getattr(args.model, "margin_loss_enable", None)}
    for i in range(len(rows)):
        chosen, _, rejected, _, extra = rows[i]
        prompt = int(extra) if kind == "dpo" else 0
        text = [tokenizer.decode(ids[0][start:]) for ids in (chosen, rejected) for start in (prompt,)]
        made = {"chosen": text[0], "rejected": text[1]}
        made |= {"prompt": tokenizer.decode(chosen[0][:prompt])} if kind == "dpo" else {"margin": float(extra)}
        found.append({"kind": kind, **made})
Path(out).write_text(json.dumps({"rows": found, "settings": settings}))

"""Reads an export as ms-swift does: read_ms_swift.py FOLDER MODEL OUT."""

import json
import os
import subprocess
import sys
from pathlib import Path


def said(folder: str, model: str, shims: Path, kind: str) -> list[str]:
    """What the script gives the command `swift`."""
    shim = shims / "swift"
    shim.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    shim.chmod(0o755)
    environment = {**os.environ, "PATH": f"{shims}:{os.environ['PATH']}", "MODEL": model, "TYPE": kind}
    run = ["sh", "ms_swift.sh", "--model_type", "llama", "--template", "chatml"]
    made = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
    return made.split("\0")[:-1]


def main(folder: str, model: str, out: str) -> None:
    os.chdir(folder)
    from swift.arguments import RLHFArguments
    from swift.dataset import load_dataset
    from swift.utils import parse_args

    settings, found = {}, []
    for kind in ("dpo", "rm"):
        command = said(folder, model, Path(out).parent, kind)
        assert command[0] == "rlhf", command
        more = ["--output_dir", f"{out}.trained", "--bf16", "false", "--use_cpu", "true", "--report_to", "none"]
        args, _ = parse_args(RLHFArguments, [*command[1:], *more])
        settings[kind] = {"type": args.rlhf_type, "length": args.max_length}
        template = args.get_template(args.get_model_processor(load_model=False)[1])
        template.set_mode("rlhf")
        rows, _ = load_dataset(args.dataset, split_dataset_ratio=args.split_dataset_ratio, **args.get_dataset_kwargs())
        for row in rows:
            encoded = template.encode(row)
            made = {"kind": kind, "margin": encoded.get("margin")}
            for side in ("chosen", "rejected"):
                ids, labels = encoded[f"{side}_input_ids"], encoded.get(f"{side}_labels", [])
                start = next((i for i, label in enumerate(labels) if label != -100), 0)  # a reward model has no labels
                made |= {"prompt": template.tokenizer.decode(ids[:start]), side: template.tokenizer.decode(ids[start:])}
            found.append(made)
    Path(out).write_text(json.dumps({"rows": found, "settings": settings}, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])

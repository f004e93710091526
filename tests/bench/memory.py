"""Peak memory above the weights, whatever the vocabulary and the length.

Of a small model it is what the process takes. Of an 8B's width it is what tensors take, which a GPU would hold too.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import rows as rows_of
from tests.bench.timing import say

CASES = ((32000, 600), (152000, 600), (256000, 600), (32000, 8000), (152000, 8000))
PROBE = """
import ctypes
import sys
from pathlib import Path
from curate.backends import ModelSpec
from curate.backends.torch.scoring import TorchLogprobs
from tests.bench.peers import read_by
from tests.bench.rows import many_responses

def kibibytes(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name))

folder, length = sys.argv[1], int(sys.argv[2])
backend = TorchLogprobs(ModelSpec.of(folder, device="cpu"))
rows = many_responses(length // 2, length - length // 2, 2, max(1, 4000 // length))
ctypes.CDLL(None).malloc_trim(0)  # else what opening freed would be used again, and not be seen
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of loading
before = kibibytes("VmRSS")
read_by(backend, rows)
print((kibibytes("VmHWM") - before) / 1024)
"""

SHAPE_8B = {"hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8}
LENGTHS = 4000, 16000, 24000
TENSORS = """
import json
import sys
import tempfile
from torch.profiler import ProfilerActivity, profile
from curate.backends import ModelSpec
from curate.backends.torch.scoring import TorchLogprobs
from tests.bench.peers import read_by
from tests.bench.rows import many_responses

folder, length = sys.argv[1], int(sys.argv[2])
backend = TorchLogprobs(ModelSpec.of(folder, device="cpu", dtype="bfloat16"))
rows = many_responses(length // 2, length - length // 2, 1)
with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
    read_by(backend, rows)
with tempfile.NamedTemporaryFile(suffix=".json") as file:
    seen.export_chrome_trace(file.name)
    events = [one for one in json.load(open(file.name))["traceEvents"] if one["name"] == "[memory]"]
held = peak = 0
for event in sorted(events, key=lambda one: one["ts"]):
    held += event["args"]["Bytes"]
    peak = max(peak, held)
print(peak / 2**20)
"""


def main() -> None:
    """A Llama of width 320 with several vocabularies, and a layer of an 8B's shape in bfloat16; long and short rows."""
    for vocabulary, length in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows_of.make_model(Path(folder), vocab_size=vocabulary)
            mebibytes = _asked(PROBE, folder, length)
        say(f"memory: vocabulary {vocabulary}, rows of {length} tokens: {mebibytes:.0f} MiB above the loaded model")
    with tempfile.TemporaryDirectory() as folder:
        rows_of.make_model(Path(folder), num_hidden_layers=1, max_position_embeddings=max(LENGTHS), **SHAPE_8B)
        for length in LENGTHS:
            mebibytes = _asked(TENSORS, folder, length)
            say(f"  an 8B's layer, bfloat16, a row of {length} tokens: tensors of {mebibytes:.0f} MiB")


def _asked(probe: str, folder: str, length: int) -> float:
    """The figure that a process of its own prints last."""
    command = [sys.executable, "-c", probe, folder, str(length)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])

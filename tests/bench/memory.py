"""Peak memory above the weights, whatever the vocabulary and the length."""

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
from curate.backends.torch_models import TorchLogprobs
from tests.bench.peers import read_by
from tests.bench.rows import many_responses

def kibibytes(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name))

folder, length = sys.argv[1], int(sys.argv[2])
backend = TorchLogprobs(ModelSpec(folder, device="cpu"))
rows = many_responses(length // 2, length - length // 2, 2, max(1, 4000 // length))
ctypes.CDLL(None).malloc_trim(0)  # else what opening freed would be used again, and not be seen
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of loading
before = kibibytes("VmRSS")
read_by(backend, rows)
print((kibibytes("VmHWM") - before) / 1024)
"""


def main() -> None:
    """A Llama of width 320 with several vocabularies, rows of several lengths, on a CPU; a process each."""
    for vocabulary, length in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows_of.make_model(Path(folder), vocab_size=vocabulary)
            command = [sys.executable, "-c", PROBE, folder, str(length)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        mebibytes = float(done.stdout.splitlines()[-1])
        say(f"memory: vocabulary {vocabulary}, rows of {length} tokens: {mebibytes:.0f} MiB above the loaded model")

"""Best-of-N^2: the whole command against rapidfuzz on all pairs, with the pairs and the count of distances.

    python -m tests.bench pairing                           made-up responses
    python -m tests.bench.pairing CANDIDATES [TOKENIZER]    your own, by their own rewards

The peer only measures; it neither reads nor writes, and has the token ids beforehand.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.timing import say, timed

ROUNDS = 3
SIZES = ((800, 20), (60, 56))
"""Prompts, and responses to each."""

Pools = list[tuple[list[list[int]], list[str], list[float]]]
"""Per prompt the token ids, the texts and the rewards of its responses."""


def make_candidates(path: Path, prompts: int, responses: int) -> None:
    """Responses of some hundred words that a prompt's topic makes alike, by models some of which are better."""
    import numpy as np
    import polars as pl

    drawn = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(8000)])
    texts, rewards = [], []
    for _ in range(prompts):
        topic = drawn.integers(200, words.size, 150)
        own = []
        for length in (20 + drawn.gamma(1.5, 200.0, responses)).astype(int):
            # Half of the words are the language's, the commonest first; half are the topic's.
            common, special = np.minimum(drawn.zipf(1.3, length), 200) - 1, topic[drawn.integers(0, topic.size, length)]
            own.append(" ".join(words[np.where(drawn.random(length) < 0.5, common, special)]))
        texts.append(own)
        rewards.append(drawn.normal(0, 2, responses).tolist())
    table = {"prompt": [f"prompt {i}" for i in range(prompts)], "responses": texts, "rewards": rewards}
    pl.DataFrame(table).write_parquet(path)


def pools_of(path: Path, tokenizer: str) -> Pools:
    """The candidates, tokenised."""
    import polars as pl

    from curate.readers import detect, first_rows, open_source
    from curate.tokens import open_text_tokenizer

    opened, layout = open_text_tokenizer(tokenizer), detect(first_rows(open_source((str(path),))), "candidates")
    records = [layout.parse(row) for row in pl.read_parquet(path).to_dicts()]
    return [(opened.encode(r.responses), list(r.responses), list(r.measured["reward"])) for r in records]


def all_pairs(pools: Pools) -> list[dict[tuple[int, int], int]]:
    """The edit distance of every two responses to a prompt."""
    from rapidfuzz.distance import Levenshtein

    return [
        {(i, j): Levenshtein.distance(ids[i], ids[j]) for i in range(len(ids)) for j in range(i)} for ids, _, _ in pools
    ]


def best_pairs(pools: Pools, distances: list[dict[tuple[int, int], int]]) -> list[tuple[int, int]]:
    """The pair of highest dcrm of each prompt that has one, by looking at all; ties by larger margin, lower places."""
    import math

    found = []
    for (ids, texts, rewards), between in zip(pools, distances, strict=True):
        every = []
        for i in range(len(ids)):
            for j in range(len(ids)):
                margin = rewards[i] - rewards[j]
                if margin > 0 and texts[i] != texts[j]:
                    edits = between[max(i, j), min(i, j)]
                    every.append((-0.5 * math.tanh(margin / 2) / (edits + 1.0), -margin, i, j))
        found += [min(every)[2:]] if every else []
    return found


def compare(name: str, path: Path, tokenizer: str) -> None:
    """Time both in turn; print the median ratio, the count of distances, and whether the pairs are the same."""
    import polars as pl
    import pyarrow.parquet as pq

    pools = pools_of(path, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pairs.parquet"
        options = ["--tokenizer", tokenizer, "-o", str(out), "-q"]
        command = [sys.executable, "-m", "curate", "pair", str(path), "--best-of-n2", *options]
        taken = [
            (timed(lambda: subprocess.run(command, check=True)), timed(lambda: all_pairs(pools))) for _ in range(ROUNDS)
        ]
        picked = pl.read_parquet(out, columns=["chosen_index", "rejected_index"]).rows()
        counted = json.loads(pq.read_schema(out).metadata[b"curate"])["edit_distances"]
    ratios = [theirs / ours for ours, theirs in taken]
    ours, theirs = (statistics.median(column) for column in zip(*taken, strict=True))
    fewer = counted["pairs"] / counted["measured"]
    same = "the same pairs" if picked == best_pairs(pools, all_pairs(pools)) else "OTHER PAIRS"
    say(
        f"pairing {name}: {statistics.median(ratios):.2f}x rapidfuzz on all pairs of id lists ({min(ratios):.2f} to "
        f"{max(ratios):.2f}; {ours:.2f} s against {theirs:.2f} s); {counted['measured']:,} of {counted['pairs']:,} "
        f"distances, {fewer:.0f} times fewer, {counted['broken_off']:,} comparisons broken off; {same}"
    )


def main() -> None:
    """Compare on made-up responses."""
    with tempfile.TemporaryDirectory() as folder:
        for prompts, responses in SIZES:
            path = Path(folder) / f"{responses}.parquet"
            make_candidates(path, prompts, responses)
            compare(f"{prompts} x {responses}", path, "words")


if __name__ == "__main__":
    compare(Path(sys.argv[1]).name, Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "words")

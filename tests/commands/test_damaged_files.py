"""Every command that reads tables, on files that are damaged behind their first rows."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

ROWS = 900
COMMANDS = {
    "inspect": ["inspect", "FILE"],
    "score": ["score", "FILE", "-o", "out/o.parquet"],
    "select": ["select", "FILE", "--by", "x", "--top", "10%", "-o", "out/o.parquet", "--left-out", "out/n.parquet"],
    "select --where": ["select", "FILE", "--where", "x > 2", "--one-per-prompt", "-o", "out/o.parquet"],
    "weigh": ["weigh", "FILE", "--method", "repo", "-o", "out/o.parquet"],
    "export": ["export", "FILE", "--to", "trl", "--keep-scores", "-o", "out/o"],
    "pair": ["pair", "FILE", "--strategy", "max-min", "-o", "out/o.parquet"],
    "generate": ["generate", "FILE", "--policy", "fake:1", "-n", "1", "-o", "out/o.parquet"],
    "run": ["run", "recipe.yaml", "--set", "data=FILE", "-o", "out/run"],
}
RECIPE = """
name: small
about: Score.
inputs:
  data: d.jsonl
steps:
  - run: score
    with:
      data: ${inputs.data}
"""


def rows():
    names = (
        "policy_chosen_logps",
        "policy_rejected_logps",
        "chosen_tokens",
        "rejected_tokens",
        "x",
        "score_chosen",
        "score_rejected",
    )
    values = np.random.default_rng(0).normal(size=(ROWS, len(names)))
    texts = [{"prompt": f"prompt {i}", "chosen": f"yes {i}", "rejected": f"no {i}"} for i in range(ROWS)]
    return [text | dict(zip(names, map(float, row), strict=True)) for text, row in zip(texts, values, strict=True)]


def lines():
    return "".join(json.dumps(row) + "\n" for row in rows()).encode()


def page(path: Path) -> None:
    """Overwrite pages of every column's last row group."""
    pq.write_table(pa.Table.from_pylist(rows()), path, row_group_size=300)
    content = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(2)
    for number in range(group.num_columns):
        place = group.column(number).data_page_offset
        content[place : place + 12] = b"\xff" * 12
    path.write_bytes(content)


def cut_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows()), path)
    path.write_bytes(path.read_bytes()[:-3000])


def arrow(path: Path) -> None:
    """Offsets of the last batch's texts that point far outside of the file."""
    table = pa.Table.from_pylist(rows())
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=300)
        writer.write_table(table.slice(0, 2).set_column(0, "prompt", pa.array(["12345", "1234567"])))
    content, offsets = path.read_bytes(), np.array([0, 5, 12], np.int32).tobytes()
    assert content.count(offsets) == 1
    path.write_bytes(content.replace(offsets, np.array([0, 1 << 29, 1 << 30], np.int32).tobytes()))


def cut_gz(path: Path) -> None:
    path.write_bytes(gzip.compress(lines())[:-2000])


def changed_gz(path: Path) -> None:
    content = bytearray(gzip.compress(lines()))
    content[-2000] ^= 1
    path.write_bytes(content)


def bad_zst(path: Path) -> None:
    content = bytearray(pa.compress(lines(), codec="zstd", asbytes=True))
    path.write_bytes(content[:-2000])


def cut_array(path: Path) -> None:
    path.write_text(json.dumps(rows())[:-2000])


DAMAGED = {
    "page.parquet": page,
    "cut.parquet": cut_parquet,
    "offsets.arrow": arrow,
    "cut.jsonl.gz": cut_gz,
    "changed.jsonl.gz": changed_gz,
    "cut.jsonl.zst": bad_zst,
    "cut.json": cut_array,
}


def test_one_changed_bit_in_any_page_of_our_own_output_is_noticed(curate, tmp_path, monkeypatch):
    """Without checksums of pages, most such bits of compressed numbers give other numbers."""
    monkeypatch.chdir(tmp_path)
    Path("d.jsonl").write_bytes(lines())
    assert curate("score", "d.jsonl", "-o", "s.parquet")[0] == 0
    whole, group = Path("s.parquet").read_bytes(), pq.read_metadata("s.parquet").row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    found = next(one for one in columns if one.path_in_schema == "reward_margin")
    start = found.dictionary_page_offset or found.data_page_offset
    noticed = 0
    for place in range(start + found.total_compressed_size - 400, start + found.total_compressed_size, 40):
        changed = bytearray(whole)
        changed[place] ^= 1
        Path("s.parquet").write_bytes(changed)
        code, _, err = curate("select", "s.parquet", "--by", "reward_margin", "--top", "10%", "-o", "out.parquet")
        noticed += code == 2 and "The file cannot be read" in err
    assert noticed == 10


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_an_error_of_three_lines_and_leaves_nothing(curate, tmp_path, monkeypatch, name, command):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("recipe.yaml").write_text(RECIPE)
    DAMAGED[name](Path(name))
    code, _, err = curate(*[word.replace("FILE", name) for word in COMMANDS[command]])
    said = [line for line in err.splitlines() if line.startswith(("error:", "where:", "  try:"))]
    assert (code, len(said)) == (2, 3), err
    assert "The file cannot be read" in said[0] and name in said[1], said
    left = [path for path in Path("out").rglob("*") if path.is_file() and ".work/" not in str(path)]
    assert left == []

import json
import subprocess
import sys

import polars as pl
import pytest

from curate.metrics.registry import all_metrics
from curate.version import __version__

MODELS = ("--policy", "fake:1", "--reference", "fake:2")


def test_the_three_fixed_spellings(curate, data):
    assert curate("score", "d.jsonl", "-o", "s.parquet", *MODELS)[0] == 0
    assert curate("select", "s.parquet", "-o", "t.parquet", "--by", "dcrm", "--top", "10%")[0] == 0
    assert curate("pair", "c.jsonl", "-o", "p.parquet", "--best-of-n2")[0] == 0
    assert [pl.read_parquet(data / f"{name}.parquet").height for name in "stp"] == [10, 1, 4]


def test_score_says_what_it_did(curate, data):
    with (data / "d.jsonl").open("a") as file:
        file.write("{broken\n")
    code, out, err = curate("score", "d.jsonl", "-o", "s.parquet", "--reward", "fake:3", *MODELS)
    assert code == 0
    assert "11 rows in (explicit), 10 pairs scored, 1 unusable." in out
    assert "s.rejects.parquet" in out
    assert "wrote s.parquet" in out
    assert "dcrm: distance edit_count+logp_sum, eps 1.0, scale 1.0" in out
    assert "rows/s" in err
    assert "tokens/s" in err


def test_generate_says_what_it_did(curate, data):
    (data / "p.jsonl").write_text('{"prompt": "one"}\n{"prompt": "two"}\n{"prompt": "one"}\n{"prompt": ""}\n')
    words = ("--policy", "fake:1", "--policy", "b=fake:2", "-n", "3", "--temperature", "0,0.5", "--temperature", "1")
    code, out, err = curate("generate", "p.jsonl", "-o", "o.parquet", *words)
    assert code == 0
    assert "4 rows in (prompts), 2 prompts sampled, 1 unusable." in out
    assert "1 unusable: the prompt is empty" in out
    lines = [line.split()[:3] for line in out.splitlines() if line.startswith((" fake:1", " b "))]
    assert lines == [[m, t, n] for m in ("fake:1", "b") for t, n in (("0", "2"), ("0.5", "6"), ("1", "6"))]
    assert "wrote o.parquet" in out
    assert "drawn once" in err
    assert pl.read_parquet(data / "o.parquet")["models"][0].unique(maintain_order=True).to_list() == ["fake:1", "b"]


def test_score_says_how_judging_went(curate, data):
    code, out, err = curate("score", "d.jsonl", "-o", "s.parquet", "--reward", "j=judge:fake:4")
    assert code == 0
    assert "judge j: " in out
    assert " rated" in out
    assert "judge 'fake:4'" in err


def test_select_says_what_it_did(curate, data):
    curate("score", "d.jsonl", "-o", "s.parquet")
    code, out, _ = curate("select", "s.parquet", "-o", "t.parquet", "--by", "reward_margin", "--top", "20%")
    assert code == 0
    assert "2 of 10 rows kept by reward_margin, highest first, down to 2." in out
    assert "8 left out: not within --top 20%" in out


def test_select_says_which_end_it_kept(curate, data):
    curate("score", "d.jsonl", "-o", "s.parquet")
    for end, said in (("--bottom", "from the worst end"), ("--middle", "from the middle")):
        _, out, _ = curate("select", "s.parquet", "-o", "t.parquet", "--by", "reward_margin", end, "2")
        assert f"2 of 10 rows kept by reward_margin, {said}." in out


def test_small_values_are_shown_with_four_digits_and_cuts_with_six(curate, data):
    # reward margin 2 against 199 words: (sigma(2) - 1/2) / (199 + 1) = 0.38079708 / 200 = 0.0019039854
    row = {"prompt": "p", "chosen": "a " * 199, "rejected": "b", "score_chosen": 2.0, "score_rejected": 0.0}
    (data / "one.jsonl").write_text(json.dumps(row) + "\n")
    _, out, _ = curate("score", "one.jsonl", "-o", "s.parquet")
    assert "0.001904" in next(line for line in out.splitlines() if line.startswith(" dcrm"))
    _, out, _ = curate("select", "s.parquet", "-o", "t.parquet", "--by", "dcrm", "--top", "1")
    assert "down to 0.00190399." in out


def test_select_says_what_its_preset_is(curate, data):
    curate("score", "d.jsonl", "-o", "s.parquet", *MODELS)
    code, out, _ = curate("select", "s.parquet", "-o", "t.parquet", "--preset", "easy-first", "--top", "20%")
    assert code == 0
    assert "2 of 10 rows kept by dpo_margin, highest first" in out
    assert "preset easy-first (SelectiveDPO, arXiv 2502.09650)." in out
    assert "rows keep the input's order" in out


def test_pair_compares_new_and_old_pairs(curate, data):
    code, out, _ = curate("pair", "c.jsonl", "-o", "p.parquet", "--best-of-n2")
    assert code == 0
    assert "4 prompts, 4 pairs, 0 without a pair." in out
    for word in ("max-min pairs", "new pairs", "dcrm", "reward_margin", "edit_distance_norm", "length_difference"):
        assert word in out
    assert "pairs in the data" in curate("pair", "d.jsonl", "-o", "q.parquet")[1]


@pytest.mark.parametrize(
    "words",
    [
        ("score", "d.jsonl", "-o", "s.parquet", "--reward", "fake:3", *MODELS),
        ("pair", "c.jsonl", "-o", "s.parquet", "--best-of-n2"),
        ("generate", "d.jsonl", "-o", "s.parquet", "--policy", "fake:1"),
        ("select", "d.jsonl", "-o", "s.parquet", "--by", "score_chosen", "--top", "2"),
    ],
)
def test_quiet_prints_nothing(curate, data, words):
    assert curate(*words, "--quiet") == (0, "", "")
    assert (data / "s.parquet").exists()


def test_version(curate):
    assert curate("--version")[:2] == (0, f"curate {__version__}\n")


@pytest.mark.parametrize(
    "command",
    ["", "generate", "score", "select", "pair", "weigh", "export", "run", "inspect", "recipes", "metrics", "demo"],
)
def test_every_command_has_help(curate, command):
    code, out, _ = curate(*([command] if command else []), "--help")
    assert code == 0
    assert "Usage" in out


def test_the_command_line_loads_nothing_heavy():
    heavy = "{'torch', 'polars', 'pyarrow', 'pydantic', 'numpy', 'transformers', 'datasets'}"
    code = f"import curate.cli, sys; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scoring_without_a_model_loads_no_torch(data):
    code = (
        "import sys; sys.argv = ['curate', 'score', 'd.jsonl', '-o', 's.parquet', '--policy', 'fake:1', '--quiet']\n"
        "from curate.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=data)
    assert done.stdout.strip() == "False"
    assert (data / "s.parquet").exists()


SEVERITIES = (["high"], ["medium"], ["low"])


def test_inspect_tells_layout_counts_and_problems(curate, data):
    with (data / "d.jsonl").open("a") as file:
        file.write('{"prompt": "question 0", "chosen": "same", "rejected": "same"}\n{broken\n')
        file.write('{"prompt": "question 0", "chosen": "same", "rejected": "same"}\n')
        file.write('{"prompt": "question 1", "chosen": "", "rejected": null}\n')
        file.write(
            '{"prompt": "q", "chosen": "a", "rejected": "I cannot help", "score_chosen": 1, "score_rejected": 1}'
        )
    code, out, _ = curate("inspect", "d.jsonl")
    assert code == 0
    lines = {line.split(maxsplit=1)[0]: line for line in out.splitlines() if line.strip()}
    assert "explicit" in lines["layout"]
    assert "13 usable, 2 not" in lines["rows"]
    assert "11 different" in lines["prompts"]
    assert "2: 13" in lines["responses"]
    assert "score_chosen, score_rejected" in lines["rewards"]
    found = [line.split(":")[0].split() for line in out.splitlines() if line.split()[:1] in SEVERITIES]
    # q's rewards are equal, and so are those of the rows 1, 5 and 9
    expected = ["high identical 2", "high duplicate 1", "medium tie 4", "medium refusal 1"]
    assert found == [line.split() for line in expected]
    assert "(d.jsonl:11, 13)" in next(line for line in out.splitlines() if "identical" in line)
    assert out.count("1 unusable:") == 2
    assert "d.jsonl" in out.split("unusable:")[-1]


def test_inspect_of_candidates(curate, data):
    code, out, _ = curate("inspect", "c.jsonl")
    assert code == 0
    assert "responses: prompt + responses" in out
    assert "a row: 3: 4" in out


def test_metrics_is_the_whole_catalogue(curate):
    code, out, _ = curate("metrics")
    assert code == 0
    assert all(name in out for name in all_metrics())


def test_one_metric_whole(curate):
    code, out, _ = curate("metrics", "dcrm")
    assert code == 0
    for word in (
        "(sigma(reward_margin / scale) - 0.5)",
        "eps=1.0",
        "scale=1.0",
        "2506.14157",
        "reads  reward_margin, edit_distance; where the table has them: ref_chosen_logps, ref_rejected_logps",
        "higher",
        "With counts and eps 1",
        "With normalised terms",
    ):
        assert word in out
    assert "weight=1.0 (with form=zscore)" in curate("metrics", "alignment_potential")[1]
    assert "lower" in curate("metrics", "dpo_gap")[1]

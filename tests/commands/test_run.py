import pytest

RECIPE = """\
name: small
about: Score and keep the best.
paper: {title: A paper, arxiv: 2502.14560, verified: this one thing, not_verified: that other thing}
inputs:
  data: {default: d.jsonl, about: some pairs}
  policy: {about: any model}
steps:
  - run: score
    with: {data: "${inputs.data}", policy: "${inputs.policy}", reference: fake:2}
  - run: select
    id: best
    with:
      data: ${steps.score}
      by: dpo_margin
      top: 20%
"""


@pytest.fixture
def place(data):
    (data / "r.yaml").write_text(RECIPE)
    return data


def test_a_run_says_what_each_step_did_and_where_all_is(curate, place):
    code, out, err = curate("run", "r.yaml", "--set", "policy=fake:1")
    assert code == 0
    assert "10 pairs scored" in out
    assert "2 of 10 rows kept by dpo_margin" in out
    assert out.rstrip().endswith("final output: small/02-best.parquet\nnext: curate show small/02-best.parquet")
    assert "note: step 2 of 2, best" in err
    assert sorted(path.name for path in (place / "small").iterdir()) == [
        "01-score.parquet",
        "02-best.parquet",
        "run.json",
    ]
    code, out, err = curate("run", "r.yaml", "--set", "policy=fake:1")
    assert code == 0
    assert "done before" in err
    assert "kept by" not in out
    assert out.count("(done before)") == 2


def test_settings_are_replaced(curate, place):
    words = ("run", "r.yaml", "-o", "o", "--set", "policy=fake:1", "--set", "best.top=50%", "--set", "data=d.jsonl")
    assert "5 of 10 rows kept" in curate(*words)[1]
    assert (place / "o" / "run.json").exists()


def test_quiet_prints_nothing(curate, place):
    assert curate("run", "r.yaml", "--set", "policy=fake:1", "--quiet") == (0, "", "")
    assert (place / "small" / "02-best.parquet").exists()


def test_a_plan_shows_paper_inputs_steps_and_costs(curate, place):
    code, out, err = curate("run", "r.yaml", "--plan")
    assert (code, err) == (0, "")
    for told in (
        "small: Score and keep the best.",
        "A paper (arXiv 2502.14560)",
        "verified: this one thing",
        "not verified: that other thing",
        "data  d.jsonl  (some pairs)",
        "policy  must be given  (any model)",
        "1. score d.jsonl -> 01-score.parquet (10 rows)",
        "2. best: select score -> 02-best.parquet (at most 2 rows); by dpo_margin, top 20%",
        "before this can run: --set policy=...",
        "output folder: small",
    ):
        assert told in out
    table = [line.split() for line in out.splitlines() if " fake:2 " in line]
    assert table[0][:4] == ["score", "fake:2", "reference", "20"]
    assert not (place / "small").exists()


def test_a_plan_without_its_data_says_so(curate, place):
    code, out, _ = curate("run", "r.yaml", "--plan", "--set", "data=hf://owner/data/train", "--set", "policy=fake:1")
    assert code == 0
    assert "The data is not here (hf://owner/data/train): figures are for 10,000 rows" in out


def test_code_of_others_is_named_in_the_plan(curate, place):
    out = curate("run", "r.yaml", "--plan", "--set", "score.reward=python:mine:score")[1]
    assert "note: score: runs the Python function mine:score." in out


WRONG = [
    (("d.jsonl",), "yaml"),
    (("none.yaml",), "none.yaml"),
    (("r.yaml",), "policy"),
    (("r.yaml", "--set", "policy=fake:1", "--set", "beast.top=5%"), "best"),
    (("r.yaml", "--set", "policy=fake:1", "--set", "best.tpo=5%"), "top"),
    (("r.yaml", "--set", "policy=fake:1", "--set", "best.by=dpo_marign"), "dpo_margin"),
    (("r.yaml", "--set", "policy=fake:1", "--set", "best.top"), "KEY=VALUE"),
    (("r.yaml", "--set", "policy=fake:1", "--set", "data=nowhere.jsonl"), "nowhere.jsonl"),
    (("r.yaml", "--set", "policy=./no/model"), "no/model"),
    (("r.yaml", "--set", "policy=fake:1", "-o", "d.jsonl"), "folder"),
    (("broken.yaml",), "line 3"),
    (("r.yaml", "--plan", "--set", "best.tpo=5%"), "top"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_three_lines_and_nothing_made(curate, place, words, told):
    (place / "broken.yaml").write_text("name: x\nsteps: [a, b\n")
    before = sorted(place.rglob("*"))
    code, out, err = curate("run", *words, "--quiet")
    assert code == 2
    assert out == ""
    assert [line[:6] for line in err.splitlines()] == ["error:", "where:", "  try:"], err
    assert told in err
    assert sorted(place.rglob("*")) == before

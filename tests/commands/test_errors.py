import pytest

SCORE = ("score", "d.jsonl", "-o", "o.parquet")
SELECT = ("select", "d.jsonl", "-o", "o.parquet")
GENERATE = ("generate", "d.jsonl", "-o", "o.parquet")
PAIR = ("pair", "c.jsonl", "-o", "o.parquet")

WRONG = [
    (("score", "nowhere.jsonl", "-o", "o.parquet"), "nowhere.jsonl"),
    (("score", "none-*.jsonl", "-o", "o.parquet"), "none-*.jsonl"),
    (("score", "odd.xyz", "-o", "o.parquet"), "odd.xyz"),
    (("score", "empty.jsonl", "-o", "o.parquet"), "empty.jsonl"),
    (("score", "other.jsonl", "-o", "o.parquet"), "alpha"),
    (("score", "torn.parquet", "-o", "o.parquet"), "torn.parquet"),
    (("score", "d.jsonl", "-o", "o.csv"), "o.csv"),
    (("score", "d.jsonl", "-o", "d.jsonl/o.parquet"), "d.jsonl"),
    ((*SCORE, "--set", "dcrm"), "dcrm"),
    ((*SCORE, "--set", "nothing.eps=1"), "nothing"),
    ((*SCORE, "--set", "dcrm.epz=1"), "eps"),
    ((*SCORE, "--set", "dcrm.eps=zero"), "eps"),
    ((*SCORE, "--set", "dcrm.eps=1", "--set", "dcrm.eps=2"), "twice"),
    ((*SCORE, "--set", "length_ratio.eps=1"), "no parameter"),
    ((*SCORE, "--set", "dcrm.distance=embedding"), "--embedder"),
    ((*SCORE, "--set", "dcrm.distance=moon"), "moon"),
    ((*SCORE, "--set", "dcrm.distance="), "dcrm"),
    ((*SCORE, "--reward", "columns:a,b"), "a"),
    ((*SCORE, "--reward", "columns:score_chosen"), "CHOSEN,REJECTED"),
    ((*SCORE, "--reward", "python:nothing"), "python:"),
    ((*SCORE, "--reward", "python:no_such_module_at_all:f"), "no_such_module_at_all"),
    ((*SCORE, "--policy", "./no/model"), "no/model"),
    ((*SCORE, "--policy", "http://localhost:8000"), "#NAME"),
    ((*SCORE, "--tensor-parallel", "2"), "--backend=vllm"),
    ((*SCORE, "--reward-head", "score"), "--reward"),
    ((*SCORE, "--tokenizer", "./no/model"), "no/model"),
    ((*SCORE, "--embedder", "./no/model"), "no/model"),
    ((*SCORE, "--strict"), ""),
    ((*SCORE, "--gpus", "some"), "0,2"),
    ((*SCORE, "--gpus", "0"), "--device=cuda:N"),
    ((*SCORE, "--gpus", "1,1"), "0,2"),
    ((*SCORE, "--gpus", "2", "--workers", "2"), "--workers 2"),
    ((*SCORE, "--gpus", "2", "--device", "cuda:1"), "--device cuda:1"),
    ((*SCORE, "--workers", "2", "--device", "cuda"), "--device=cpu"),
    (("select", "d.jsonl", "-o", "d.jsonl", "--by", "score_chosen", "--top", "1"), "d.jsonl"),
    (SELECT, "--top"),
    ((*SELECT, "--top", "10%"), "--by"),
    ((*SELECT, "--by", "dcrm", "--top", "10%"), "dcrm"),
    ((*SELECT, "--by", "score_chose", "--top", "10%"), "score_chosen"),
    ((*SELECT, "--by", "score_chosen", "--top", "ten"), "ten"),
    ((*SELECT, "--by", "score_chosen", "--top", "1", "--bottom", "1"), "--bottom"),
    ((*SELECT, "--where", "(select 1)"), "query"),
    ((*SELECT, "--where", "nothing\n> 1"), "nothing"),
    ((*GENERATE, "--policy", "fake:1", "--temperature", "hot"), "hot"),
    ((*GENERATE, "--policy", "fake:1", "--policy", "fake:1"), "NAME=MODEL"),
    (("generate", "other.jsonl", "-o", "o.parquet", "--policy", "fake:1"), "alpha"),
    ((*PAIR, "--by", "nothing"), "nothing"),
    ((*PAIR, "--by", "simpo_margin"), "--policy"),
    ((*PAIR, "--best-of-n2", "--strategy", "max-min"), "--strategy"),
    ((*PAIR, "--strategy", "max-min", "--set", "max_min.eta=1"), "eta"),
    ((*PAIR, "--min-margin", "99"), "pair"),
    (("metrics", "dcrn"), "dcrm"),
    (("inspect", "nowhere.jsonl"), "nowhere.jsonl"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(words).replace("\n", " ") for words, _ in WRONG])
def test_three_lines_and_nothing_at_out(curate, data, words, told):
    (data / "odd.xyz").write_text("a")
    (data / "empty.jsonl").write_text("")
    (data / "other.jsonl").write_text('{"alpha": 1, "beta": 2}\n')
    (data / "torn.parquet").write_bytes(b"PAR1 torn")
    if "--strict" in words:
        (data / "d.jsonl").write_text((data / "d.jsonl").read_text() + "{broken\n")
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    code, out, err = curate(*words, *(["--quiet"] if words[0] not in ("metrics",) else []))
    lines = err.splitlines()
    assert code == 2
    assert out == ""
    assert [line[:6] for line in lines] == ["error:", "where:", "  try:"], err
    assert all(len(line) > 7 for line in lines)
    assert told in err
    assert "Traceback" not in err
    left = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    assert left == before


def test_a_missing_extra_gives_the_install_line(curate, data, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "vllm" else real(name, *rest))
    for words in (SCORE, PAIR):
        code, _, err = curate(*words, "--backend", "vllm")
        assert code == 2
        assert "pip install 'curate-preferences[vllm]'" in err
        assert len(err.splitlines()) == 3
    assert not (data / "o.parquet").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("score", "d.jsonl"),
        (*SCORE, "--nothing"),
        (*SCORE, "--dtype", "float8"),
        (*SCORE, "--max-length", "0"),
        (*PAIR, "--strategy", "luck"),
        (*PAIR, "--per-prompt", "0"),
        ("nothing",),
    ],
)
def test_mistyped_commands_exit_2_without_a_traceback(curate, data, words):
    code, _, err = curate(*words)
    assert code == 2
    assert err
    assert "Traceback" not in err
    assert not (data / "o.parquet").exists()


def test_an_interrupt_exits_130(curate, data, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("curate.jobs.score.measure_responses", interrupted)
    code, _, err = curate(*SCORE)
    assert code == 130
    assert "Traceback" not in err
    assert not (data / "o.parquet").exists()


def test_a_defect_of_ours_keeps_its_traceback(curate, data, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("curate.jobs.score.measure_responses", broken)
    with pytest.raises(ZeroDivisionError):
        curate(*SCORE)


def test_fresh_gets_over_unfinished_work(curate, data, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curate.jobs.score.measure_responses", interrupted)
        assert curate(*SCORE)[0] == 130
    code, _, err = curate(*SCORE, "--policy", "fake:1")
    assert code == 2
    assert "--fresh" in err
    assert len(err.splitlines()) == 3
    assert curate(*SCORE, "--policy", "fake:1", "--fresh")[0] == 0

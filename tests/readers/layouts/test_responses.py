import pytest

from curate.readers import detect


@pytest.mark.parametrize("texts", ["responses", "generations", "candidates"])
@pytest.mark.parametrize("scores", ["rewards", "scores", "ratings"])
def test_aliases(layouts, texts, scores):
    row = {"instruction": "q", texts: ["a", "b"], scores: [1, 2]}
    assert detect([row]) == layouts["responses"]
    record = layouts["responses"].parse(row)
    assert record.prompt == ({"role": "user", "content": "q"},) and record.measured == {"reward": (1.0, 2.0)}


def test_several_turns(layouts):
    prompt = [{"role": role, "content": role[0]} for role in ("user", "assistant", "user")]
    record = layouts["responses"].parse({"prompt": prompt, "responses": ["a"]})
    assert record.prompt == tuple(prompt) and record.responses == ("a",) and record.measured == {}


def test_scores_of_data_that_is_both(layouts):
    row = {"input": "q", "generations": ["a", "b"], "rating": [1, 5], "chosen": "b", "rejected": "a", "chosen_score": 5}
    assert detect([row], "pairs") == layouts["explicit"]
    record = detect([row]).parse(row)
    assert record.pair == (1, 0) and record.measured == {"reward": (1.0, 5.0)}

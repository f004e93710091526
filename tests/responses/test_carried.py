import pytest

from curate.responses.carried import describes_responses


@pytest.mark.parametrize(
    "name",
    [
        *("response_a", "Response B", "conversation_1", "winner", "winner_model_a", "preference_strength", "choice"),
        *("score_a", "response_0_reward", "rank_2", "model_a", "Chosen", "rejected_response", "completions", "ranks"),
    ],
)
def test_columns_that_would_be_read_as_responses_are_not_carried(name):
    assert describes_responses(name)


@pytest.mark.parametrize(
    "name", ["operating_system", "difficulty_score", "id", "source", "model_name", "ranked_by", "system"]
)
def test_other_columns_are_carried(name):
    assert not describes_responses(name)

"""Column names that data sets use for the same thing, in order of preference."""

from __future__ import annotations

import re

_NOUNS = ("response", "answer", "completion", "output")
_MORE_NOUNS = (*_NOUNS, "text", "reply", "message", "generation", "summary")
_WORDS = (
    *((("chosen", "rejected"), _MORE_NOUNS), (("accepted", "rejected"), _MORE_NOUNS)),
    *((("preferred", "rejected"), _NOUNS), (("preferred", "dispreferred"), _NOUNS)),
    *((("preferred", "non_preferred"), _NOUNS), (("better", "worse"), _NOUNS), (("good", "bad"), _NOUNS)),
    *((("winning", "losing"), _NOUNS), (("winner", "loser"), _NOUNS), (("win", "lose"), _NOUNS)),
    (("positive", "negative"), _NOUNS),
)
SIDES = (
    ("chosen", ("rejected", "reject", "rejected_response")),
    ("accepted", ("rejected",)),
    ("accept", ("reject",)),
    ("preferred", ("rejected", "dispreferred", "non_preferred")),
    *((f"{good}_{noun}", (f"{bad}_{noun}",)) for (good, bad), nouns in _WORDS for noun in nouns),
    *((f"{noun}_{good}", (f"{noun}_{bad}",)) for (good, bad), nouns in _WORDS for noun in nouns),
    ("response_j", ("response_k",)),
    ("response_w", ("response_l",)),
)
"""The preferred response, and the other one; `response_j` is preferred in the pairs made of StackExchange."""
WORDS_OF_SIDES = (
    *(("winner", "loser"), ("win", "lose"), ("winning", "losing"), ("positive", "negative"), ("pos", "neg")),
    *(("y_w", "y_l"), ("yw", "yl"), ("better", "worse"), ("good", "bad"), ("selected", "rejected")),
    *(("chosen", "unchosen"), ("chosen", "not_chosen")),
)
"""The same in words that may also be counts or models: only texts next to a prompt are sides."""
CHOSEN = tuple(chosen for chosen, _ in SIDES)
REJECTED = tuple(dict.fromkeys(name for _, others in SIDES for name in others))

PROMPT = ("prompt", "question")
INSTRUCTION, INPUT = "instruction", "input"
LATE_PROMPT = ("query", "problem", "user_prompt", "user_input", "prompt_text", "question_text")
PROMPTS = (*PROMPT, INSTRUCTION, INPUT, *LATE_PROMPT)
"""Columns that may hold the prompt; only one does, and the others must be part of it."""

CONVERSATIONS = ("conversations", "messages", "conversation", "trajectory", "contents")
CONTEXT = ("context",)
SYSTEM = ("system", "system_prompt", "system_message", "system_instruction", "sys_prompt")
HISTORY = (
    *("history", "chat_history", "conversation_history", "dialogue_history", "dialog_history", "previous_turns"),
    *("previous_messages", "past_messages", "past_turns", "dialogue", "dialog"),
)
PASSAGES = ("passage", "document")
"""Texts that a prompt is about, and must contain."""

UNREAD = {
    "tools": (
        *("tools", "functions", "available_tools", "tool_definitions", "tool_schemas"),
        *("available_functions", "function_definitions", "function_schemas"),
    ),
    "documents": ("documents", "passages"),
    "images": (
        *("image", "images", "image_path", "image_paths", "image_url", "image_urls", "image_bytes", "pixel_values"),
        *("video", "videos", "video_path", "audio", "audios", "audio_path", "frames"),
    ),
    "a beginning of the response": (
        *("initial_reason_steps", "response_prefix", "assistant_prefix", "prefill", "partial_response"),
    ),
}
"""Columns that shape what the model reads, but do not fit into a conversation of texts."""
UNREAD_NAMES = {name: what for what, names in UNREAD.items() for name in names}

RESPONSES = ("responses", "generations", "candidates", "completions", "outputs")
ONE_ANSWER = ("completion", "response", "output", "answer", "text", "generation")
"""The only response of a row."""
ONE_SCORE = ("reward", "score", "rating", "rm_score", "overall_score", "helpfulness", "rank")
"""Its score. Of HelpSteer's five attributes, helpfulness is the one that its authors make preferences from."""
REWARDS = ("rewards", "scores", "ratings", "rating")
RANKS = ("ranks", "rankings", "rank")
SIMPO_RESPONSES, SIMPO_REWARDS = "all_generated_responses", "all_rm_scores"
ANSWERS = ("answers", "summaries", *RESPONSES)
"""Lists with one mapping per response, which includes its score."""

REWARD_PAIRS = (
    ("chosen_reward", "rejected_reward"),
    ("reward_chosen", "reward_rejected"),
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
    ("rating_chosen", "rating_rejected"),
    ("scores_chosen", "scores_rejected"),
    ("chosen_rm_score", "rejected_rm_score"),
    *((f"{word}_chosen", f"{word}_rejected") for word in ("rm_score", "rewards", "ratings", "overall_score")),
    *((f"chosen_{word}", f"rejected_{word}") for word in ("rewards", "scores", "ratings", "overall_score")),
    *((f"chosen_{word}", f"rejected_{word}") for word in ("avg_rating", "avg_score", "rm_reward")),
)
"""Rewards of a pair's sides."""

SIGNED = ("preference_strength", "overall_preference")
"""Below 0 the first response is better; above 0 the second."""
VERDICTS = (
    *("winner", "preference", "preferred", "preferred_response", "better_response_id", "better_response", "better"),
    *("choice", "chosen", "accepted", "label", "labels", "vote", "verdict", "human_preference", "orig_preference"),
)
"""Which of two responses is better, as a word or a number."""
TURN = "turn"

BOTH_POSITIONS = tuple(
    (f"{good}_{word}", f"{bad}_{word}")
    for good, bad in (("chosen", "rejected"), ("winner", "loser"), ("best", "worst"), ("preferred", "rejected"))
    for word in ("index", "idx")
)
"""Positions of both sides in a list of responses."""
POSITIONS = (
    *(f"{good}_{word}" for good in ("best", "chosen", "winner", "preferred", "better") for word in ("index", "idx")),
    *("best_response_index", "best_response_idx"),
)
"""Where the better of two responses is."""

KNOWN = frozenset(
    {
        *(*CHOSEN, *REJECTED, *PROMPTS, *CONVERSATIONS, *CONTEXT, *PASSAGES, *SYSTEM, *HISTORY, *UNREAD_NAMES),
        *(*ANSWERS, *REWARDS, *RANKS, *SIGNED, *VERDICTS, TURN, SIMPO_RESPONSES, SIMPO_REWARDS),
        *(name for names in (*REWARD_PAIRS, *BOTH_POSITIONS) for name in names),
        *POSITIONS,
        *(f"winner_{label}" for label in ("a", "b", "model_a", "model_b", "tie")),
    }
)

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BETWEEN = re.compile(r"[\s\-.]+")


def folded(name: str) -> str:
    """A column name in lower case with underscores: `Chosen Response` and `chosenResponse` become the same."""
    return _BETWEEN.sub("_", _CAMEL.sub("_", name.strip())).lower()

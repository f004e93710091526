"""Pairs whose texts are hard to carry, and a reading of what every trainer should make of them."""

from __future__ import annotations

from typing import Any

LONG = "All work and no play makes Jack a dull boy. " * 59 + "The end"


def says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


ASKED = [says("user", "Is it so?")]
SYSTEM = [says("system", "Be brief.\n"), says("user", "1+1?")]
TURNS = [
    *SYSTEM,
    says("assistant", "2"),
    says("user", "And one more?  "),
    says("assistant", " 3 "),
    says("user", "\tSure?"),
]
TEXTS: dict[str, tuple[list[dict[str, str]], str, str]] = {
    "plain": (ASKED, "It is so.", "It is not."),
    "date": (ASKED, "2020-01-01", "2021-12-31 10:00:00"),
    "date in the prompt": ([says("user", "2020-01-01")], "A date.", "A word."),
    "object": (ASKED, '{"role": "assistant", "content": [1, 2.0, null]}', '["a", "b"]'),
    "scalar": (ASKED, "null", "true"),
    "number": (ASKED, "12345678901234567890", "1e5"),
    "media": (ASKED, "See <image> and <video>.", "Hear <audio>."),
    "media in the prompt": ([says("user", "What is in <image>?")], "A cat.", "A dog."),
    "unicode": (ASKED, "Katze \U0001f408\u200d\u2b1b \u0627\u0644 \u00e9 e\u0301 \u2028 end", "\u732b\uff1f"),
    "space before": (ASKED, "  yes", "no  way"),
    "space after": (ASKED, "yes it is \n", "no way\n\n"),
    "blank": (ASKED, "yes it is", "  \n"),
    "empty": (ASKED, "", "no way"),
    "same": (ASKED, "yes it is", "yes it is"),
    "long": (ASKED, LONG + ".", LONG),
    "turns": (TURNS, "Quite sure.", "Not quite."),
    "system": (SYSTEM, "Two.", "It is three."),
    "no user last": ([*ASKED, says("assistant", "Well,")], "it is.", "it is not."),
    "assistant first": ([says("assistant", "Hello."), *ASKED], "It is.", "It is not."),
    "user twice": ([*ASKED, says("user", "Tell me!")], "It is.", "It is not."),
    "role": (ASKED, "user", "assistant"),
    "dummy": (ASKED, "dummy", "[[dummy_message]]"),
    "letter": (ASKED, "a", "b"),
    "thought": (ASKED, "<think>\nHm.\n</think>\n\nYes it is.", "No way."),
    "braces": ([says("user", "Print {{idx}} {{content}} {prompt}")], "{0} %s {{content}} {{idx}}", "${HOME} `id`"),
    "quotes": (ASKED, "'It's \"so\"' \\n \\u0041 $MODEL", "\\"),
    "markup": ([says("user", "What does <|im_end|> mean?")], "The end of a turn: <|im_start|>user", "Nothing </s>."),
}


def table() -> list[dict[str, Any]]:
    """The pairs as rows of an explicit layout, each with its name in `source`."""
    return [
        {
            "prompt": prompt,
            "chosen": [says("assistant", chosen)],
            "rejected": [says("assistant", rejected)],
            "chosen_reward": 1.5,
            "rejected_reward": -0.5,
            "source": name,
        }
        for name, (prompt, chosen, rejected) in TEXTS.items()
    ]

import pytest

from curate.errors import RowError
from curate.readers.parts.markup import closed, ending, parse_markup, template_of

SYSTEM, USER = {"role": "system", "content": "s"}, {"role": "user", "content": "q"}
ANSWER, OPEN = {"role": "assistant", "content": "a"}, {"role": "assistant", "content": ""}

WRITTEN = {
    "ChatML": "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\nq<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\na<|eot_id|>",
    "Llama 4": "<|begin_of_text|><|header_start|>system<|header_end|>\n\ns<|eot|><|header_start|>user<|header_end|>\n\n"
    "q<|eot|><|header_start|>assistant<|header_end|>\n\na<|eot|>",
    "Granite": "<|start_of_role|>system<|end_of_role|>s<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>q"
    "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>a<|end_of_text|>\n",
    "Zephyr": "<|system|>\ns</s>\n<|user|>\nq</s>\n<|assistant|>\na</s>\n",
    "Llama 2": "<s>[INST] <<SYS>>\ns\n<</SYS>>\n\nq [/INST] a </s>",
    "NeMo": "<extra_id_0>System\ns\n<extra_id_1>User\nq\n<extra_id_1>Assistant\na\n",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_templates(name):
    template = template_of(WRITTEN[name])
    assert template is not None and template.name == name
    assert parse_markup(WRITTEN[name], template) == [SYSTEM, USER, ANSWER]


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        ("<start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\n", [USER, OPEN]),
        ("<bos><start_of_turn>user\nq<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n", [USER, ANSWER]),
        ("<\uff5cUser\uff5c>q<\uff5cAssistant\uff5c>", [USER, OPEN]),
        ("<|user|>\nq<|end|>\n<|assistant|>\n", [USER, OPEN]),
        ("[INST] q [/INST] a </s><s>[INST] q [/INST]", [USER, ANSWER, USER, OPEN]),
        ("q\n\n<extra_id_1>Assistant\na\n\n<extra_id_1>User\nq", [USER, ANSWER, USER]),
    ],
)
def test_templates_without_a_system_message(text, turns):
    template = template_of(text)
    assert template is not None and parse_markup(text, template) == turns


@pytest.mark.parametrize(
    "text", ["", "q", "What does <|im_start|> mean?", "[1, 2]", "<b>bold</b>", "[/INST] q", "x [INST] q [/INST]"]
)
def test_other_texts_have_no_template(text):
    assert template_of(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<|im_start|>poet\nq<|im_end|>", "poet"),
        ("<|im_start|>user\nq<|im_end|>\nand more<|im_end|>", "within a turn"),
        ("[INST] q", "not closed"),
        ("[INST] q [/INST] [INST] r [/INST]", "is empty"),
    ],
)
def test_broken_markup(text, reason):
    template = template_of(text)
    assert template is not None
    with pytest.raises(RowError, match=reason):
        parse_markup(text, template)


def test_a_response_is_closed_once():
    template = template_of(WRITTEN["ChatML"])
    assert template is not None and closed("\na<|im_end|>\n", template) == "a"
    with pytest.raises(RowError, match="within a turn"):
        closed("a<|im_end|>\n<|im_start|>user\nq", template)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a<|im_end|>\n", "<|im_end|>"),
        ("a</s>", "</s>"),
        ("<s>a</s>", None),
        ("a <|im_end|> b", None),
        ("<b>a</b>", None),
        ("", None),
    ],
)
def test_endings(text, found):
    assert ending(text) == found

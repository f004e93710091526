"""Axolotl: its `chat_template.default` form of DPO data. Read with 0.19's own schema and dataset code.

It renders each response after a dummy user turn, looks for the response's first occurrence in the result, and keeps
the text from there on, without trailing whitespace. So it misreads a response that also occurs earlier (the name of
a role, a word of the template's own system message, a number of its date), and keeps only the last character of a
response that the template changed (whitespace trimmed, thoughts removed). Export knows no template: it refuses what
common ones break.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate.errors import RowError
from curate.exporters.conversations import MESSAGE, MESSAGES, answers, context
from curate.exporters.registry import Exporter, Pair, Row, Written

DUMMY = "[[dummy_message]]"
BEFORE = tuple(
    text.replace("@", DUMMY)
    for text in (
        "<s><|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n@<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "<s><|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n",
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n@<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|begin_of_text|><|header_start|>user<|header_end|>\n\n@<|eot|><|header_start|>assistant<|header_end|>\n\n",
        "<bos><start_of_turn>user\n@<end_of_turn>\n<start_of_turn>model\n",
        "<s> [INST] @ [/INST] ",
        "<s>[INST]@[/INST] ",
        "<|system|>\nYou are a helpful assistant.<|end|>\n<|user|>\n@<|end|>\n<|assistant|>\n",
        "<|endoftext|><|user|>\n@</s>\n<|assistant|>\n",
        "<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cUser\uff5c>@<\uff5cAssistant\uff5c><think>\n",
        "<s>### Instruction:\n@\n\n### Response:\n",
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions. USER: @ ASSISTANT: ",
        "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|>@<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
        "January February March April May June July August September October November December ",
        "Human: user: assistant: ",
    )
)
"""What common chat templates write before a response: the dummy user turn, and their own system message."""
THOUGHT = "</think>"


def _rows(pair: Pair) -> list[Row]:
    for text in (pair.chosen, pair.rejected):
        _check(text)
    chosen, rejected = answers(pair)
    return [{"messages": context(pair), "chosen": chosen, "rejected": rejected}]


def _check(text: str) -> None:
    if text != text.strip():
        raise RowError("axolotl loses a response with white space at an end where a chat template trims it")
    if THOUGHT in text:
        raise RowError(f"axolotl loses a response with {THOUGHT}, which chat templates rewrite")
    if (text.isdecimal() and len(text) <= 4) or any(text in before for before in BEFORE):
        raise RowError("axolotl would find the response in what chat templates write before it")


def _snippet(written: Written) -> Mapping[str, str]:
    text = f"""# Axolotl: run `axolotl train axolotl.yaml` within this folder.
# It looks for each response in a rendered dummy conversation. A chat template with a long system message of its own
# (Mistral Small 3, Command A) may hold a short response: look at what `axolotl preprocess axolotl.yaml` makes of those.
base_model: NAME-OF-YOUR-MODEL
rl: dpo
chat_template: tokenizer_default
datasets:
  - path: {written.file}
    ds_type: parquet
    split: train
    type: chat_template.default
    field_messages: messages
    field_chosen: chosen
    field_rejected: rejected
    message_property_mappings:
      role: role
      content: content
sequence_len: 4096  # longer pairs are left out
learning_rate: 5.0e-7
micro_batch_size: 1
gradient_accumulation_steps: 16
num_epochs: 1
optimizer: adamw_torch
lr_scheduler: cosine
output_dir: trained
"""
    return {"axolotl.yaml": text}


AXOLOTL = Exporter(
    "axolotl",
    "Axolotl chat_template.default: messages, and chosen, rejected as single messages",
    "parquet",
    pa.schema([("messages", MESSAGES), ("chosen", MESSAGE), ("rejected", MESSAGE)]),
    _rows,
    _snippet,
)

"""The tokenizer and the untrained networks of the demo, and how conversations become batches of token ids.

`curate.demo.train` decides what is trained on what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from curate.demo.gold import KIND_OF, read_request
from curate.demo.lexicon import CHAT_TEMPLATE, PAD, TURN_END, TURN_START
from curate.demo.world import Message, render

if TYPE_CHECKING:
    import torch

VOCAB, HIDDEN = 1024, 64
HEAD_WIDTH = 32
"""Wider than such a model needs: the smallest that vLLM's attention on a CPU can read."""
MAX_POSITIONS = 4096
IGNORED = -100

_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Example:
    """One conversation as token ids.

    Attributes:
        ids: prompt and response, end of turn and line feed included.
        prompt: how many of them belong to the prompt.
        verdicts: one per text token of the response: 1 at the last token of a right item, 0 at that of a wrong one,
            `IGNORED` elsewhere.
    """

    ids: list[int]
    prompt: int
    verdicts: list[int]


@contextmanager
def quiet() -> Iterator[None]:
    """Turn off transformers' progress bars within this block; the caller reports progress itself."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread within this block: models so small gain nothing from more, and lose on a busy machine.

    More threads also add in another order, so that the last digits would depend on the number of cores.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def make_tokenizer(texts: Iterable[str]) -> Any:
    """A byte-level BPE of at most 1,024 tokens: any text has token ids, and decoding them gives the text back.

    Args:
        texts: rendered conversations to learn the merges from.

    Returns:
        A transformers tokenizer that adds no token by itself; pad `<|pad|>`, eos `<|im_end|>`, pads on the right.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[PAD, TURN_START, TURN_END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=TURN_END,
        additional_special_tokens=[TURN_START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_POSITIONS,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def make_config(tokenizer: Any, **changes: Any) -> Any:
    """The shape shared by the three models: Llama, hidden 64, two layers, 0.2 million parameters."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=HIDDEN,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=HEAD_WIDTH,
        max_position_embeddings=MAX_POSITIONS,
        tie_word_embeddings=False,
        initializer_range=0.05,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **changes,
    )


def encode(tokenizer: Any, corpus: Sequence[tuple[list[Message], str]]) -> list[Example]:
    """Token ids and verdicts of (prompt, response text) pairs; prompt and response are tokenised separately."""
    prompts = [render(prompt, add_generation_prompt=True) for prompt, _ in corpus]
    first = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    texts = [f"{text}{TURN_END}\n" for _, text in corpus]
    second = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    examples = []
    for row, (prompt, text) in enumerate(corpus):
        ends = [end for _, end in second["offset_mapping"][row]]
        examples.append(Example(first[row] + second["input_ids"][row], len(first[row]), _verdicts(prompt, text, ends)))
    return examples


def _verdicts(prompt: list[Message], text: str, ends: list[int]) -> list[int]:
    """See `Example.verdicts`; `ends` are the positions in `text` where the tokens end."""
    request = read_request(prompt)
    answers = request.items if request else ()
    right = {word.end(): word[0] in answers for word in _WORD.finditer(text.lower()) if word[0] in KIND_OF}
    return [int(right[end]) if end in right else IGNORED for end in ends]


def batches(lengths: Sequence[int], size: int, steps: int, rng: Random) -> Iterator[list[int]]:
    """`steps` lists of `size` row numbers; rows of one batch have similar lengths, and each epoch is reshuffled."""
    given = 0
    while True:
        order = rng.sample(range(len(lengths)), len(lengths))
        whole: list[list[int]] = []
        for start in range(0, len(order), size * 16):
            bucket = sorted(order[start : start + size * 16], key=lengths.__getitem__)
            whole += [bucket[at : at + size] for at in range(0, len(bucket) - size + 1, size)]
        for batch in rng.sample(whole, len(whole)):
            if given == steps:
                return
            yield batch
            given += 1


def collate(examples: Sequence[Example], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Right-padded ids; the next token to predict at each position of the response; the verdicts.

    All are (B, T); targets and verdicts are `IGNORED` where there is none. No attention mask is needed: attention is
    causal and padding comes last.
    """
    import torch

    width = max(len(one.ids) for one in examples)
    ids, targets, verdicts = [], [], []
    for one in examples:
        rest, before = width - len(one.ids), one.prompt - 1
        ids.append(one.ids + [pad] * rest)
        targets.append([IGNORED] * before + one.ids[one.prompt :] + [IGNORED] * (rest + 1))
        verdicts.append([IGNORED] * one.prompt + one.verdicts + [IGNORED] * rest)
    return torch.tensor(ids), torch.tensor(targets), torch.tensor(verdicts)

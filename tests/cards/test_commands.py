"""Commands as they are typed again, from manifests."""

from curate.cards.commands import commands_of

SCORE = {
    "command": "score",
    "staged_from": {"inputs": [{"name": "my pairs.jsonl"}]},
    "measured_with": {"policy": {"model": "policy"}},
    "rewards": [["rm", "model", "reward"], ["", "columns", ""]],
    "settings": {"truncation": "keep_start", "unconditional": True, "strict": False, "options": {"dcrm": {"eps": 0.5}}},
}
SELECT = {
    "command": "select",
    "inputs": [{"name": "s.parquet"}],
    "settings": {"by": "dcrm", "top": "10%"},
    "history": [SCORE],
}


def test_every_step_is_named_as_the_next_one_read_it() -> None:
    assert commands_of([SELECT]) == [
        "curate score 'my pairs.jsonl' --policy policy --reward rm=reward --unconditional --set dcrm.eps=0.5 "
        "-o s.parquet",
        "curate select s.parquet --by dcrm --top 10% -o OUT.parquet",
    ]


def test_the_shards_of_a_folder_count_as_one() -> None:
    shards = [{"name": "data-00000.parquet"}, {"name": "data-00001.parquet"}]
    export = {"command": "export", "inputs": shards, "settings": {"to": "trl", "keep_scores": False}}
    found = commands_of([{**export, "history": [SELECT, SELECT]}], "OUT")
    assert found[1:] == [
        "curate select s.parquet --by dcrm --top 10% -o FOLDER",
        "curate export FOLDER --to trl -o OUT",
    ]


def test_weigh_and_generate_say_what_made_their_numbers() -> None:
    weigh = {"command": "weigh", "method": "gamma_po", "parameters": {"beta": 5.0}, "inputs": [{"name": "s.parquet"}]}
    assert commands_of([weigh]) == ["curate weigh s.parquet --method gamma-po --set gamma_po.beta=5.0 -o OUT.parquet"]
    generate = {
        "command": "generate",
        "models": ["a", "b"],
        "settings": {"samples": 4, "temperature": [1.0], "seed": 0},
        "staged_from": {"inputs": [{"name": "p.jsonl"}]},
    }
    assert commands_of([generate]) == ["curate generate p.jsonl --policy a --policy b --samples 4 -o OUT.parquet"]


def test_what_is_no_command_of_ours_is_left_out() -> None:
    assert commands_of([{"command": "demo"}, {}]) == []

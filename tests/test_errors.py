import pickle
from pathlib import Path

import pytest

import curate
from curate.cli.console import print_error
from curate.errors import (
    CurateError,
    InputError,
    MissingExtra,
    ModelError,
    SettingsError,
    StoreError,
    as_argument,
    as_entry,
    as_option,
    did_you_mean,
    for_python,
)
from curate.recipes.file import read_recipe
from curate.recipes.resolve import Place

SPELLED = [
    ("by", "dcrm", "--by dcrm", "by='dcrm'", "by: dcrm"),
    ("by", None, "--by", "by=", "by"),
    ("min_margin", 0.5, "--min-margin 0.5", "min_margin=0.5", "min_margin: 0.5"),
    ("left_out", Path("a.parquet"), "--left-out a.parquet", "left_out='a.parquet'", "left_out: a.parquet"),
    ("unconditional", True, "--unconditional", "unconditional=True", "unconditional: true"),
    ("rows_as", "pairs", "--as pairs", "rows_as='pairs'", "rows_as: pairs"),
    ("options", "dcrm.eps=3", "--set dcrm.eps=3", "options={'dcrm': {'eps': 3}}", "dcrm.eps: 3"),
    ("options", "dcrm.scale=norm", "--set dcrm.scale=norm", "options={'dcrm': {'scale': 'norm'}}", "dcrm.scale: norm"),
    ("options", "dcrm.eps", "--set dcrm.eps", "options={'dcrm': {'eps': ...}}", "dcrm.eps"),
    ("options", "dcrm.*", "--set dcrm.*", "options={'dcrm': ...}", "dcrm.*"),
    ("set", "data=a.b", "--set data=a.b", "set={'data': 'a.b'}", "data: a.b"),
]


@pytest.mark.parametrize("kind", [CurateError, InputError, ModelError, SettingsError, StoreError])
def test_an_error_comes_out_of_another_process_as_it_went_in(kind):
    error = pickle.loads(pickle.dumps(kind("what", "where", "hint", setting="by", value="x")))
    assert type(error) is kind
    assert (error.what, error.where, error.hint, error.args) == ("what", "where", "hint", ("what",))
    assert (error.setting, error.value) == ("by", "x")


def test_a_setting_comes_out_of_another_process_too():
    error = pickle.loads(pickle.dumps(SettingsError("what", setting="out", value=Path("a"))))
    assert (error.where, str(error)) == ("-o a", "what\nout='a'")


def test_so_does_one_that_is_made_otherwise():
    error = MissingExtra("ray", "ray")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(("setting", "value", "option", "argument", "entry"), SPELLED)
def test_every_interface_spells_a_setting_its_own_way(setting, value, option, argument, entry):
    assert as_option(setting, value) == SettingsError("what", setting=setting, value=value).where == option
    assert as_argument(setting, value) == str(SettingsError("", setting=setting, value=value)) == argument
    assert as_entry(setting, value) == entry


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Give --policy, --reference or both.", "Give `policy`, `reference` or both."),
        ("Lower --max-length, or use --backend=torch.", "Lower `max_length`, or use backend='torch'."),
        ("Name them: --gpus=0,1, --policy=MODEL.", "Name them: gpus='0,1', policy=MODEL."),
        ("Add --set dcrm.eps=0.1.", "Add options={'dcrm': {'eps': 0.1}}."),
        ("Choose another place with -o.", "Choose another place with `out`."),
        ("Read them --as=pairs.", "Read them rows_as='pairs'."),
        ("See `curate score --policy MODEL`.", "See `curate score --policy MODEL`."),
        ("a--b, /--x and -only", "a--b, /--x and -only"),
    ],
)
def test_options_in_a_sentence_become_arguments(text, shown):
    assert for_python(text) == shown
    assert str(CurateError(text, "--by", text)) == f"{shown}\n--by\n{shown}", "a place stays as it is"


def test_the_command_line_prints_options(capsys):
    print_error(SettingsError("Nothing was given.", setting="min_margin", value=1.0, hint="Give --by=dcrm."))
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["Nothing was given.", "--min-margin 1.0", "Give --by=dcrm."]


def test_a_recipe_names_the_line_of_the_setting(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "name: a\nabout: a\ninputs: {data: {about: rows}}\nsteps:\n  - run: select\n    with:\n"
        "      data: ${inputs.data}\n      by: dcrm\n      options:\n        dcrm:\n          eps: 3\n"
    )
    place = Place(read_recipe(path), 1, "select")
    for setting, value, line in [("by", "dcrm", "8, step select: by: dcrm"), ("top", "1", "6, step select: top: 1")]:
        error = SettingsError("what", setting=setting, value=value)
        place.add_to(error)
        assert error.where == f"{path}, line {line}"
    error = SettingsError("what", setting="options", value="dcrm.eps=3")
    place.add_to(error)
    assert error.where == f"{path}, line 11, step select: dcrm.eps: 3"
    error = StoreError("what", "a.parquet")
    place.add_to(error)
    assert error.where == f"{path}, line 6, step select: a.parquet"


def test_python_reads_arguments(tmp_path):
    data = tmp_path / "a.jsonl"
    data.write_text('{"prompt": "p", "chosen": "a", "rejected": "b", "reward_margin": 1.0}\n')
    with pytest.raises(SettingsError) as caught:
        curate.select(data, tmp_path / "out.parquet", top="10%")
    assert "\nby=\n" in str(caught.value)
    assert "--" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        curate.select(data, tmp_path / "out.parquet", by="nothing", top="10%")
    assert "\nby='nothing'\n" in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        curate.select(data, tmp_path / "out.parquet", by="reward_margin", top="a lot")
    assert "\ntop='a lot'\n" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("dcm", ["dcrm", "dcrm", "bees"], "Did you mean dcrm?"),
        ("score", ["score_chosen", "score_rejected", "prompt"], "Did you mean score_chosen or score_rejected?"),
        ("Reward-Margin", ["reward_margin", "dpo_margin"], "Did you mean reward_margin?"),
        ("a_b", ["a_b_c", "a_b_d", "a_b_e"], "Did you mean a_b_c, a_b_d or a_b_e?"),
        ("zz", ["dcrm", "bees"], "Known: bees, dcrm."),
        ("zz", [f"c{n:02d}" for n in range(20)], f"Known: {', '.join(f'c{n:02d}' for n in range(12))} and 8 more."),
        ("zz", [], ""),
    ],
)
def test_a_hint_names_what_was_meant(word, known, hint):
    assert did_you_mean(word, known) == hint

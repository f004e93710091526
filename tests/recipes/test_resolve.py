import pytest

from curate.errors import SettingsError
from curate.recipes.resolve import parse_assignments, read_overrides

from .helpers import GIVEN, steps_of, write_recipe


def test_references_become_values_and_files(tmp_path):
    score, select, export = steps_of(write_recipe(tmp_path), tmp_path / "out")
    assert score.settings.policy == "fake:1"
    assert score.settings.reference == "fake:2"
    assert score.settings.reward == ("fake:3",)
    assert score.settings.data == ("d.jsonl",)
    assert score.settings.out == tmp_path / "out" / "01-score.parquet"
    assert select.settings.data == (str(score.out),)
    assert select.settings.top == "20%"
    assert export.out == tmp_path / "out" / "03-export"
    assert [step.reads for step in (score, select, export)] == [(None,), ("score",), ("select",)]


def test_a_list_may_be_an_input_or_hold_one(tmp_path):
    file = write_recipe(tmp_path, ("default: d.jsonl", "default: [a.jsonl, b.jsonl]"))
    assert steps_of(file)[0].settings.data == ("a.jsonl", "b.jsonl")
    assert steps_of(file, data="[c.jsonl, 'd, e.jsonl']")[0].settings.data == ("c.jsonl", "d, e.jsonl")
    assert steps_of(file, data=["c.jsonl"])[0].settings.data == ("c.jsonl",)
    file = write_recipe(tmp_path, ("reward: fake:3", 'reward: ["a=${inputs.reference}", columns]'))
    assert steps_of(file)[0].settings.reward == ("a=fake:2", "columns")
    file = write_recipe(tmp_path, ("data: ${steps.score}", "data: ['${steps.score}', '${inputs.data}']"))
    step = steps_of(file)[1]
    assert step.settings.data == ("out/01-score.parquet", "d.jsonl")
    assert step.reads == ("score", None)


def test_set_replaces_inputs_settings_and_parameters(tmp_path):
    file = write_recipe(tmp_path)
    given = parse_assignments(["data=x.jsonl", "select.top=25%", "select.bees.low=-3", "score.max_length=64"])
    score, select, _ = steps_of(file, **given)
    assert score.settings.data == ("x.jsonl",)
    assert score.settings.max_length == 64
    assert (select.settings.top, select.settings.options) == ("25%", {"bees": {"low": "-3"}})
    _, select, _ = steps_of(file, **{"select.top": "null", "select.bottom": "3", "select.drop_ties": True})
    assert (select.settings.top, select.settings.bottom, select.settings.drop_ties) == (None, "3", True)


def test_parameters_of_the_file_are_kept_beside_those_that_are_set(tmp_path):
    file = write_recipe(tmp_path, ("      by: bees", "      by: dcrm\n      options: {dcrm: {eps: 0.5, scale: 2}}"))
    select = steps_of(file, **{"select.dcrm.eps": "0.1"})[1]
    assert select.settings.options == {"dcrm": {"eps": "0.1", "scale": "2"}}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("dta", "x", "data"),
        ("selct.top", "5%", "select"),
        ("nothing", "x", "score.SETTING"),
        ("select.tpo", "5%", "top"),
        ("select.top", "1000%", "share"),
        ("select.bees.lwo", "1", "low"),
        ("select.beez.low", "1", "bees"),
        ("select.a.b.c", "1", "STEP.METRIC"),
        ("select.out", "x", "decides"),
        ("score.judge.max_tokens", "5", "judge"),
        ("score.fresh", "true", "decides"),
        ("score.max_length", "many", "max_length"),
        ("score.policy", "${inputs.nothing}", "no input"),
        ("score.data", "null", "needs data"),
        ("export.to", "trll", "trl"),
    ],
)
def test_what_cannot_be_set_is_refused(tmp_path, key, value, told):
    with pytest.raises(SettingsError) as caught:
        steps_of(write_recipe(tmp_path), **{key: value})
    assert told in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("by: bees", "bye: bees", 20, "by"),
        ("by: bees", "by: bees\n      below: low", 21, "below"),
        ("run: select", "run: selct", 17, "select"),
        ("top: ${inputs.share}", "top: ${inputs.sahre}", 21, "inputs.share"),
        ("top: ${inputs.share}", "top: ${steps.score}", 21, "Only `data`"),
        ("top: ${inputs.share}", "top: ${inputs.share", 21, "closed"),
        ("data: ${steps.score}", "data: ${steps.export}", 19, "no earlier step"),
        ("data: ${steps.score}", "data: ${steps.select}", 19, "no earlier step"),
        ("      data: ${steps.score}\n", "", 18, "needs data"),
        ("to: trl", "keep_scores: true", 23, "needs to"),
        ("share: 20%", "share: ${inputs.data}", 18, "refers"),
        ("by: bees", "by: bees\n      options: [a]", 21, "options"),
        ("by: bees", "by: bees\n      options: {bees: low}", 21, "options"),
        ("      top: ${inputs.share}\n", "", 18, "by="),
    ],
)
def test_a_wrong_step_is_named_with_its_line(tmp_path, old, new, line, told):
    with pytest.raises(SettingsError) as caught:
        steps_of(write_recipe(tmp_path, (old, new)))
    assert f"small.yaml, line {line}" in caught.value.where
    assert told in str(caught.value)


def test_inputs_that_are_not_given_are_kept_for_a_plan(tmp_path):
    file = write_recipe(tmp_path)
    score, select, _ = steps_of(file, policy=None)
    assert score.missing == ("policy",)
    assert score.settings.policy == "<policy>"
    assert select.missing == ()


def test_an_input_that_must_be_given_says_what_it_is(tmp_path):
    file = write_recipe(tmp_path, ("share: 20%", "share:"), ("top: ${inputs.share}", "above: ${inputs.share}"))
    with pytest.raises(SettingsError) as caught:
        steps_of(file)
    assert "share is not given" in caught.value.what
    assert "--set share" in caught.value.hint


def test_assignments_are_pairs_given_once(tmp_path):
    assert parse_assignments(["a=b=c", " d = e "]) == {"a": "b=c", "d": "e"}
    for words in (["a"], ["=b"], ["a=1", "a=2"]):
        with pytest.raises(SettingsError):
            parse_assignments(words)
    assert read_overrides(GIVEN, write_recipe(tmp_path)).inputs == GIVEN

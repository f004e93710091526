import pytest

from curate.errors import SettingsError
from curate.recipes.file import read_recipe

GOOD = """\
name: small
about: A small one.
paper:
  title: Some title
  arxiv: 2502.14560
  verified: this
  not_verified: that
inputs:
  data: pairs.jsonl
  many: [a, b]
  policy:
    about: a model
steps:
  - run: score
    with: {data: "${inputs.data}"}
  - run: score
    id: again
    with:
      data: ${steps.score}
"""


def write(folder, text):
    path = folder / "r.yaml"
    path.write_text(text)
    return path


def test_a_recipe_is_read_whole(tmp_path):
    recipe = read_recipe(write(tmp_path, GOOD)).recipe
    assert recipe.paper.arxiv == "2502.14560"
    assert {name: one.default for name, one in recipe.inputs.items()} == {
        "data": "pairs.jsonl",
        "many": ("a", "b"),
        "policy": None,
    }
    assert recipe.inputs["policy"].about == "a model"
    assert [step.name for step in recipe.steps] == ["score", "again"]


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("about: A", "abuot: A", 2, "about"),
        ("  title:", "  titel:", 4, "title"),
        ("    about: a model", "    abot: a model", 12, "about"),
        ("  - run: score\n    id", "  - rum: score\n    id", 16, "run"),
        ("name: small\n", "", 1, "name"),
        ("name: small", "name: ../up", 1, "name"),
        ("name: small", "name: [a]", 1, "name"),
        ("2502.14560", "somewhere", 5, "arxiv"),
        ("    id: again\n", "", 16, "Two steps"),
        ("id: again", "id: a/b", 17, "id"),
        ("  many: [a, b]", "  many: [a, {b: c}]", 10, "many"),
        ("  policy:", "  a policy:", 11, "a policy"),
    ],
)
def test_a_wrong_key_is_named_with_its_line(tmp_path, old, new, line, told):
    assert old in GOOD
    with pytest.raises(SettingsError) as caught:
        read_recipe(write(tmp_path, GOOD.replace(old, new)))
    assert f"line {line}" in caught.value.where
    assert told in caught.value.what + caught.value.hint


def test_a_recipe_needs_steps(tmp_path):
    text = GOOD[: GOOD.index("steps:")]
    for ending in ("", "steps: []\n", "steps: score\n"):
        with pytest.raises(SettingsError, match="steps"):
            read_recipe(write(tmp_path, text + ending))


def test_other_files_are_no_recipes(tmp_path):
    data = tmp_path / "good.jsonl"
    data.write_text('{"a": 1}\n')
    with pytest.raises(SettingsError, match=r"\.jsonl"):
        read_recipe(data)
    for text in ("", "just text\n", "- a\n- b\n"):
        with pytest.raises(SettingsError, match="not a recipe"):
            read_recipe(write(tmp_path, text))
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_recipe(tmp_path / "r.yaml")


def test_a_file_that_is_not_there_is_guessed(tmp_path):
    write(tmp_path, GOOD)
    with pytest.raises(SettingsError) as caught:
        read_recipe(tmp_path / "rr.yaml")
    assert "r.yaml" in caught.value.hint
    with pytest.raises(SettingsError) as caught:
        read_recipe(tmp_path / "no" / "r.yaml")
    assert "does not exist" in caught.value.hint

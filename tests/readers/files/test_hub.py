import datasets
import pytest

from curate.errors import InputError
from curate.readers import open_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(monkeypatch):
    asked = []

    def serve(*splits):
        def load(path, name=None, split=None, revision=None):
            asked.append((path, name, split, revision))
            made = {one: datasets.Dataset.from_dict({"split": [one] * 3}) for one in splits}
            for data in made.values():
                data.info.download_checksums = {f"hf://datasets/{path}@{COMMIT}/x.parquet": {}}
            return made[split] if split else datasets.DatasetDict(made)

        monkeypatch.setattr(datasets, "load_dataset", load)
        return asked

    return serve


@pytest.mark.parametrize(
    ("spec", "call"),
    [
        ("hf://o/n/test", ("o/n", None, "test", None)),
        ("hf://o/n/train", ("o/n", None, "train", None)),
        ("hf://o/n@v1:conf/test", ("o/n", "conf", "test", "v1")),
        ("hf://o/n:conf/test", ("o/n", "conf", "test", None)),
        ("hf://o/n@v1/test", ("o/n", None, "test", "v1")),
    ],
)
def test_the_parts_of_a_spec(hub, spec, call):
    asked = hub("train", "test")
    source = open_source([spec])
    assert asked == [call]
    chunks = list(source.chunks(2))
    assert [len(chunk.rows) for chunk in chunks] == [2, 1]
    assert chunks[0].rows[0] == {"split": call[2]}
    assert chunks[1].origins == [f"{spec}:3"]
    (entry,) = source.fingerprints()
    assert entry["name"] == spec and entry["revision"] == COMMIT and entry["fingerprint"]


def test_the_only_split_needs_no_name(hub):
    hub("odd")
    (chunk,) = open_source(["hf://o/n"]).chunks(10)
    assert chunk.rows[0] == {"split": "odd"}


@pytest.mark.parametrize("splits", [("b", "a"), ("train", "test"), ("train_prefs", "test_prefs")])
def test_of_several_splits_one_must_be_named(hub, splits):
    hub(*splits)
    with pytest.raises(InputError, match=", ".join(sorted(splits))) as caught:
        open_source(["hf://o/n"])
    assert f"hf://o/n/{min(splits)}" in caught.value.hint


@pytest.mark.parametrize("spec", ["hf://", "hf://name", "hf://o/n/a/b", "hf://o/n@"])
def test_malformed_specs(spec):
    with pytest.raises(InputError, match="owner/name"):
        open_source([spec])


def test_a_failure_of_the_library_has_a_hint(monkeypatch):
    def fail(*_, **__):
        raise ConnectionError("no network\nand more")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(InputError) as caught:
        open_source(["hf://o/n"])
    assert "no network" in caught.value.what and caught.value.hint


def test_files_do_not_need_the_library(tmp_path):
    import subprocess
    import sys

    (tmp_path / "a.jsonl").write_text('{"a": 1}\n')
    code = f"import sys, curate.readers as r; r.open_source([{str(tmp_path)!r}]); sys.exit('datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""`--push`: what arrives at a hub on loopback, and what is said when it refuses, is away, or is not to be asked."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from curate import hub as reachable
from curate.errors import CurateError, SettingsError, StoreError
from curate.exporters.push import repository_of
from tests.exporters.golden import rows, run_export, write
from tests.exporters.hub import TOKEN, FakeHub, fake_hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(reachable, "_found", {})
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with fake_hub() as one:
        monkeypatch.setenv("HF_ENDPOINT", one.address)
        yield one


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "d.jsonl", rows())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pushed(data: Path, to: str = "trl", spec: str = "hf://owner/pairs"):
    return run_export(data, data.parent / "out", to, push=spec)


def test_the_whole_folder_arrives_in_a_new_private_data_set(hub: FakeHub, data: Path) -> None:
    result = pushed(data)
    assert result.pushed == f"{hub.address}/datasets/owner/pairs"
    assert hub.repos == {"owner/pairs": files(data.parent / "out")}
    assert hub.private == {"owner/pairs": True}


def test_the_bytes_do_not_depend_on_where_they_go(hub: FakeHub, data: Path) -> None:
    pushed(data)
    before = files(data.parent / "out")
    run_export(data, data.parent / "out", "trl")
    assert files(data.parent / "out") == before
    assert "owner" not in json.dumps([one.decode(errors="replace") for one in before.values()])


def test_another_format_replaces_the_files_of_the_first_and_no_others(hub: FakeHub, data: Path) -> None:
    pushed(data)
    hub.repos["owner/pairs"]["notes.txt"] = b"mine"
    pushed(data, "nemo-rl")
    assert hub.repos["owner/pairs"] == {"notes.txt": b"mine", **files(data.parent / "out")}


def said(caught: pytest.ExceptionInfo[CurateError]) -> str:
    """Its three lines, none of which may hold the token."""
    error = caught.value
    lines = [error.what, error.where, error.hint]
    assert all(line and "\n" not in line for line in lines)
    assert TOKEN not in "\n".join(lines)
    return "\n".join(lines)


def test_a_token_that_is_not_valid_is_refused_before_anything_is_written(
    hub: FakeHub, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(StoreError, match="does not accept the token") as caught:
        pushed(data)
    assert "Nothing was written." in said(caught)
    assert [path.name for path in data.parent.iterdir()] == ["d.jsonl"]


@pytest.mark.parametrize(
    ("refusal", "what"),
    [
        ({"/commit/main": 403}, "may not write"),
        ({"/preupload/main": 401}, "does not accept"),
        ({"/commit/main": 413}, "could not take the upload"),
    ],
)
def test_what_was_written_stays_when_the_hub_refuses_it(
    hub: FakeHub, data: Path, refusal: dict[str, int], what: str
) -> None:
    hub.fails = refusal
    with pytest.raises(StoreError, match=what) as caught:
        pushed(data)
    out = data.parent / "out"
    assert f"`hf upload owner/pairs {out} . --repo-type dataset`" in str(caught.value)
    assert said(caught)
    assert {"README.md", "train.parquet", "trl_config.py"} < set(files(out))
    hub.fails = {}
    assert pushed(data).pushed


def test_an_owner_for_whom_the_token_has_no_rights(hub: FakeHub, data: Path) -> None:
    hub.forbidden = {"somebody"}
    with pytest.raises(StoreError, match="may not write to this data set") as caught:
        pushed(data, spec="hf://somebody/pairs")
    assert "right to write for somebody" in said(caught)
    assert (data.parent / "out" / "train.parquet").exists()


def test_without_a_token_nothing_is_asked(hub: FakeHub, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(data.parent / "no-token"))
    with pytest.raises(SettingsError, match="needs a token") as caught:
        pushed(data)
    assert "hf auth login" in said(caught)
    assert hub.asked == []


def test_offline_means_that_nothing_is_sent(hub: FakeHub, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError, match="while offline") as caught:
        pushed(data)
    assert "unset HF_HUB_OFFLINE" in said(caught)
    assert hub.asked == []
    assert not (data.parent / "out").exists()


def test_a_hub_that_is_down(hub: FakeHub, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="cannot be reached") as caught:
        pushed(data)
    assert "http://127.0.0.1:9: Connection refused" in said(caught)
    assert not (data.parent / "out").exists()


def test_a_hub_that_goes_away_between(hub: FakeHub, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi

    def gone(self: HfApi, *_: object, **__: object) -> None:
        raise ConnectionResetError(104, f"Connection reset by peer ({TOKEN})")

    monkeypatch.setattr(HfApi, "create_repo", gone)
    with pytest.raises(StoreError, match="went away") as caught:
        pushed(data)
    assert "hf upload" in said(caught)
    assert (data.parent / "out" / "README.md").exists()


@pytest.mark.parametrize(
    "spec", ["owner/pairs", "hf://pairs", "hf://owner/pairs/train", "hf://owner/pairs@v1", "hf://"]
)
def test_a_name_of_another_form_is_refused(data: Path, spec: str) -> None:
    with pytest.raises(SettingsError, match="does not name a data set") as caught:
        pushed(data, spec=spec)
    assert caught.value.hint == "Write hf://owner/name."
    assert not (data.parent / "out").exists()


@pytest.mark.parametrize(
    "spec", ["hf://owner/pairs", "hf://datasets/owner/pairs", "hf://owner/pairs/", " hf://owner/pairs"]
)
def test_names_of_the_same_data_set(spec: str) -> None:
    assert repository_of(spec) == "owner/pairs"

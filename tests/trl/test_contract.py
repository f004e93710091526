"""What is relied on in TRL. Fails when a release moves it: then read that release before widening the range."""

import pytest
import trl
from trl import DPOTrainer

from curate.errors import SettingsError
from curate.trl import contract


def test_this_trl_is_as_it_was_read() -> None:
    assert contract.broken() == []
    contract.check_trl()


def test_a_moved_hook_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(DPOTrainer, "_precompute_ref_logps")
    assert any("_precompute_ref_logps" in lack for lack in contract.broken())
    with pytest.raises(SettingsError, match="does not support this version of TRL"):
        contract.check_trl()


def test_other_arguments_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DPOTrainer, "compute_ref_log_probs", lambda self, inputs: None)
    lacks = contract.broken()
    assert any("compute_ref_log_probs is not there with the arguments" in lack for lack in lacks)


@pytest.mark.parametrize("version", ["1.15.9", "1.17.0", "2.0.0.dev0"])
def test_untried_releases_are_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(trl, "__version__", version)
    with pytest.raises(SettingsError, match=f"it is version {version}"):
        contract.check_trl()

"""Training with TRL on what curate measured: `CuratedDPOTrainer`. Needs the extra `[trl]`."""

try:
    import trl as _trl  # noqa: F401
except ImportError as error:
    raise ImportError("curate.trl needs TRL: pip install 'curate-preferences[trl]'") from error

from curate.trl.losses import LOSSES, Loss, PairLogps
from curate.trl.trainer import CuratedDPOTrainer

__all__ = ["LOSSES", "CuratedDPOTrainer", "Loss", "PairLogps"]

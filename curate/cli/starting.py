"""What makes short jobs shorter."""

from __future__ import annotations

import sys
from collections.abc import Sequence


class _NotNow:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Refuse pandas; leave every other module to the next finder."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def leave_out_pandas() -> None:
    """Keep pyarrow from importing pandas, which takes longer than many a job.

    At its first Python list pyarrow imports pandas where it is installed, only to see whether the list is one of
    pandas' own things. No command has any. Whoever asks pyarrow for a pandas table later still gets it.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, _NotNow)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NotNow)


def keep_arrow_memory() -> None:
    """Let pyarrow take memory where NumPy and Python do.

    The pool that it would choose gives pages back to the kernel soon after they are freed, and a job of a second or two
    asks for them again at once: 5% of the time of `curate pair` on a thousand prompts.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())

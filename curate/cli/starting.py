"""Makes short jobs start faster."""

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


def make_short_jobs_shorter() -> None:
    """Do both of the below, before a job imports anything."""
    leave_out_pandas()
    keep_arrow_memory()


def leave_out_pandas() -> None:
    """Keep pyarrow from importing pandas, which takes longer than many a job.

    On its first Python list, pyarrow imports pandas if it is installed, only to check whether the list is a pandas
    object. No command has any. Asking pyarrow for a pandas table later still works.
    """
    import pyarrow as pa

    sys.meta_path.insert(0, _NotNow)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NotNow)


def keep_arrow_memory() -> None:
    """Let pyarrow allocate memory where NumPy and Python do.

    Its default pool returns pages to the kernel soon after they are freed, and a job of a second or two requests them
    again at once: 5% of the time of `curate pair` on a thousand prompts.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())

"""Labels of single responses by their own rating, for trainers that read no pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curate.errors import InputError, SettingsError
from curate.schema import REWARD, Record

Label = bool | None
"""Desirable, undesirable, or neither: such a response is left out."""
NAMES: Mapping[Label, str] = {True: "desirable", False: "undesirable", None: "in between, or unrated"}


@dataclass(frozen=True)
class Labels:
    """How the two responses of a pair are labelled.

    Attributes:
        above: ratings greater than this are desirable; None to take the pair's own order.
        below: ratings less than this are undesirable; None likewise.
    """

    above: float | None = None
    below: float | None = None

    @property
    def by_rating(self) -> bool:
        """Whether ratings decide, not which response was chosen."""
        return self.above is not None

    def of(self, record: Record) -> tuple[Label, Label]:
        """The labels of the chosen and the rejected response."""
        if self.above is None or record.pair is None:
            return True, False
        ratings = record.measured.get(REWARD.name) or (None,) * len(record.responses)
        chosen, rejected = (self._of(ratings[place]) for place in record.pair)
        return chosen, rejected

    def _of(self, rating: float | None) -> Label:
        assert self.above is not None and self.below is not None
        if rating is None or not (rating > self.above or rating < self.below):
            return None
        return rating > self.above

    def check(self, given: Mapping[Label, int]) -> None:
        """Refuse data in which no response has a label.

        Raises:
            InputError: it is so.
        """
        if self.above is not None and not (given.get(True) or given.get(False)):
            raise InputError(
                "No response has a label.",
                f"none is rated above {self.above:g} or below {self.below:g}",
                "Look at the ratings in the data, then move --desirable-above or --undesirable-below.",
            )

    def warning(self, given: Mapping[Label, int]) -> str | None:
        """What a trainer would miss, which needs both labels."""
        lacking = [label for label in (True, False) if not given.get(label)]
        if self.above is None or not lacking:
            return None
        limit = f"above {self.above:g}" if lacking[0] else f"below {self.below:g}"
        return f"no response is {NAMES[lacking[0]]} (rated {limit}); a trainer on single responses needs both."


def labels_of(above: float | None, below: float | None, unpaired: bool, to: str) -> Labels:
    """The labels that these limits give; one alone is both.

    Raises:
        SettingsError: the format has no labels, or a rating could be desirable and undesirable.
    """
    name, value = ("desirable_above", above) if above is not None else ("undesirable_below", below)
    if value is None:
        return Labels()
    if not unpaired:
        raise SettingsError(
            f"A row of {to} is a pair; only single responses have labels.",
            setting=name,
            value=value,
            hint="Leave it out, or use --to=kto.",
        )
    above, below = value if above is None else above, value if below is None else below
    if above < below:
        raise SettingsError(
            f"Ratings between {above:g} and {below:g} would be both desirable and undesirable.",
            setting="desirable_above",
            value=above,
            hint=f"It must be at least --undesirable-below={below:g}.",
        )
    return Labels(above, below)


def unrated(name: str) -> SettingsError:
    """The error for data without ratings, by its name."""
    return SettingsError(
        "No response has a rating.",
        name,
        "Score the data first: `curate score ... --reward MODEL`. Without --desirable-above and --undesirable-below, "
        "the chosen response is desirable.",
    )

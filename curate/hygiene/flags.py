"""The flags that checks of whole data sets add: which there are, which check finds which, and finding them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from curate.errors import SettingsError, did_you_mean
from curate.hygiene import Again, Check, Found
from curate.hygiene.duplicates import Duplicates
from curate.hygiene.language import Languages
from curate.hygiene.near_duplicates import NearDuplicates, parts_of_candidates, parts_of_pairs, parts_of_prompts
from curate.hygiene.near_responses import NearResponses
from curate.hygiene.phrases import Phrases
from curate.schema import FLAG_MEANINGS

ALL = "all"
LEAKED, IDENTICAL_TRUNCATED = "leaked", "identical_truncated"
NEAR, NEAR_PROMPT, NEAR_RESPONSE = "near_duplicate", "near_duplicate_prompt", "near_duplicate_response"
CONTRADICTION = "contradiction"
OF_TEXTS: dict[tuple[str, ...], Callable[[], Check]] = {
    ("duplicate", "duplicate_prompt", "repeated_response", CONTRADICTION): Duplicates,
    (NEAR,): partial(NearDuplicates, NEAR, parts_of_pairs),
    (NEAR_PROMPT,): partial(NearDuplicates, NEAR_PROMPT, parts_of_prompts),
    (NEAR_RESPONSE,): NearResponses,
    ("language_mismatch", "other_language"): Languages,
    ("self_identification", "knowledge_cutoff"): Phrases,
}
"""The checks that read nothing but the texts, by the flags that they find."""
PACKAGES = {
    NEAR: "rensa",
    NEAR_PROMPT: "rensa",
    NEAR_RESPONSE: "rensa",
    "language_mismatch": "lingua-language-detector",
    "other_language": "lingua-language-detector",
}
"""The package that decides a flag."""
NAMES = (*(flag for flags in OF_TEXTS for flag in flags), IDENTICAL_TRUNCATED)
"""Every flag that can be asked for by name."""
ONLY_PAIRS = (CONTRADICTION, IDENTICAL_TRUNCATED)
"""The flags that compare a chosen with a rejected response."""


def wanted_flags(given: Sequence[str]) -> tuple[str, ...]:
    """The flags asked for, in the order in which tables have them.

    Raises:
        SettingsError: there is no such flag, or it is not asked for by name.
    """
    for flag in given:
        if flag == LEAKED:
            raise _refused("The flag leaked needs evaluations to compare with.", flag, "Add --decontaminate=FILE.")
        if flag in FLAG_MEANINGS and flag not in NAMES:
            raise _refused(f"The flag {flag} is always looked for.", flag, "Leave it out.")
        if flag not in (*NAMES, ALL):
            raise _refused(f"There is no check for a flag {flag}.", flag, did_you_mean(flag, (*NAMES, ALL)))
    return tuple(flag for flag in NAMES if flag in given or ALL in given)


def _refused(what: str, flag: str, hint: str) -> SettingsError:
    return SettingsError(what, setting="add_flags", value=flag, hint=hint)


def text_checks(wanted: Iterable[str], *, pairs: bool) -> list[Check]:
    """The checks that find these flags.

    Args:
        wanted: the flags.
        pairs: whether rows are pairs, rather than prompts with candidates.

    Raises:
        MissingExtra: a package that one of them needs is not installed.
    """
    names = set(wanted)
    checks = dict(OF_TEXTS)
    if not pairs:
        checks[(NEAR,)] = partial(NearDuplicates, NEAR, parts_of_candidates)
    return [check() for flags, check in checks.items() if names & set(flags)]


def find(checks: Sequence[Check], again: Again, advance: Callable[[int], object], wanted: Sequence[str]) -> Found:
    """Read the data once, and return the rows of each flag wanted, in this order."""
    for rows in again():
        for check in checks:
            check.read(rows)
        advance(len(rows))
    found = {flag: rows for check in checks for flag, rows in check.found(again).items()}
    return {flag: found[flag] for flag in wanted if flag in found}

"""Upload an export's folder to a data set of the Hugging Face hub; what was written stays, whatever happens there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curate.errors import CurateError, SettingsError, StoreError, first_line
from curate.hub import endpoint, is_offline, why_unreachable
from curate.offline import how_to_end

SPEC = re.compile(r"hf://(?:datasets/)?(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)/?")
TOKENS_PAGE = "settings/tokens"
NOT_ALLOWED = (401, 403, 404)
"""What the hub answers if the token is not valid, may not write there, or may not even know that it exists."""


def repository_of(spec: str) -> str:
    """The repository that `hf://owner/name` means.

    Raises:
        SettingsError: the spec is of another form.
    """
    found = SPEC.fullmatch(spec.strip())
    if found is None:
        raise SettingsError(
            f"{spec!r} does not name a data set of the hub.", setting="push", value=spec, hint="Write hf://owner/name."
        )
    return found["repo"]


def check_push(spec: str) -> None:
    """Refuse, before anything is written, what could not be uploaded.

    Raises:
        CurateError: the user wants no connection, the hub cannot be reached, or there is no valid token.
    """
    repository_of(spec)
    if is_offline():
        raise SettingsError(
            "Nothing is sent to the hub while offline.",
            setting="push",
            value=spec,
            hint=f"To send it, {how_to_end()}; or leave out --push.",
        )
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise SettingsError(
            "The hub needs a token, and there is none.",
            setting="push",
            value=spec,
            hint=f"Run `hf auth login`, or set HF_TOKEN; tokens are made at {endpoint()}/{TOKENS_PAGE}.",
        )
    if (reason := why_unreachable()) is not None:
        raise StoreError(
            "The hub cannot be reached.",
            f"{endpoint()}: {reason}",
            "Check the network, HF_ENDPOINT and the proxy's settings, or leave out --push and upload later.",
        )
    with _answers(spec, "Nothing was written. "):
        HfApi(endpoint=endpoint()).whoami()


def push(folder: Path, spec: str, known: Sequence[str]) -> str:
    """Upload a folder, creating the data set if there is none, which is then private; returns its address.

    Args:
        folder: the complete export.
        spec: `hf://owner/name`.
        known: every file name that an export may have: those that an earlier one left there are removed.

    Raises:
        StoreError: the hub refuses it or goes away.
    """
    from huggingface_hub import HfApi

    repo = repository_of(spec)
    again = f"{folder} is complete. To upload it: `hf upload {repo} {folder} . --repo-type dataset`."
    with _answers(spec, again), _no_bars():
        api = HfApi(endpoint=endpoint())
        api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repo,
            repo_type="dataset",
            folder_path=folder,
            commit_message="Upload an export of curate",
            delete_patterns=list(known),
        )
    return f"{endpoint()}/datasets/{repo}"


@contextmanager
def _answers(spec: str, hint: str) -> Iterator[None]:
    """Turn what the hub's client raises into an error of three lines, without the token.

    Raises:
        StoreError: the hub refuses, or cannot be reached.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except HfHubHTTPError as error:
        raise _refused(error.response.status_code, spec, hint) from error
    except (HTTPError, OSError) as error:
        if isinstance(error, CurateError):
            raise
        raise StoreError("The hub went away.", f"{endpoint()}: {_plain(error)}", hint) from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Without the client's own bars: commands show theirs."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    were_shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if were_shown:
            enable_progress_bars()


def _refused(status: int, spec: str, hint: str) -> StoreError:
    if status == 401:
        what = "The hub does not accept the token."
        hint = f"Run `hf auth login` again, or look at HF_TOKEN. {hint}"
    elif status in NOT_ALLOWED:
        what = "The token may not write to this data set."
        hint = f"It needs the right to write for {repository_of(spec).partition('/')[0]}. {hint}"
    else:
        what = "The hub could not take the upload."
    return StoreError(what, f"{spec}: HTTP {status} from {endpoint()}", hint.strip())


def _plain(error: BaseException) -> str:
    """The first line of an error, without the token if it is in it."""
    from huggingface_hub import get_token

    token = get_token()
    return first_line(error).replace(token, "***") if token else first_line(error)

"""Metrics from a file or an installed package: what is refused, and that nothing of a file stays behind."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

import curate
from curate.errors import CurateError, SettingsError
from curate.metrics import registry
from curate.metrics.catalogue import Catalogue, catalogue_of, in_force, installed, using

HEAD = "import polars as pl\nfrom curate.metrics.registry import metric\n\n\n"
OWN = '''@metric(unit="x", prefer="high")
def own(reward_margin: pl.Series, *, times: float = 2.0) -> pl.Series:
    """Twice the margin.

    Formula: times * reward_margin
    """
    return times * reward_margin
'''
REWARDS = pl.DataFrame({"chosen_reward": [4.0, 1.0], "rejected_reward": [1.0, 1.0]})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of metrics; the imports are added."""

    def file(source: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + source, encoding="utf-8")
        return path

    return file


def declared(body: str, head: str = 'unit="x", prefer="high"', signature: str = "reward_margin: pl.Series") -> str:
    return f"@metric({head})\ndef own({signature}) -> pl.Series:\n    {body}\n"


def refused(*files: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        catalogue_of(files)
    assert all((caught.value.what, caught.value.where, caught.value.hint))
    return caught.value


def computed(catalogue: Catalogue, name: str = "own", options: registry.Options | None = None) -> list[float | None]:
    with using(catalogue):
        found: list[float | None] = registry.compute(name, REWARDS, options or {})[0].to_list()
        return found


def test_a_file_s_metric_is_like_any_other(write: Callable[..., Path]) -> None:
    catalogue = catalogue_of([write(OWN + declared("return own + 1", signature="own").replace("def own", "def more"))])
    assert list(catalogue.metrics) == sorted([*installed().metrics, "own", "more"])
    # 2 * (4 - 1) and 2 * (1 - 1); then 3 times, and 1 more
    assert computed(catalogue) == [6.0, 0.0]
    assert computed(catalogue, "more", {"own": {"times": "3"}}) == [10.0, 1.0]
    one = catalogue.metrics["own"]
    assert (one.meaning, one.section("Formula"), one.unit) == ("Twice the margin.", "times * reward_margin", "x")
    with using(catalogue), pytest.raises(SettingsError, match=r"own\.times cannot be 'a'"):
        registry.check_options({"own": {"times": "a"}})


def test_two_files_of_one_name_do_not_meet(write: Callable[..., Path]) -> None:
    first = write(OWN, "a/mine.py")
    second = write(OWN.replace("times: float = 2.0", "times: float = 5.0"), "b/mine.py")
    modules, before = set(sys.modules), dict(installed().metrics)
    one, two = catalogue_of([first]), catalogue_of([second])
    assert (computed(one), computed(two)) == ([6.0, 0.0], [15.0, 0.0])
    assert dict(installed().metrics) == before
    assert "own" not in in_force().metrics
    assert {name for name in set(sys.modules) - modules if "mine" in name} == set()
    assert set(curate.catalogue(first)) - set(curate.catalogue()) == {"own"}


def test_an_edited_file_is_read_again(write: Callable[..., Path]) -> None:
    before = catalogue_of([write(OWN)])
    after = catalogue_of([write(OWN.replace("2.0", "4.0"))])
    assert computed(after) == [12.0, 0.0]
    assert before.facts()["metrics"].keys() == after.facts()["metrics"].keys() == {"mine.py"}
    assert before.facts() != after.facts()


def test_facts_do_not_depend_on_the_order_or_the_folder_of_files(write: Callable[..., Path]) -> None:
    other = OWN.replace("def own", "def other")
    first, second = write(OWN, "a/mine.py"), write(other, "b/mine.py")
    facts = catalogue_of([first, second]).facts()
    assert facts == catalogue_of([second, first]).facts()
    assert facts == catalogue_of([write(OWN, "c/mine.py"), second, second]).facts()
    assert len(facts["metrics"]["mine.py"].split()) == 2
    assert installed().facts() == {}


def test_a_context_ends_with_its_call_and_does_not_reach_other_threads(write: Callable[..., Path]) -> None:
    seen: list[bool] = []
    with using(catalogue_of([write(OWN)])):
        assert "own" in registry.all_metrics()
        thread = threading.Thread(target=lambda: seen.append("own" in registry.all_metrics()))
        thread.start()
        thread.join()
    assert seen == [False]
    assert "own" not in registry.all_metrics()
    with pytest.raises(KeyError), using(catalogue_of([write(OWN)])):
        raise KeyError
    assert "own" not in registry.all_metrics()


def test_a_file_that_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    error = refused(tmp_path / "no.py")
    assert error.what == "There is no such file of metrics."
    assert error.where == f"--metrics {tmp_path / 'no.py'}"
    assert str(error).splitlines()[1] == f"metrics={str(tmp_path / 'no.py')!r}"
    assert "not a regular file" in refused(tmp_path).what


@pytest.mark.parametrize(
    ("source", "said", "line"),
    [
        ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'", 5),
        ("def helper():\n    return 1 / 0\n\nhelper()\n", "ZeroDivisionError: division by zero", 6),
        ("import json\njson.loads('{')\n", "JSONDecodeError", 6),
        ("x = (\n", "SyntaxError: '(' was never closed", 5),
        ("raise SystemExit(0)\n", "SystemExit", 5),
        ("@metric(prefer='high')\ndef own(a): ...\n", "TypeError", 5),
        (declared("...", signature="a, *, b=1"), "needs a type and a default", 5),
        (declared("...", signature="a, *, b: float"), "needs a type and a default", 5),
    ],
)
def test_a_file_that_raises_names_its_line(write: Callable[..., Path], source: str, said: str, line: int) -> None:
    path = write(source)
    error = refused(path)
    assert said in error.what
    assert error.where.startswith(f"{path}:{line}"), error.where
    assert (error.setting, error.value) == ("metrics", path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def own(reward_margin):\n    return reward_margin\n", "declares no metric"),
        ("from curate.metrics.dcrm import dcrm\n", "declares no metric"),
        (declared("...", 'unit="x", prefer="higher"'), "prefers 'higher', which is neither high nor low"),
        (declared("...", 'unit=None, prefer="low"'), "The unit of the metric own is None"),
        (declared("...", signature="*columns"), "does not name each column"),
        (declared("...", signature=""), "reads no column"),
        (declared("...", signature="own"), "reads itself"),
        ("own = metric(unit='x', prefer='low')(lambda reward_margin: reward_margin)\n", "is not a name"),
    ],
)
def test_a_declaration_that_says_too_little(write: Callable[..., Path], source: str, said: str) -> None:
    assert said in refused(write(source)).what


@pytest.mark.parametrize(
    "name", ["edit_distance", "chosen_reward", "chosen_reward_mine", "rewards_mine", "flags", "prompt", "weight"]
)
def test_the_name_of_a_column_is_taken(write: Callable[..., Path], name: str) -> None:
    path = write(OWN.replace("def own", f"def {name}"))
    error = refused(path)
    assert error.what == f"The metric {name} has the name of a column that curate writes or reads."
    assert error.where == f"{path}:5"


def test_the_name_of_another_metric_is_taken(write: Callable[..., Path]) -> None:
    error = refused(write(OWN.replace("def own", "def dcrm")))
    assert error.what == "There are two metrics called dcrm."
    assert "mine.py:5 and " in error.where
    assert error.where.endswith(f"dcrm.py:{error.where.rpartition(':')[2]}")
    first, second = write(OWN), write(OWN, "other.py")
    error = refused(first, second)
    assert (error.what, error.where) == ("There are two metrics called own.", f"{second}:5 and {first}:5")
    assert "two metrics called own" in refused(write(f"{OWN}\nfirst = own\n\n{OWN}")).what


def test_metrics_that_read_each_other(write: Callable[..., Path]) -> None:
    circle = declared("return other", signature="other") + declared("return own", signature="own").replace(
        "def own", "def other"
    )
    assert refused(write(circle)).what == "The metrics own and other read each other."


def test_a_metric_may_be_imported_into_two_files(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Siblings are found in the working folder, as those of a reward function are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(OWN, "shared_by_two_files.py")
    files = [
        write(f"from shared_by_two_files import own\n{OWN.replace('def own', f'def {name}')}", f"{name}.py")
        for name in ("one", "two")
    ]
    try:
        assert {"own", "one", "two"} <= catalogue_of(files).metrics.keys()
    finally:
        sys.modules.pop("shared_by_two_files", None)


@pytest.mark.parametrize(
    ("body", "said", "line"),
    [
        ("return 1 / 0", "The metric own raised ZeroDivisionError: division by zero", 7),
        ("return reward_margin + reward_margin.str.len_chars()", "The metric own raised", 7),
        ("return reward_margin[:1]", "The metric own returned 1 values for 2 rows.", 5),
        ("return reward_margin.mean()", "The metric own returned a float, not a Polars Series.", 5),
        ("return reward_margin.to_list()", "The metric own returned a list, not a Polars Series.", 5),
        ("pass", "The metric own returned a NoneType, not a Polars Series.", 5),
        ("return reward_margin.cast(pl.String)", "The metric own returned values of the type String, not numbers.", 5),
    ],
)
def test_a_metric_that_fails_when_it_runs(write: Callable[..., Path], body: str, said: str, line: int) -> None:
    path = write(declared(body))
    with pytest.raises(SettingsError) as caught:
        computed(catalogue_of([path]))
    assert said in caught.value.what
    assert caught.value.where.startswith(f"{path}:{line}")
    assert "whole columns" in caught.value.hint


MANY = pl.DataFrame({"chosen_reward": [float(i * i % 11) for i in range(50)], "rejected_reward": [0.5] * 50})


@pytest.mark.parametrize(
    "body",
    [
        "return reward_margin - reward_margin.mean()",
        "return reward_margin.rank()",
        "return reward_margin.shift(-1)",
        "return reward_margin.sort()",
    ],
)
def test_a_metric_over_the_whole_table_must_say_so(write: Callable[..., Path], body: str) -> None:
    path = write(declared(body))
    with using(catalogue_of([path])), pytest.raises(SettingsError) as caught:
        registry.compute("own", MANY, {})
    assert caught.value.what == "The metric own gives rows other values when other rows are left out."
    assert caught.value.where == f"{path}:5"
    assert "population=True" in caught.value.hint
    said = write(declared(body, 'unit="x", prefer="high", population=True'))
    with using(catalogue_of([said])):
        assert registry.compute("own", MANY, {})[0].len() == 50
        assert registry.depends_on_population("own", {}, frozenset(MANY.columns))


def test_a_metric_of_each_row_alone_may_have_nulls_and_infinities(write: Callable[..., Path]) -> None:
    catalogue = catalogue_of([write(declared("return (1 / (reward_margin - 0.5)).log()"))])
    frame = MANY.with_columns(chosen_reward=pl.when(pl.col("chosen_reward") != 4).then("chosen_reward"))
    with using(catalogue):
        for rows in (1, 2, 3, 50, 7):
            found = registry.compute("own", frame.head(rows), {})[0]
            assert found.to_list() == registry.compute("own", frame, {})[0].head(rows).to_list()
    nulls_first = frame.with_columns(chosen_reward=pl.when(pl.int_range(50) > 30).then("chosen_reward"))
    with using(catalogue_of([write(declared("return reward_margin - 1"))])):
        assert registry.compute("own", nulls_first, {})[0].null_count() > 30


def test_nulls_and_truths_are_numbers_too(write: Callable[..., Path]) -> None:
    assert computed(catalogue_of([write(declared("return reward_margin > 1"))])) == [1.0, 0.0]
    assert computed(catalogue_of([write(declared("return reward_margin / 0"))])) == [None, None]
    assert computed(catalogue_of([write(declared("return pl.Series([None] * reward_margin.len())"))])) == [None, None]


def test_what_a_metric_needs_may_fail_too(write: Callable[..., Path]) -> None:
    path = write(declared("...", 'unit="x", prefer="low", needs=lambda p: [][0]', "measured"))
    assert "The metric own raised IndexError" in refused(path).what


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a package of metrics in a folder on the path, and takes it back."""

    def install(source: str, value: str = "acme_metrics_of_a_test", name: str = "acme-metrics") -> None:
        (tmp_path / "acme_metrics_of_a_test.py").write_text(HEAD + source)
        info = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[curate.metrics]\n{name} = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        installed.cache_clear()

    yield install
    monkeypatch.undo()
    sys.modules.pop("acme_metrics_of_a_test", None)
    installed.cache_clear()


@pytest.mark.parametrize("value", ["acme_metrics_of_a_test", "acme_metrics_of_a_test:own"])
def test_an_installed_package_offers_metrics(package: Callable[..., None], value: str) -> None:
    assert "own" not in registry.all_metrics()
    package(OWN, value)
    assert registry.compute("own", REWARDS, {})[0].to_list() == [6.0, 0.0]
    assert installed().versions() == {"acme-metrics": "1.2"}
    assert (installed().facts(), installed().origin("own"), installed().origin("dcrm")) == ({}, "acme-metrics", "")
    assert "own" in curate.catalogue()


@pytest.mark.parametrize(
    ("source", "value", "said"),
    [
        ("1 / 0\n", "acme_metrics_of_a_test", "acme-metrics cannot be imported: ZeroDivisionError"),
        (OWN, "acme_no_such_module", "acme-metrics cannot be imported: ModuleNotFoundError"),
        (OWN, "acme_metrics_of_a_test:no", "acme-metrics cannot be imported: AttributeError"),
        (OWN, "acme_metrics_of_a_test:HEAD", "acme-metrics cannot be imported: AttributeError"),
        ("THREE = 3\n", "acme_metrics_of_a_test:THREE", "acme-metrics offers 3, which is neither a metric nor"),
        ("THREE = 3\n", "acme_metrics_of_a_test", "acme-metrics declares no metric"),
        (OWN.replace("def own", "def dcrm"), "acme_metrics_of_a_test", "There are two metrics called dcrm."),
    ],
)
def test_a_broken_package_is_named(package: Callable[..., None], source: str, value: str, said: str) -> None:
    package(source, value)
    with pytest.raises(SettingsError) as caught:
        registry.all_metrics()
    assert said in caught.value.what
    assert "acme" in caught.value.where
    assert caught.value.hint


def test_a_file_s_metric_cannot_have_the_name_of_a_package_s(
    package: Callable[..., None], write: Callable[..., Path]
) -> None:
    package(OWN)
    assert refused(write(OWN)).what == "There are two metrics called own."


def test_a_package_that_fails_when_it_runs(package: Callable[..., None]) -> None:
    package(declared("return 1 / 0"))
    with pytest.raises(CurateError, match="The metric own raised ZeroDivisionError") as caught:
        registry.compute("own", REWARDS, {})
    assert "acme_metrics_of_a_test.py:7, in own" in caught.value.where

"""No room, file or function of the package is so large that nobody reads it through."""

from pathlib import Path

from tests.docs.sizes import MOST_FILES, MOST_LINES, MOST_LINES_OF_A_FUNCTION, functions, rooms, table


def test_every_room_is_small() -> None:
    found = rooms()
    assert len(found) > 20
    large = {name for name, files in found.items() if len(files) > MOST_FILES}
    assert large == {"curate/metrics", "curate/jobs"}  # a file a metric, a file a command


def test_every_file_is_short() -> None:
    assert [file for files in rooms().values() for file in files if file.lines > MOST_LINES] == []


def test_every_function_is_short() -> None:
    assert [one for one in functions() if one.lines > MOST_LINES_OF_A_FUNCTION] == []


def test_a_function_is_measured_by_its_body(tmp_path: Path) -> None:
    body = "    x = (\n        1\n    )\n\n    return x\n"
    (tmp_path / "one.py").write_text(f'@cache\ndef f(\n    a,\n):\n    """What it is.\n\n    More.\n    """\n{body}')
    assert [(one.lines, one.name) for one in functions(tmp_path)] == [(5, f"{tmp_path.name}/one.py: f")]


def test_the_table_has_every_room_and_the_longest() -> None:
    lines = table().splitlines()
    assert [line.split()[0] for line in lines[1:-3]] == list(rooms())
    assert max(functions()).name in lines[-1]

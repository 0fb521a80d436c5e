import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_strategies import trees_with_tables

from nas.errors import InputError
from nas.tree import BranchTree, read_tree, write_tree

# Every example overwrites the same file, so one folder for all is right.
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@one_folder
@given(trees_with_tables(), st.booleans())
def test_a_written_tree_is_read_back(tmp_path, tree_and_table, with_cost):
    tree, table = tree_and_table
    tree = tree.with_cost(table) if with_cost else tree
    write_tree(tree, tmp_path / "tree.json")
    again = read_tree(tmp_path / "tree.json")
    assert again == tree
    assert (again.tasks, again.blocks, again.cost) == (tree.tasks, tree.blocks, tree.cost)
    assert json.loads((tmp_path / "tree.json").read_text(encoding="utf-8")) == tree.to_dict()


def test_a_tree_file_has_one_block_a_line(tmp_path):
    tree = BranchTree.from_choices(["Tiefe", "Kanten", "größe"], [[0, 0, 0], [0, 1, 0]])
    write_tree(tree, tmp_path / "tree.json")
    assert (tmp_path / "tree.json").read_text(encoding="utf-8") == (
        "{\n"
        '  "schema_version": 1,\n'
        '  "tasks": ["Tiefe", "Kanten", "größe"],\n'
        '  "blocks": ["block0", "block1"],\n'
        '  "partitions": [\n'
        '    [["Tiefe", "Kanten", "größe"]],\n'
        '    [["Tiefe", "größe"], ["Kanten"]]\n'
        "  ]\n"
        "}\n"
    )


VALID = '{"schema_version": 1, "tasks": ["a", "b"], "partitions": [[["a"], ["b"]]]%s}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1, 2", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", "a tree is a JSON object"),
        (b'"tree"', "a tree is a JSON object"),
        ((VALID % ', "tasks": ["a"]').encode(), "'tasks' occurs twice"),
        ((VALID % ', "cost": {"macs": NaN}').encode(), "NaN"),
        ((VALID % ', "cost": {"macs": -Infinity}').encode(), "-Infinity"),
        ((VALID % ', "cost": {"macs": 1e999}').encode(), "cost in macs"),
        ((VALID % (', "cost": {"macs": 1' + "0" * 400 + "}")).encode(), "cost in macs"),
        ((VALID % (', "cost": {"macs": 1' + "0" * 5000 + "}")).encode(), "integer"),
        ((VALID % ', "cost": {"macs": -1}').encode(), "cost in macs"),
        ((VALID % ', "blocks": ["\\ud800"]').encode(), "printable"),
        ((VALID % ', "blocks": [1]').encode(), "list of strings"),
        ((VALID % (', "blocks": ' + "[" * 400 + "]" * 400)).encode(), "list of strings"),
        ((VALID.replace('[["a"], ["b"]]', '[["a"]]') % "").encode(), "leaves out"),
        (
            json.dumps({"schema_version": 1, "tasks": [str(i) for i in range(1024)], "partitions": [[]]}).encode(),
            "leaves out",
        ),
    ],
)
def test_a_broken_file_is_told_in_one_line_with_its_path(tmp_path, content, message):
    (tmp_path / "tree.json").write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_tree(tmp_path / "tree.json")
    assert str(raised.value).startswith(f"{tmp_path / 'tree.json'}: ")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: no such file"):
        read_tree(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_tree(tmp_path)


@one_folder
@given(trees_with_tables(), st.data())
def test_a_damaged_file_is_a_tree_or_an_input_error(tmp_path, tree_and_table, data):
    tree, table = tree_and_table
    path = tmp_path / "tree.json"
    write_tree(tree.with_cost(table), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = min(start + data.draw(st.integers(0, 30)), len(content))
        content[start:stop] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"[", b"]", b"{", b"1", b'"', b",", b""])
        )
    path.write_bytes(bytes(content))
    told = f"{path}: "
    try:
        read_tree(path)
    except InputError as error:
        told = str(error)
    assert told.startswith(f"{path}: ")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("num_tasks", "partitions", "message"),
    [
        (1025, lambda tasks: [[tasks]], "a tree of 1025 tasks; 1024 are the most"),
        (2, lambda tasks: [[tasks]] * 1025, "a tree of 1025 blocks; 1024 are the most"),
        (200, lambda tasks: [[[task] for task in tasks]] * 500, r"a tree of 100200 parts .*; 100000 are the most"),
    ],
)
def test_a_tree_larger_than_any_network_is_refused(num_tasks, partitions, message, tmp_path):
    tasks = [f"t{i}" for i in range(num_tasks)]
    record = {"schema_version": 1, "tasks": tasks, "partitions": partitions(tasks)}
    (tmp_path / "tree.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=message):
        read_tree(tmp_path / "tree.json")

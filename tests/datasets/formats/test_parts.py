import h5py
import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.formats.described import Asked
from opforge.datasets.formats.parts import (
    Contents,
    check_sizes,
    coordinate,
    group_at,
    is_within,
    names_in,
    plain_attributes,
    plain_value,
    sizes_of,
    times_of,
)
from opforge.datasets.reading.stored import Stored
from opforge.errors import InputError

FIELDS = {
    "u": Stored(("u",), ("sample", "time", "x")),
    "k": Stored(("k",), ("sample", "x")),
    "g": Stored(("g",), ("x",)),
}


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["a/b"] = np.arange(3.0)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["a/b"] = np.arange(3.0)
        file["outside"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/a")
        file["inside"] = h5py.SoftLink("/a")
        file["nowhere"] = h5py.SoftLink("/none")
        yield file


def test_a_choice_of_fields():
    contents = Contents(Grid((8,)), 3, FIELDS, ("u", "k"), ("u",), (0.0, 1.0), {"a": 1}, {"k": {}, "g": {}, "time": {}})
    usual = contents.chosen(Asked())
    assert (usual.header.inputs, usual.header.outputs, usual.header.evolving) == (("u", "k"), ("u",), ("u",))
    assert usual.header.times == (0.0, 1.0) and usual.header.provenance == {"a": 1, "samples": 3}
    assert usual.available == ("u", "k", "g") and usual.header.labels.keys() == {"k", "time"}
    other = contents.chosen(Asked(("g",), ("k",)))
    assert (other.header.names, other.header.evolving, other.header.times) == (("g", "k"), (), ())
    assert other.fields.keys() == {"g", "k"}


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (Asked(("q",), ("u",)), "unknown field 'q'; Known: g, k, u"),
        (Asked(), "does not say which fields are inputs and which are outputs; .* it has: u, k, g"),
        (Asked(("u",)), "does not say which"),
    ],
)
def test_fields_that_nobody_chose(asked, match):
    with pytest.raises(InputError, match=match):
        Contents(Grid((8,)), 3, FIELDS).chosen(asked)


def test_groups_are_found_without_following_links(file):
    assert group_at(file, "a").name == "/a"
    file.create_dataset(b"\xff", (3,), "f8")  # a name that is no UTF-8 belongs to no layout
    assert names_in(file) == {"a", "outside", "inside", "nowhere"}
    assert [is_within(file, name) for name in ("a", "outside", "inside", "nowhere")] == [True, False, False, False]
    for path, match in [
        ("b", "group 'b' is missing"),
        ("a/b", "group 'a/b' is an array"),
        *[(name, f"group '{name}' is a link, which is not followed") for name in ("outside", "inside", "nowhere")],
        ("outside/a", "group 'outside/a' is a link"),
    ]:
        with pytest.raises(InputError, match=match):
            group_at(file, path)


def test_attributes_are_plain_values(file):
    file.attrs["flag"], file.attrs["list"], file.attrs["names"] = True, [1, 2], ["a", "b"]
    file.attrs["empty"], file.attrs["reference"] = h5py.Empty("f"), file["a"].ref
    file.attrs["no names"] = np.array([], dtype=h5py.string_dtype())
    found = plain_attributes(file)
    assert found == {"flag": True, "list": [1, 2], "names": ["a", "b"], "no names": []}
    assert [type(value) for value in found.values()] == [bool, list, list, list]
    assert plain_value(np.float32(0.5)) == 0.5 and plain_value(np.array([["a"]])) == [["a"]]


def test_sizes(file):
    file["u"] = np.zeros((3, 5, 8, 2))
    axes = ("sample", "time", "x", 1)
    sizes = {"sample": 3, "time": 5, "x": 8}
    assert sizes_of("u", file["u"], axes) == sizes
    check_sizes("u", file["u"], axes, sizes, components=2)
    with pytest.raises(InputError, match=r"'u' must have the axes \(sample, x\), got shape \(3, 5, 8, 2\)"):
        sizes_of("u", file["u"], ("sample", "x"))
    with pytest.raises(InputError, match="'u' must have the size 9 along x"):
        check_sizes("u", file["u"], axes, sizes | {"x": 9}, components=2)
    with pytest.raises(InputError, match="'u' must have the size 3 for components"):
        check_sizes("u", file["u"], axes, sizes, components=3)


def test_coordinates(file):
    assert coordinate(file, "a/b", 2, 3).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"coordinate 'a/b' must have 4 or 5 numbers, got shape \(3,\)"):
        coordinate(file, "a/b", 4, 5)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([1.0], "'t' has 1 frame"),
        ([0.0, 0.0], "'t' must increase"),
        ([0.0, np.nan], "'t' must increase"),
        ([[0.0, 1.0], [1.0, 0.0]], "'t' must increase"),
    ],
)
def test_times_that_are_refused(values, match):
    with pytest.raises(InputError, match=match):
        times_of(np.array(values), "t")

import h5netcdf
import h5py
import numpy as np
import pytest

from opforge.datasets.files.contents import array_at, attributes_of, check_members, find_variable, one_line
from opforge.errors import InputError


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w", libver="latest") as file:
        file["a"] = np.arange(12.0).reshape(3, 4)
        file["g/b"] = np.arange(3)
        yield file


def unknown_filter(file):
    """An array that is compressed by a filter that no build of HDF5 has."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, 4))
    properties.set_filter(32111, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"v", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3, 4)), properties)


def virtual(file):
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "a", (3,))
    file.create_virtual_dataset("v", layout)


def new(*arguments, **options):
    """What makes an array "v"."""
    return lambda file: file.create_dataset("v", *arguments, **options)


def put(value):
    """What keeps a link or a type as "v"."""
    return lambda file: file.__setitem__("v", value)


# how "v" is refused -> what makes it
WRONG = {
    "is missing": lambda file: None,
    "is a group of variables, expected an array of numbers": lambda file: file.create_group("v"),
    "is a type, expected an array of numbers": put(np.dtype("f8")),
    "must hold real numbers, got text": new(data=np.array(["p"], dtype=object)),
    "real numbers, got text": new(data=np.array([b"p"])),
    "got compounds": new((3,), [("p", "f4"), ("q", "i4")]),
    "got an enumeration": new((3,), h5py.enum_dtype({"red": 0, "green": 1})),
    "got references": new((3,), h5py.ref_dtype),
    "got rows of different lengths": new((3,), h5py.vlen_dtype("f4")),
    "got complex numbers": new((3,), complex),
    r"is empty, its shape is \(3, 0\)": new((3, 0), "f8"),
    "is empty, its shape is None": new(data=h5py.Empty("f8")),
    "lies in other files, which are not followed": virtual,
    "in other files, which are not followed; repack it": new((3,), "f8", external=[("/etc/hostname", 0, 24)]),
    "compressed by a filter that is not known here, number 32111; import hdf5plugin": unknown_filter,
    r"takes 8796\.1 GB, too much for a file of .* MB: it was never written": new((2**40,), "f8", chunks=(4,)),
    "is a link to another file, 'other.h5', which is not followed": put(h5py.ExternalLink("other.h5", "/a")),
    "is a link that leads nowhere, 'none' is missing": put(h5py.SoftLink("/g/none")),
    "is a link that leads in circles": put(h5py.SoftLink("/v")),
}


@pytest.mark.parametrize("match", WRONG)
def test_what_is_no_array_of_numbers_is_refused(file, match):
    WRONG[match](file)
    with pytest.raises(InputError, match=f"variable 'v' .*{match}"):
        array_at(file, "v")


def test_arrays_are_found_by_their_paths(file):
    np.testing.assert_array_equal(array_at(file, "a")[...], np.arange(12.0).reshape(3, 4))
    assert array_at(file, "/g/b").name == array_at(file["g"], "b").name == "/g/b"
    assert array_at(file["g"], "b").shape == (3,)
    file["truth"] = np.ones(3, bool)
    assert array_at(file, "truth").dtype == bool
    file["number"] = 1.0
    assert array_at(file, "number").shape == ()


def test_links_within_the_file_are_followed(file):
    file["g/up"] = h5py.SoftLink("/a")
    file["g/beside"] = h5py.SoftLink("./b")
    file["twice"] = h5py.SoftLink("g/up")
    assert array_at(file, "g/up").name == array_at(file, "twice").name
    assert array_at(file["g"], "beside").shape == (3,)


def test_a_link_through_another_file_is_not_followed(file):
    file["out"] = h5py.ExternalLink("other.h5", "/")
    file["v"] = h5py.SoftLink("/out/a")
    with pytest.raises(InputError, match=r"variable 'v' is a link to another file, 'other\.h5'"):
        array_at(file, "v")


def test_attributes_are_what_they_were(file):
    file["a"].attrs.update({"text": "höhe", "number": 2.5, "rows": [1, 2]})
    found = attributes_of(file["a"])
    assert (found["text"], found["number"], list(found["rows"])) == ("höhe", 2.5, [1, 2])
    assert attributes_of(file) == {}


BIG = {
    "text": "x" * 2_000_000,
    "bytes": np.bytes_(b"x" * 2_000_000),
    "numbers": np.zeros(250_000),
    "texts": np.array(["x" * 200_000] * 10, dtype=object),
}


@pytest.mark.parametrize("kind", BIG)
def test_huge_attributes_are_not_read(file, kind):
    file["a"].attrs["big"] = BIG[kind]
    with pytest.raises(InputError, match=r"the attribute 'big' takes 2\.0 MB, at most 1\.0 MB are read; delete it or"):
        attributes_of(file["a"])


def test_attributes_that_describe_nothing_are_left_out(file):
    file.attrs["reference"] = file["a"].ref
    assert attributes_of(file) == {}


def test_bytes_that_are_no_text_can_be_printed(file):
    file.attrs.create("value", b"\xff\xfe", dtype=h5py.string_dtype("utf-8"))
    h5py.h5a.create(file.id, b"\xffname", h5py.h5t.NATIVE_INT32, h5py.h5s.create(h5py.h5s.SCALAR))
    found = attributes_of(file)
    assert found["value"] == "\ufffd\ufffd"
    assert "\ufffdname" in found


def test_members_that_are_in_order(file):
    file["g/link"] = h5py.SoftLink("/a")
    file["g/again"] = file["a"]
    file["g"].attrs["text"] = "some"
    check_members(file)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda file: file["g"].__setitem__("v", h5py.ExternalLink("o.h5", "/a")),
            "variable 'g/v' is a link to another",
        ),
        (
            lambda file: file["g"].__setitem__("v", h5py.SoftLink("/none")),
            "variable 'g/v' is a link that leads nowhere",
        ),
        (lambda file: file["g"].__setitem__("g", file["g"]), "group 'g/g' is there by another name too"),
        (lambda file: file["g"].__setitem__("root", file["/"]), "group 'g/root' is there by another name too"),
        (lambda file: file["g"].create_dataset(b"\xff", (3,), "f8"), r"the name b'\\xff' is no UTF-8"),
        (lambda file: file["g/b"].attrs.__setitem__("big", np.zeros(250_000)), "the attribute 'big' takes 2.0 MB"),
        (lambda file: virtual(file["g"]), "variable 'g/v' lies in other files"),
    ],
)
def test_members_that_lead_astray(file, change, match):
    change(file)
    with pytest.raises(InputError, match=match):
        check_members(file)


def test_members_of_a_group_that_is_copied(file):
    """Of text, the size is known only once it is read. What is beside the group does not matter."""
    file["v"] = h5py.ExternalLink("other.h5", "/a")
    file["g"].create_group("h").attrs["text"] = "x" * 2**21
    with pytest.raises(InputError, match=r"the attribute 'text' takes 2\.1 MB"):
        check_members(file["g"], "g")
    del file["g/h"].attrs["text"]
    check_members(file["g"], "g")
    file["g/h/v"] = h5py.ExternalLink("other.h5", "/a")
    with pytest.raises(InputError, match=r"variable 'g/h/v' is a link to another file, 'other\.h5'"):
        check_members(file["g"], "g")


def test_variables_of_netcdf_by_name(tmp_path):
    with h5netcdf.File(tmp_path / "d.nc", "w") as file:
        file.dimensions = {"x": 3}
        file.create_variable("head", ("x",), float)
        file.create_group("g")
        assert find_variable(file, "head").shape == (3,)
        with pytest.raises(InputError, match="the variable 'hed' is missing; did you mean 'head'"):
            find_variable(file, "hed")
        with pytest.raises(InputError, match="variable 'g' is a group of variables, expected an array of numbers"):
            find_variable(file, "g")


def test_one_line_leaves_what_can_be_printed():
    assert one_line("höhe 'a' → b") == "höhe 'a' → b"
    assert one_line("a\r\n\x1b[31m\udcff") == r"a\r\n\x1b[31m\udcff"

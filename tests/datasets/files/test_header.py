import json
from dataclasses import replace

import numpy as np
import pytest

from opforge.core import Grid
from opforge.datasets.files.header import Header
from opforge.errors import InputError, UnknownNameError
from opforge.pdes import Darcy

PROVENANCE = {
    "equation": "darcy",
    "equation_parameters": {"ndim": 2, "forcing": 2.0},
    "recipe": "darcy",
    "recipe_parameters": {"tau": 3.0},
    "seed": 4,
    "tolerance": 1e-8,
    "samples": 5,
}
HEADER = Header(("a",), ("u",), Grid((3, 4)), 5, Darcy(forcing=2.0), PROVENANCE)


def test_attributes_make_the_header_again():
    assert Header.from_attributes(HEADER.to_attributes(), 5) == HEADER


def test_attributes_are_text_and_numbers():
    attributes = HEADER.to_attributes()
    assert all(isinstance(value, str | int | float) for value in attributes.values())
    assert json.loads(attributes["equation_parameters"]) == {"ndim": 2, "forcing": 2.0}
    assert attributes["inputs"] == "a"


def test_provenance_is_plain_also_from_a_file():
    attributes = {**HEADER.to_attributes(), "seed": np.int64(4), "tolerance": np.float64(1e-8)}
    provenance = Header.from_attributes(attributes, 5).provenance
    assert provenance == PROVENANCE
    json.dumps(provenance)


def test_equation_is_optional():
    attributes = Header(("a",), ("u",), Grid((3,)), 5).to_attributes()
    header = Header.from_attributes(attributes, 5)
    assert header.equation is None
    assert header.provenance == {"samples": 5}


def test_fields_are_described_by_the_equation_or_by_their_name():
    assert HEADER.describe("a") == {"long_name": "permeability", "units": "1"}
    assert HEADER.describe("other") == {"long_name": "other", "units": "1"}


@pytest.mark.parametrize("name", ["inputs", "outputs", "grid", "equation_parameters"])
def test_missing_attribute_is_named(name):
    attributes = HEADER.to_attributes()
    del attributes[name]
    with pytest.raises(InputError, match=f"the attribute {name!r} is missing"):
        Header.from_attributes(attributes, 5)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("grid", "not json", "'grid' does not describe a grid"),
        ("grid", "[1, 2]", "'grid' does not describe a grid"),
        ("grid", '{"shape": [4]}', "'grid' does not describe a grid"),
        (
            "grid",
            '{"shape": [-4], "lengths": [1], "points": "cells", "origin": [0]}',
            "'grid' does not describe a grid",
        ),
        ("equation_parameters", "{", "'equation_parameters' is not JSON text"),
        ("equation_parameters", "[]x", "'equation_parameters' is not JSON text"),
        ("recipe_parameters", 3.0, "'recipe_parameters' is not JSON text"),
        ("equation", "darxy", "'equation' names 'darxy', which this version lacks; known: .*darcy"),
    ],
)
def test_wrong_attribute_is_named(name, value, match):
    with pytest.raises(InputError, match=match):
        Header.from_attributes({**HEADER.to_attributes(), name: value}, 5)


def test_unknown_parameter_of_the_equation_is_named():
    with pytest.raises(UnknownNameError, match="'viscosity'"):
        Header.from_attributes({**HEADER.to_attributes(), "equation_parameters": '{"viscosity": 1}'}, 5)


def test_drawn_parameters_are_named_where_there_are_some():
    assert "drawn" not in HEADER.to_attributes() and HEADER.drawn == ()
    header = replace(HEADER, drawn=("nu", "k"), labels={"nu": {"long_name": "viscosity", "units": "m2 s-1"}})
    assert header.to_attributes() == {**HEADER.to_attributes(), "drawn": "nu k"}
    back = Header.from_attributes(header.to_attributes(), 5)
    assert back.drawn == ("nu", "k") and back.provenance == PROVENANCE
    assert header.dimensions("nu") == {"sample": 5} and header.shape("k") == ()
    assert header.describe("nu") == {"long_name": "viscosity", "units": "m2 s-1"}
    assert "nu" not in header.names and header.shard(1, 2).whole() == header


def test_a_drawn_parameter_has_no_constant():
    labels = {"forcing": {"long_name": "load", "units": "1"}}
    attributes = replace(HEADER, drawn=("forcing",), labels=labels).to_attributes()
    assert json.loads(attributes["equation_parameters"]) == {"ndim": 2}
    back = Header.from_attributes(attributes, 5)
    assert back.provenance["equation_parameters"] == {"ndim": 2} and back.equation == Darcy()
    older = Header.from_attributes({**attributes, "equation_parameters": '{"ndim": 2, "forcing": 2.0}'}, 5)
    assert older.provenance["equation_parameters"] == {"ndim": 2} and older.equation == Darcy(forcing=2.0)
    assert older.to_attributes()["equation_parameters"] == attributes["equation_parameters"]


def test_what_another_program_calls_drawn_is_no_parameter():
    header = replace(HEADER, provenance={**PROVENANCE, "drawn": "by hand"})
    assert "drawn" not in header.to_attributes()


@pytest.mark.parametrize("drawn", [("u",), ("time",), ("seed",), ("x",), ("checksum",), ("nu", "nu")])
def test_drawn_parameters_have_names_of_their_own(drawn):
    with pytest.raises(InputError, match=f"drawn must name parameters .*, got '{drawn[-1]}'"):
        replace(HEADER, drawn=drawn)
    with pytest.raises(InputError, match="drawn must name parameters"):
        Header.from_attributes({**HEADER.to_attributes(), "drawn": " ".join(drawn)}, 5)

from opforge import generate
from opforge.datasets.quality.spectra import spectra
from opforge.datasets.quality.summary import Promise, Summary, summarise
from opforge.datasets.quality.tables import (
    drawn_table,
    failures,
    field_table,
    promise_table,
    provenance_of,
    quality_tables,
    verification_table,
)
from opforge.datasets.quality.verification import Change, Verification, verify


def summary(**changes):
    known = {"samples": 3, "failed": 0, "reasons": (), "ranges": {}, "checked": True, "residual": None, "promises": ()}
    return Summary(**{**known, **changes})


def test_every_row_has_a_cell_for_every_column():
    data = generate("darcy", 3, 8)
    found = summarise(data)
    tables = [field_table(data, found), *quality_tables(data, found, spectra(data), verify(data, 1))]
    assert [table.title for table in tables] == ["fields", "invariants", "spectra", "data error"]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}
        if table.title != "invariants":
            assert [row[0] for row in table.rows] == ["a", "u"]


def test_roles(waves):
    data = waves(1, still=True)
    assert [row[1] for row in field_table(data, summarise(data)).rows] == ["input and output, evolves", "input"]


def test_a_promise_that_is_broken_is_seen():
    kept, broken = Promise("mass", "is kept", 0.0, 0, 1e-9), Promise("sign", "u >= 0", 0.5, 2, 1e-9)
    table = promise_table(summary(promises=(kept, broken)))
    assert [row[-1] for row in table.rows] == ["yes", "NO"]
    assert table.rows[1][2:4] == (0.5, 2)


def test_what_could_not_be_made_is_left_open():
    data = generate("darcy", 1, 8)
    found = Verification((0,), "the same", {}, {"u": Change(1e-9, 2e-9)}, {}, {}, {}, ("Not made: too large.",))
    table = verification_table(data, found)
    assert table.rows[1][2:] == (1e-9, 2e-9, None, None, None, None)
    assert (
        "Samples 0 made again from their seeds: the same." in table.below and table.below[-1] == "Not made: too large."
    )


def test_failures_beyond_the_room_of_the_file_are_counted():
    assert failures(summary(failed=3, reasons=("sample 1: x", "sample 4: y"))) == [
        "sample 1: x",
        "sample 4: y",
        "and 1 more",
    ]
    assert failures(summary(failed=1, reasons=("sample 1: x",))) == ["sample 1: x"]
    assert failures(summary(failed=2)) == []


def test_drawn_parameters_have_a_table(loaded):
    data = generate(loaded, 3, 16)
    table = drawn_table(data, summarise(data))
    assert [row[:3] for row in table.rows] == [
        ("forcing", "strength of the load", "Pa m-2"),
        ("shift", "a number that changes nothing", "1"),
    ]
    values = data.drawn["forcing"]
    assert table.rows[0][3::2] == (values.min(), values.max())
    assert {len(row) for row in table.rows} == {len(table.columns)}
    least, most = values.min(), values.max()
    made = provenance_of(data, summarise(data))
    assert made["equation_parameters"] == {"ndim": 1, "forcing": f"drawn for each sample, {least:.4g} to {most:.4g}"}
    others = {name: value for name, value in made.items() if name != "equation_parameters"}
    assert others == {name: value for name, value in data.provenance.items() if name != "equation_parameters"}
    assert drawn_table(generate("darcy", 2, 8), summary()).rows == ()

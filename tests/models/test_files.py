import errno
import os

import pytest
import torch

from opforge.errors import InputError
from opforge.models import files


def test_round_trip_of_tensors_that_share_memory_and_are_not_contiguous(tmp_path):
    base = torch.arange(6.0).view(2, 3)
    tensors = {"base": base, "same": base, "turned": base.T, "whole": torch.tensor(7)}
    files.write_tensors(tmp_path / "folder" / "t.safetensors", tensors, {"note": "α"})
    found, metadata = files.read_tensors(tmp_path / "folder" / "t.safetensors")
    torch.testing.assert_close(found, tensors, rtol=0, atol=0)
    assert metadata == {"note": "α"}


def test_json_round_trip(tmp_path):
    values = {"mean": [0.1, 1e-300], "name": "Größe", "grid": None}
    files.write_bytes(tmp_path / "v.json", files.json_bytes(values, what="v.json"))
    assert files.read_json(tmp_path / "v.json") == values


def failing(number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch, number, step):
    path = tmp_path / "v.json"
    files.write_bytes(path, b"old")
    monkeypatch.setattr(files.os, step, failing(number))
    with pytest.raises(InputError, match=os.strerror(number)):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["v.json"]


def test_lines_are_added(tmp_path):
    for line in ("one", "two"):
        files.append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    with pytest.raises(InputError, match="out: cannot write"):
        files.append_line(tmp_path / "missing" / "log", "three")


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="out: cannot write"):
        files.write_bytes(tmp_path / "taken" / "v.json", b"")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": 1} x'])
def test_damaged_json(tmp_path, content):
    (tmp_path / "v.json").write_bytes(content)
    with pytest.raises(InputError, match=r"v\.json is damaged"):
        files.read_json(tmp_path / "v.json")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_cut_off_tensors(tmp_path, keep):
    path = tmp_path / "t.safetensors"
    files.write_tensors(path, {"a": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"t\.safetensors is cut off or damaged") as caught:
        files.read_tensors(path)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_plain():
    with pytest.raises(InputError, match="provenance: expected plain JSON values"):
        files.json_bytes({"a": torch.ones(1)}, what="provenance")

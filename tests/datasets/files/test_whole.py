import errno

import pytest

from opforge.datasets.files.whole import written_whole


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]
    with pytest.raises(OSError, match="full"), written_whole(path) as partial:
        partial.write_text("sec")
        raise OSError(errno.ENOSPC, "disk full")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]

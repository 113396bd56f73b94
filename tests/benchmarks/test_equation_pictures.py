"""The pictures of the equations' pages: every page has its command, and its pictures are there."""

import re

import pytest
from PIL import Image

from opforge.benchmarks.equation_pictures import DOCS, commands, draw
from opforge.errors import WorkError

PAGES = sorted((DOCS / "equations").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_picture_of_a_page_has_its_command_and_is_there(page):
    text = page.read_text()
    shown = re.findall(r"!\[.+\]\(\.\./pictures/equations/(\S+)\)", text)
    if page.stem != "index":
        assert shown and shown == [name for _, name in commands(text)]
        assert all((DOCS / "pictures" / "equations" / name).stat().st_size < 120_000 for name in shown)


def test_a_picture_is_drawn_with_few_colours(tmp_path):
    draw(["simulate", "advection", "--resolution", "32", "--set", "frames=3", "-o", "a.png"], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
    with pytest.raises(WorkError, match=r"simulate nothing -o a\.png failed"):
        draw(["simulate", "nothing", "-o", "a.png"], tmp_path / "b.png")

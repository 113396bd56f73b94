"""Draw the pictures of the equations' pages: each by the command that the page shows.

    python -m opforge.benchmarks.equation_pictures                 # all pages
    python -m opforge.benchmarks.equation_pictures burgers

A page in docs/equations has a line ``opforge simulate RECIPE ... -o NAME.png``; the picture goes, with fewer colours,
to docs/pictures/equations/NAME.png.
"""

from __future__ import annotations

import argparse
import re
import shlex
import tempfile
from pathlib import Path

from opforge.benchmarks.results import FOLDER
from opforge.cli.app import main as opforge
from opforge.errors import WorkError

# That a picture keeps; an octree's, for the median cut spends them on what is common and leaves out the brightest.
_COLOURS = 64

DOCS = FOLDER.parent.parent / "docs"
_COMMAND = re.compile(r"^opforge (simulate .*-o (\S+\.png))$", re.MULTILINE)


def commands(page: str) -> list[tuple[list[str], str]]:
    """The words of every command of a page that makes a picture, and the picture's name.

    Example:
        >>> commands("opforge simulate fisher --seed 3 -o fisher.png")
        [(['simulate', 'fisher', '--seed', '3', '-o', 'fisher.png'], 'fisher.png')]
    """
    return [(shlex.split(words), name) for words, name in _COMMAND.findall(page)]


def draw(words: list[str], target: Path) -> None:
    """Run a command and keep its picture.

    Raises:
        WorkError: the command failed.
    """
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "picture.png")
        if opforge([*words[:-1], str(picture)]):
            raise WorkError(f"{shlex.join(words)} failed")
        with Image.open(picture) as image:
            few = image.convert("RGB").quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            few.save(target, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", metavar="EQUATION", help="all unless given")
    pages = parser.parse_args().pages or sorted(path.stem for path in (DOCS / "equations").glob("*.md"))
    for page in pages:
        for words, name in commands((DOCS / "equations" / f"{page}.md").read_text()):
            draw(words, DOCS / "pictures" / "equations" / name)


if __name__ == "__main__":
    main()

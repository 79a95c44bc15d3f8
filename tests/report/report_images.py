"""Images for pages: a small one whose names mean harm, and one that is as large as one likes."""

from collections.abc import Iterator
from typing import Any, cast

from tests.anatomy.anatomy_images import dissected

from kezuri.anatomy.dissection import Dissection
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.values import APPLICATION, NOBODY, Anatomy, LayerShare, Maker, Owner, Piece
from kezuri.check.image.rule import Made
from kezuri.layer.entry import Entry
from kezuri.report.html_anatomy import anatomy_section

HOSTILE = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=document.title='taken'>",
    "<b>bold</b>",
    "<a href=\"javascript:document.title='taken'\">x</a>",
    "%{label}{0}{}",
    "&lt;b&gt;",
    "__proto__",
    "constructor",
    "esc\x1b[31m",
    "right\u202eleft",
    "byte\udce9",
    "日本語.txt",
    "$x^2$",
    "{{data}}",
    "new\nline",
)


def hostile() -> Dissection:
    """Three layers: files with names that mean harm in directories that do, some of them taken away again, some written
    a second time."""
    slashless = [name.replace("/", "\\") for name in HOSTILE]
    lowest = {f"usr/{name}/{other}": Made(b"x" * (100 + i + j)) for i, name in enumerate(slashless)
              for j, other in enumerate(slashless)}  # fmt: skip
    lowest |= {"app/one": Made(b"1" * 5000), "app/two": Made(b"1" * 5000), "var/gone": Made(b"g" * 20000)}
    lowest |= {"app/link": Made(kind="symlink", link="one"), "app/first": Made(b"2" * 700)}
    middle = {"app/one": Made(b"1" * 5000, mode=0o755), f"usr/{slashless[0]}/new": Made(b"n" * 4000)}
    above = {"var/gone": Made(kind="whiteout"), "app/first": Made(b"3" * 900)}
    makers = (
        Maker("COPY . /", "Dockerfile", 3),
        Maker(f"RUN echo {HOSTILE[0]} ghp_0123456789abcdefghijABCDEFGHIJ012345", "Dockerfile", 4),
        Maker("RUN rm -rf /var/gone", of_base=True, base=HOSTILE[1]),
    )
    return dissected(lowest, middle, above, makers=makers)


class Large:
    """As many files as one likes in directories of a hundred, in two layers; every tenth of the lower one is replaced.
    It is a Dissection as far as a page looks at it."""

    name = "large"
    told: tuple[str, ...] = ()
    owners = (NOBODY, APPLICATION, *(Owner("language", "npm", f"package-{number}", "1.0.0") for number in range(1000)))

    def __init__(self, files: int) -> None:
        self.files = files

    def pieces(self) -> Iterator[Piece]:
        """As Dissection says."""
        for start in range(0, self.files, 100):
            group, one = divmod(start // 100, 100)
            above = f"app/node_modules/package-{group}/lib-{one}"
            yield Piece(Entry(above, "dir"), 0)
            for number in range(start, min(start + 100, self.files)):
                path, size = f"{above}/file-{number}.js", 100 + number % 9973
                if number % 10 == 0:
                    yield Piece(Entry(path, "file", size=size), 1, owner=2 + group % 1000)
                    yield Piece(Entry(path, "file", size=size), 0, "replaced", 1, owner=2 + group % 1000)
                else:
                    yield Piece(Entry(path, "file", size=size), number % 2, owner=2 + group % 1000)

    def dissection(self) -> Dissection:
        """The same, by the name under which a page takes it."""
        return cast(Dissection, self)

    def anatomy(self) -> Anatomy:
        """Its figures."""
        layers = [LayerShare(n, "", Maker(f"COPY layer {n}"), 0, 0, 0, 0) for n in range(2)]
        for piece in self.pieces():
            layer = layers[piece.layer]
            layers[piece.layer] = layer._replace(
                tar=layer.tar + piece.size,
                useful=layer.useful + piece.size * (piece.fate == "shown"),
                wasted=layer.wasted + piece.size * (piece.fate != "shown"),
                entries=layer.entries + 1,
                files=layer.files + (piece.fate == "shown"),
            )
        return Anatomy("large", "", "linux/amd64", tuple(layers), (), (), (), (), (), self.files, 0)


def hostile_section(side: str = "") -> dict[str, Any]:
    """The small image as a section."""
    image = hostile()
    return anatomy_section(image, summarise(image), side=side)

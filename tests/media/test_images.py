"""Pictures of every kind become JPEGs, and what is none is refused in a sentence."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio.errors import ConfigError, MediaError, MissingDependency
from gemini_live_trio.media import LoadedImage, load_image

pytest.importorskip("PIL", reason="needs the extra screen")

from PIL import Image

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 180, 30), (30, 30, 200), (255, 255, 255)
GREY = (100, 100, 100)
Image.init()
KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "GIF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
}
if "AVIF" not in Image.SAVE:  # Pillow has it since 11.3
    del KINDS["AVIF"]


def quarters(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Draw red, green, blue and grey, row by row."""
    width, height = size[0] // 2, size[1] // 2
    picture = Image.new("RGB", size, GREY)
    picture.paste(RED, (0, 0, width, height))
    picture.paste(GREEN, (width, 0, 2 * width, height))
    picture.paste(BLUE, (0, height, width, 2 * height))
    return picture.convert(mode)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def corners(picture: LoadedImage) -> list[tuple[int, int, int]]:
    """Return the colours in the middle of the four quarters."""
    assert picture.mime_type == "image/jpeg"
    with Image.open(io.BytesIO(picture.data), formats=["JPEG"]) as image:
        assert image.mode == "RGB"
        assert image.size == (picture.width, picture.height)
        width, height = image.size
        places = [
            (x, y) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)
        ]
        return [image.getpixel(place) for place in places]  # type: ignore[misc]


def alike(found: list[tuple[int, int, int]], wanted: list[tuple[int, int, int]]) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(abs(a - b) <= 25 for one, two in pairs for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_becomes_a_jpeg_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    # The ending is no help, on purpose.
    path = tmp_path / ("picture.gif" if kind != "GIF" else "picture.png")
    path.write_bytes(saved(quarters(), kind, **KINDS[kind]))
    from_path = await load_image(path)
    assert (from_path.width, from_path.height) == (64, 48)
    assert alike(corners(from_path), [RED, GREEN, BLUE, GREY])
    assert await load_image(str(path)) == from_path
    data = path.read_bytes()
    for form in (data, bytearray(data), memoryview(data)):
        assert await load_image(form) == from_path


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [RED, GREEN, BLUE, GREY]),
        (2, [GREEN, RED, GREY, BLUE]),
        (3, [GREY, BLUE, GREEN, RED]),
        (4, [BLUE, GREY, RED, GREEN]),
        (5, [RED, BLUE, GREEN, GREY]),
        (6, [BLUE, RED, GREY, GREEN]),
        (7, [GREY, GREEN, BLUE, RED]),
        (8, [GREEN, GREY, RED, BLUE]),
    ],
)
async def test_it_is_turned_as_the_camera_says(kind: str, orientation: int, seen: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = await load_image(saved(quarters(), kind, exif=exif, **KINDS[kind]))
    upright = orientation < 5
    assert (picture.width, picture.height) == ((64, 48) if upright else (48, 64))
    assert alike(corners(picture), seen)


async def test_nothing_but_the_pixels_leaves() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera of mine"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)  # the latitude
    private = saved(quarters(), "JPEG", exif=exif, comment=b"a note of mine", icc_profile=b"mine")
    assert b"camera of mine" in private
    assert b"note of mine" in private
    picture = await load_image(private)
    assert b"mine" not in picture.data
    with Image.open(io.BytesIO(picture.data)) as image:
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def transparent(mode: str) -> Image.Image:
    picture = quarters("RGBA")
    picture.putalpha(Image.new("L", picture.size, 255))
    picture.paste((0, 0, 0, 0), (32, 24, 64, 48))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("GIF", "P"),
        ("WEBP", "RGBA"),
        ("TIFF", "RGBA"),
    ],
)
async def test_what_is_transparent_becomes_white(kind: str, mode: str) -> None:
    if mode == "P":
        picture = quarters().quantize(8)
        data = saved(picture, kind, transparency=picture.getpixel((63, 47)))
    else:
        data = saved(transparent(mode), kind, **KINDS[kind])
    assert alike(corners(await load_image(data)), [RED, GREEN, BLUE, WHITE])


async def test_half_transparent_grey_is_composed_on_white() -> None:
    data = saved(Image.new("LA", (32, 32), (0, 128)), "PNG")
    assert alike(corners(await load_image(data)), [(127, 127, 127)] * 4)


def sixteen_bits() -> bytes:
    picture = Image.new("I;16", (64, 48))
    picture.paste(200 * 257, (0, 0, 32, 48))
    picture.paste(100 * 257, (32, 0, 64, 48))
    return saved(picture, "PNG")


def measurements(mode: str) -> bytes:
    picture = Image.new(mode, (64, 48), 40_000)
    picture.paste(-20_000, (32, 0, 64, 48))
    return saved(picture, "TIFF")


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        (sixteen_bits(), 200, 100),
        (measurements("I"), 255, 0),
        (measurements("F"), 255, 0),
        (saved(Image.new("F", (64, 48), 7.0), "TIFF"), 0, 0),
        (saved(Image.new("1", (64, 48), 1), "PNG"), 255, 255),
        (saved(Image.new("L", (64, 48), 90), "JPEG"), 90, 90),
        (saved(Image.new("CMYK", (64, 48), (0, 0, 0, 55)), "JPEG"), 200, 200),
        (saved(Image.new("RGB", (64, 48), (90, 90, 90)).quantize(4), "BMP"), 90, 90),
    ],
    ids=["16 bits", "32 bits", "float", "all the same", "1 bit", "grey", "CMYK", "palette"],
)
async def test_every_sort_of_pixel_is_understood(data: bytes, left: int, right: int) -> None:
    (first, second, third, fourth) = corners(await load_image(data))
    assert alike([first, third], [(left,) * 3] * 2)
    assert alike([second, fourth], [(right,) * 3] * 2)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
async def test_of_several_pictures_the_first_is_taken(kind: str) -> None:
    more = [Image.new("RGB", (32, 32), colour) for colour in (BLUE, GREEN)]
    first = Image.new("RGB", (32, 32), RED)
    data = saved(first, kind, save_all=True, append_images=more, **KINDS[kind])
    assert alike(corners(await load_image(data)), [RED] * 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("size", "max_side", "wanted"),
    [
        ((4_000, 3_000), 1_536, (1_536, 1_152)),
        ((3_000, 4_000), 768, (576, 768)),
        ((5_000, 10), 1_000, (1_000, 2)),
        ((3_000, 1), 100, (100, 1)),
        ((100, 50), 1_536, (100, 50)),
        ((1, 1), 16, (1, 1)),
    ],
)
async def test_large_ones_shrink_and_small_ones_stay(
    kind: str, size: tuple[int, int], max_side: int, wanted: tuple[int, int]
) -> None:
    picture = await load_image(saved(quarters(size=size), kind), max_side=max_side)
    assert (picture.width, picture.height) == wanted
    if min(wanted) > 100:
        assert alike(corners(picture), [RED, GREEN, BLUE, GREY])


async def test_fine_lines_become_grey_and_no_pattern() -> None:
    lines = Image.new("L", (2_000, 2_000))
    for x in range(0, 2_000, 2):
        lines.paste(255, (x, 0, x + 1, 2_000))
    picture = await load_image(saved(lines, "PNG"), max_side=500)
    with Image.open(io.BytesIO(picture.data)) as image:
        low, high = image.convert("L").crop((20, 20, 480, 480)).getextrema()
    assert 120 <= low <= high <= 136  # type: ignore[operator]


@pytest.mark.parametrize("max_bytes", [10_000, 50_000, 300_000])
async def test_the_limit_of_bytes_is_kept(max_bytes: int) -> None:
    noise = saved(Image.effect_noise((900, 600), 90), "PNG")
    whole = await load_image(noise, max_bytes=10_000_000)
    picture = await load_image(noise, max_bytes=max_bytes)
    assert max_bytes / 4 < len(picture.data) <= max_bytes < len(whole.data)
    assert picture.width / picture.height == pytest.approx(1.5, rel=0.05)
    if max_bytes == 300_000:  # lower quality was enough
        assert (picture.width, picture.height) == (900, 600)


async def test_quality_matters() -> None:
    data = saved(Image.effect_noise((200, 200), 50), "PNG")
    good, bad = [await load_image(data, quality=quality) for quality in (95, 20)]
    assert len(good.data) > 2 * len(bad.data)


async def test_others_run_while_it_is_decoded() -> None:
    data = saved(quarters(size=(4_000, 3_000)), "PNG")
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        with trio.testing.assert_checkpoints():
            await load_image(data)
        nursery.cancel_scope.cancel()
    assert turns > 10


def test_its_repr_holds_no_picture() -> None:
    assert repr(LoadedImage(b"x" * 1_000, "image/jpeg", 4, 3)) == (
        "LoadedImage(data=<1000 bytes>, mime_type='image/jpeg', width=4, height=3)"
    )


# --- What is no picture ---------------------------------------------------------------------


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def claiming(kind: str, form: str, width: int, height: int, *, turned: bool = False) -> bytes:
    """Make a small picture that says it is large."""

    def packed(across: int, down: int) -> bytes:
        return struct.pack(form, *((down, across) if turned else (across, down)))

    data = saved(Image.new("RGB", (64, 48)), kind)
    assert packed(64, 48) in data
    return data.replace(packed(64, 48), packed(width, height))


def tiff_of(width: int, height: int) -> bytes:
    data = saved(Image.new("RGB", (64, 48)), "TIFF")
    for tag, small, large in ((256, 64, width), (257, 48, height)):
        entry = struct.pack("<HHII", tag, 4, 1, small)
        assert entry in data
        data = data.replace(entry, struct.pack("<HHII", tag, 4, 1, large))
    return data


BOMBS = {
    "PNG": png_of(100_000, 100_000),
    "PNG of 81 million": png_of(9_000, 9_000),
    "BMP": claiming("BMP", "<ii", 100_000, 100_000),
    "TIFF": tiff_of(100_000, 100_000),
    "JPEG": claiming("JPEG", ">HH", 65_500, 65_500, turned=True),
    "GIF": claiming("GIF", "<HH", 65_535, 65_535),
}
if "AVIF" in KINDS:
    BOMBS["AVIF"] = claiming("AVIF", ">II", 9_000, 9_000)


@pytest.mark.parametrize("kind", BOMBS)
async def test_a_picture_that_claims_to_be_huge_is_refused_at_once(kind: str) -> None:
    with pytest.raises(MediaError, match="has too many pixels") as caught:
        await load_image(BOMBS[kind])
    assert str(caught.value).endswith("80,000,000 in all can be read.")


async def test_a_strip_that_takes_too_much_memory_is_an_error_of_ours() -> None:
    strip = saved(Image.new("1", (1, 60_000_000)), "PNG")
    with pytest.raises(MediaError, match="can't be made smaller, 1 x 60,000,000"):
        await load_image(strip)


@pytest.mark.parametrize("source", [None, 3, ["photo.jpg"], ""])
async def test_what_names_no_picture_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError, match=r"A (picture|file) is "):
        await load_image(source)


@pytest.mark.parametrize("kind", KINDS)
async def test_of_a_picture_that_is_cut_off_nothing_is_shown(kind: str) -> None:
    data = saved(Image.effect_noise((200, 200), 90).convert("RGB"), kind, **KINDS[kind])
    for part in (0.02, 0.5, 0.9):
        with pytest.raises(MediaError, match=r"The data is (damaged or cut off \(.+\)|no picture)"):
            await load_image(data[: int(len(data) * part)])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # as Pillow says
async def test_a_damaged_note_beside_the_picture_is_no_matter() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = bytearray(saved(quarters(), "JPEG", exif=exif))
    start = data.index(b"Exif\0\0") + 6
    data[start + 4 : start + 8] = b"\xff\xff\xff\x7f"
    assert alike(corners(await load_image(data)), [RED, GREEN, BLUE, GREY])


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("To whom it may concern: this is not a picture.\n" * 10)
    (folder / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "page.pdf").write_bytes(saved(quarters(), "PDF"))
    (folder / "icon.ico").write_bytes(saved(quarters(), "ICO"))
    os.mkfifo(folder / "pipe.png")
    with (folder / "large.webp").open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(2 << 30)
    speech = Path(__file__).parent.parent / "data" / "speech.wav"
    return {
        "missing": (folder / "missing.png", "There is no file"),
        "folder": (folder, "is a folder"),
        "empty": (folder / "empty.png", "is empty: 0 bytes"),
        "text": (folder / "text.png", "is no picture that can be read; JPEG"),
        "drawing": (folder / "drawing.svg", "is no picture"),
        "PDF": (folder / "page.pdf", "is no picture"),
        "a kind nobody asked for": (folder / "icon.ico", "is no picture"),
        "sound": (speech, "is no picture"),
        "pipe": (folder / "pipe.png", "is not an ordinary file"),
        "device": (Path("/dev/zero"), "is not an ordinary file"),
        "2 GiB": (folder / "large.webp", "has 2,147,483,648 bytes; above 268,435,456"),
        "under a file": (folder / "text.png" / "x.png", "Not a directory"),
        "nul": (folder / "a\0b.png", "null"),
    }


async def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for kind, (path, said) in bad_files(tmp_path).items():
        with pytest.raises(MediaError, match=said) as caught:
            await load_image(path)
            pytest.fail(f"{kind}: read")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value) or kind == "nul"
    with pytest.raises(MediaError, match="The data is empty: 0 bytes"):
        await load_image(b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_picture_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(png_of(1, 1))
    path.chmod(0)
    with pytest.raises(MediaError, match="Permission denied"):
        await load_image(path)


SMALL = {kind: saved(quarters(size=(24, 16)), kind, **options) for kind, options in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_damaged_picture_is_read_or_refused_and_nothing_else(
    kind: str, data: st.DataObject
) -> None:
    content = bytearray(SMALL[kind])
    places = st.integers(0, len(content) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place] = value
    content = content[: len(content) - data.draw(st.integers(0, 40))]
    try:
        picture = trio.run(load_image, content)
    except MediaError:
        return
    assert picture.data.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_side": 0}, "max_side must be 16 to 16,384 pixels, not 0"),
        ({"max_side": 10**6}, "max_side must be"),
        ({"max_side": 100.5}, "max_side must be"),
        ({"quality": 0}, "quality must be 1 to 95, not 0"),
        ({"quality": 100}, "quality must be"),
        ({"max_side": 100.0}, "max_side must be 16 to 16,384 pixels, not 100.0; give an int"),
        ({"quality": 85.5}, "quality must be 1 to 95, not 85.5; give an int"),
        ({"quality": "high"}, "quality must be"),
        ({"max_bytes": "1"}, "max_bytes must be"),
        ({"max_bytes": 9_999}, "max_bytes must be 10,000 or more, not 9999"),
    ],
)
async def test_absurd_limits_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await load_image(SMALL["PNG"], **options)


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemini-live-trio\[screen\]"'):
        await load_image(SMALL["PNG"])

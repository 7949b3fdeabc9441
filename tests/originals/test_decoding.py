"""The written rule for every kind of image."""

from __future__ import annotations

import drawn
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as F

from ilsvrc_replay.originals import decoding
from ilsvrc_replay.originals.decoding import ImageError, square


@pytest.mark.parametrize(
    ("mode", "kind", "name", "done"),
    [
        ("RGB", "JPEG", "a.JPEG", []),
        ("L", "JPEG", "a.jpg", ["grey"]),
        ("CMYK", "JPEG", "a.JPEG", ["cmyk"]),
        ("RGB", "PNG", "a.JPEG", ["other_format"]),
        ("RGBA", "PNG", "a.png", ["transparent"]),
    ],
)
def test_other_modes_become_rgb_and_are_counted(mode: str, kind: str, name: str, done: list[str]) -> None:
    image = drawn.drawing(1, 3, mode)
    pixels, what = square(drawn.encoded(image, kind), name, 30)
    assert what == done
    expected = np.asarray(image.convert("RGB"))[:, 5:35].transpose(2, 0, 1)
    assert pixels.shape == (3, 30, 30)
    assert np.abs(pixels.astype(int) - expected).mean() < 12  # JPEG is lossy


def test_16_bit_grey_keeps_its_high_bytes() -> None:
    values = (np.arange(32 * 32).reshape(32, 32) * 64).astype(np.uint16)
    pixels, done = square(drawn.encoded(Image.fromarray(values), "PNG"), "a.png", 32)
    assert done == ["16-bit"]
    assert np.array_equal(pixels, np.broadcast_to(values >> 8, (3, 32, 32)))


def test_palettes_become_rgb() -> None:
    image = drawn.drawing(0, 1).quantize(4)
    pixels, done = square(drawn.encoded(image, "PNG"), "a.png", 30)
    assert done == ["palette"]
    assert np.array_equal(pixels, np.asarray(image.convert("RGB"))[:, 5:35].transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(75, 50), (50, 75), (64, 64), (51, 80), (33, 200)])
@pytest.mark.parametrize("size", [32, 48])
def test_the_square_is_torchvisions_resize_and_centre_crop(shape: tuple[int, int], size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    expected = F.pil_to_tensor(F.center_crop(F.resize(image, [size]), [size]))
    assert torch.equal(torch.from_numpy(square(drawn.encoded(image, "PNG"), "a.png", size)[0].copy()), expected)


def test_a_broken_exif_block_and_a_rotation_are_not_looked_at() -> None:
    image = drawn.drawing(2, 4)
    plain = square(drawn.encoded(image), "a.jpg", 30)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    for block in (exif.tobytes(), b"Exif\0\0II*\0\xff\xff\xff\xff"):
        content = drawn.BytesIO()
        image.save(content, "JPEG", exif=block)
        assert np.array_equal(square(content.getvalue(), "a.jpg", 30)[0], plain[0])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no image", "is no image"),
        (drawn.jpeg(0, 0)[:-200], "is damaged"),
        (drawn.encoded(drawn.drawing(0, 0), "PNG")[:60], "is damaged"),
        (drawn.encoded(Image.new("L", (1, 500)), "PNG"), "is 1 x 500 px, a line more than an image"),
    ],
    ids=["empty", "text", "truncated JPEG", "truncated PNG", "line"],
)
def test_what_cannot_be_used_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        square(content, "a.jpg", 32)


def test_a_huge_image_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST", 1000)
    with pytest.raises(ImageError, match="has 40 x 30 px, too many"):
        square(drawn.jpeg(0, 0), "a.jpg", 32)

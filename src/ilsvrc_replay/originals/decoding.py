"""Decode an image file to a square of pixels, and say what had to be converted.

The rules for images that are not plain 8-bit RGB:

| image | what happens |
|---|---|
| grey, palette, CMYK or YCCK | converted to RGB, counted |
| 16-bit grey | its high bytes, then RGB; counted |
| transparent | the colours as stored, the mask is dropped as every model zoo does; counted |
| another format than its name says (ILSVRC has a PNG called JPEG) | read as what it is, counted |
| broken or rotating EXIF | not looked at: the pixels as stored, as every model zoo has them |
| several frames | the first one |
| truncated, damaged, no image at all | refused, by name |
| over LARGEST pixels, or one side over LONGEST times the other | refused, by name |
"""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

LARGEST = 178_956_970  # pixels, Pillow's own limit
LONGEST = 100  # sides
FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP"}
GREY, PALETTE, CMYK, DEEP = ("1", "L", "LA", "La"), ("P", "PA"), ("CMYK", "YCCK"), ("I", "F")
VERSION = 1  # of the pixels that `square` gives: raised when they change


class ImageError(Exception):
    """Why an image file cannot be used."""


def square(content: bytes, name: str, size: int) -> tuple[np.ndarray, list[str]]:
    """The image as uint8 (3, size, size), its shorter side resized to `size` (bilinear, antialiased) and the centre cut
    out; and what was converted. Raises ImageError."""
    image, done = open_rgb(content, name, draft=2 * size)
    shorter, longer = sorted(image.size)
    if longer > LONGEST * shorter:
        raise ImageError(f"is {image.width} x {image.height} px, a line more than an image")
    if shorter != size:
        # The longer side rounded down, and the crop's corner to the nearest even number, are torchvision's ways.
        rounded = int(size * longer / shorter)
        shape = (size, rounded) if image.width <= image.height else (rounded, size)
        image = image.resize(shape, Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)))
    return pixels.transpose(2, 0, 1), done


def open_rgb(content: bytes, name: str, draft: int | None = None) -> tuple[Image.Image, list[str]]:
    """The image as 8-bit RGB, and what was converted. `draft`: a JPEG may be decoded at a half, a quarter or an eighth
    of its size if that leaves at least `draft` px of each side. Raises ImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken EXIF, and of what is refused below
            image = Image.open(BytesIO(content))
            if image.width * image.height > LARGEST:
                raise ImageError(f"has {image.width} x {image.height} px, too many")
            if draft and image.format == "JPEG":
                image.draft(image.mode, (draft, draft))
            image.load()
    except UnidentifiedImageError:
        raise ImageError("is no image that Pillow can read" if content else "is empty") from None
    except Image.DecompressionBombError:
        raise ImageError("has too many pixels") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"is damaged ({error})") from None
    done = []
    suffix = name.rpartition(".")[2].lower()
    if FORMATS.get(suffix, image.format) != image.format:
        done.append("other_format")
    if image.mode.startswith(DEEP):
        done.append("16-bit")
        image = Image.fromarray((np.clip(np.asarray(image, np.float64), 0, 65535) // 256).astype(np.uint8))
    elif image.mode in GREY:
        done.append("grey")
    elif image.mode in CMYK:
        done.append("cmyk")
    elif image.mode in PALETTE:
        done.append("palette")
    if "transparency" in image.info or image.mode.endswith(("A", "a")):
        done.append("transparent")
    return image.convert("RGB"), done

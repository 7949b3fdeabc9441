"""Decode an image file to a square of pixels, and say what had to be converted.

The rules for whatever may lie in a folder of images; class_folders.py has those for folders and names:

| image | what happens |
|---|---|
| BMP, GIF, JPEG, PNG, PPM (also PGM, PBM), TIFF or WebP, whatever its name says | read as what it is |
| another format than its name says (ILSVRC has a PNG called JPEG) | counted |
| any other kind, such as EPS, SVG, HEIC or a zip | refused, by name; no other program is ever started |
| grey, black and white, palette, CMYK or YCCK | converted to RGB, counted |
| 16 bits a channel, grey or colour | the high 8 of them, then RGB; counted |
| 32-bit integers or floating point, whose range nobody knows | refused, by name |
| transparent | the colours as stored, the mask is dropped as every model zoo does; counted |
| broken or rotating EXIF | not looked at: the pixels as stored, as every model zoo has them |
| several frames | the first one |
| truncated, damaged, empty | refused, by name |
| over LARGEST pixels, or one side over LONGEST times the other | refused, by name, before it is decoded |
| a file over archives.LARGEST_FILE bytes | refused, by name, before it is read |
| a named pipe, a socket, a device, a link to one or to nothing | refused, by name, before it is opened |

So a thread that decodes holds at most the file, 0.5 GB, and the image twice at 4 bytes a pixel, 1.4 GB.
"""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, UnidentifiedImageError

LARGEST = 178_956_970  # pixels, Pillow's own limit
LONGEST = 100  # sides
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's names; none of these starts a program
NAMED = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "pbm": "PPM"} | {name.lower(): name for name in FORMATS}
GREY, PALETTE, CMYK = ("1", "L", "LA", "La"), ("P", "PA"), ("CMYK", "YCCK")
VERSION = 2  # of the pixels that `square` gives: raised when they change


class ImageError(Exception):
    """Why an image file cannot be used."""


def square(content: bytes, name: str, size: int) -> tuple[np.ndarray, list[str]]:
    """The image as uint8 (3, size, size), its shorter side resized to `size` (bilinear, antialiased) and the centre cut
    out; and what was converted. Raises ImageError."""
    image, done = open_rgb(content, name, draft=2 * size)
    shorter, longer = sorted(image.size)
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
            image = Image.open(BytesIO(content), formats=FORMATS)
            check_size(*image.size)
            done = ["other_format"] if NAMED.get(name.rpartition(".")[2].lower(), image.format) != image.format else []
            deep = is_deep(image)
            if draft and image.format == "JPEG":
                image.draft(image.mode, (draft, draft))
            image.load()
            return as_rgb(image, deep), done + conversions(image, deep)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise ImageError(f"is no image of a kind that is read, {kinds}" if content else "is empty") from None
    except Image.DecompressionBombError:
        raise ImageError("has too many pixels") from None
    except Exception as error:  # of one of Pillow's many readers
        raise ImageError(f"is damaged ({error})") from None


def check_size(width: int, height: int) -> None:
    """Raises ImageError for what its size alone forbids to decode."""
    if width * height > LARGEST:
        raise ImageError(f"has {width} x {height} px, too many")
    if max(width, height) > LONGEST * min(width, height):
        raise ImageError(f"is {width} x {height} px, a line more than an image")


def is_deep(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet has 16 bits a channel, of which Pillow keeps the high ones in colour.
    Raises ImageError for integers or floating point of 32 bits."""
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ImageError("has 32 bits a channel, whose range is not known: store it with 8 or 16")
    stored = image.tile[0].args if image.tile else ""
    maximum = stored[1] if image.format == "PPM" and isinstance(stored, tuple) else 255
    return image.mode.startswith("I") or ";16" in str(stored) or maximum > 255


def as_rgb(image: Image.Image, deep: bool) -> Image.Image:
    """The image as 8-bit RGB; of 16-bit grey the high bytes."""
    if deep and image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image, np.uint32) >> 8).astype(np.uint8))
    return image.convert("RGB")


def conversions(image: Image.Image, deep: bool) -> list[str]:
    """What `as_rgb` does to the image, by the names under which it is counted."""
    found = {
        "16-bit": deep,
        "grey": image.mode in GREY and not deep,
        "cmyk": image.mode in CMYK,
        "palette": image.mode in PALETTE,
        "transparent": "transparency" in image.info or image.mode.endswith(("A", "a")),
    }
    return [name for name, so in found.items() if so]

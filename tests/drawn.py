"""Small image data sets in the layouts of the real ones: drawn shapes, a few px large."""

from __future__ import annotations

import pickle
import struct
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.io import savemat

MODES = {"L": 90, "RGB": (200, 60, 30), "CMYK": (20, 200, 90, 10), "RGBA": (10, 90, 200, 128)}


def drawing(label: int, number: int, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A disc or a bar or a cross, by `label`, at a place that `number` decides."""
    image = Image.new(mode, size)
    draw, x, y = ImageDraw.Draw(image), 4 + 3 * number % 12, 3 + 5 * number % 9
    if label % 3 == 0:
        draw.ellipse((x, y, x + 16, y + 16), fill=MODES[mode])
    else:
        draw.rectangle((x, y, x + 20, y + 5), fill=MODES[mode])
    if label % 3 == 2:
        draw.rectangle((x + 8, y - 6, x + 12, y + 18), fill=MODES[mode])
    return image


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    content = BytesIO()
    image.save(content, kind)
    return content.getvalue()


def jpeg(label: int, number: int, mode: str = "RGB", enlarged: int = 1) -> bytes:
    image = drawing(label, number, mode)
    return encoded(image.resize((image.width * enlarged, image.height * enlarged)))


def write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def folder_of_classes(root: Path, classes: tuple[str, ...], *, train: int = 6, test: int = 2, test_name: str = "test"):
    """train/<class>/<image> and test/<class>/<image>."""
    for label, name in enumerate(classes):
        for number in range(train):
            write(root / "train" / name / f"{number}.jpg", jpeg(label, number))
        for number in range(test):
            write(root / test_name / name / f"{number}.jpg", jpeg(label, 100 + number))
    return root


def tiny_imagenet(
    root: Path, wnids: tuple[str, ...], others: tuple[str, ...], *, train: int = 6, test: int = 2
) -> Path:
    """The layout of tiny-imagenet-200, with classes `others` that a copy had added; every fifth image is grey."""
    lines, number = [], 0
    for label, wnid in enumerate((*wnids, *others)):
        for image in range(train):
            mode = "L" if image % 5 == 4 else "RGB"
            write(root / f"train/{wnid}/images/{wnid}_{image}.JPEG", jpeg(label, image, mode))
        write(root / f"train/{wnid}/{wnid}_boxes.txt", "boxes")
        for image in range(test):
            write(root / f"val/images/val_{number}.JPEG", jpeg(label, 100 + image))
            lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t63\t63")
            number += 1
    write(root / "val/images/val_stray.JPEG", jpeg(0, 0))
    write(root / "val/val_annotations.txt", "\n".join(lines) + "\n")
    write(root / "wnids.txt", "\n".join((*wnids, *others)))
    write(root / "test/images/test_0.JPEG", jpeg(0, 0))
    return root


def old_pickle(values: dict[bytes, object]) -> bytes:
    """`values` as CIFAR's authors pickled them: by Python 2, protocol 2, with numpy's old module names."""
    parts = [b"\x80\x02}("]
    for key, value in values.items():
        parts += [old(key), old(value)]
    return b"".join([*parts, b"u."])


def old(value: object) -> bytes:
    if isinstance(value, bytes):
        return b"T" + struct.pack("<i", len(value)) + value  # Python 2's str
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"](" + b"".join(map(old, value)) + b"e"
    shape = b"".join(map(old, value.shape)) + b"\x86"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + old(0) + b"\x85" + old(b"b") + b"\x87R"
    kind = b"cnumpy\ndtype\n" + old(b"u1") + old(0) + old(1) + b"\x87R("
    kind += old(3) + old(b"|") + b"NNN" + old(-1) + old(-1) + old(0) + b"tb"
    return empty + b"(" + old(1) + shape + kind + b"\x89" + old(value.tobytes()) + b"tb"


def cifar10(root: Path, classes: tuple[bytes, ...], images: int = 12) -> Path:
    """The seven files of cifar-10-batches-py."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for batch, name in enumerate(names):
        labels = [number % len(classes) for number in range(images)]
        drawn = [drawing(label, batch + number, size=(32, 32)) for number, label in enumerate(labels)]
        data = np.stack([np.asarray(image).transpose(2, 0, 1).reshape(-1) for image in drawn])
        values = {b"batch_label": name.encode(), b"labels": labels, b"data": data, b"filenames": [b"a.png"] * images}
        write(root / name, old_pickle(values))
    write(root / "batches.meta", old_pickle({b"num_cases_per_batch": images, b"label_names": list(classes)}))
    return root


def harmful_pickle() -> bytes:
    class Harm:
        def __reduce__(self) -> tuple:
            return (print, ("it ran",))

    return pickle.dumps({b"data": Harm(), b"labels": []}, protocol=2)


def tar(files: dict[str, bytes], kind: str = "w") -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode=kind) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, BytesIO(data))
    return content.getvalue()


def ilsvrc(root: Path, wnids: tuple[str, ...], *, train: int = 6, val: int = 9, enlarged: int = 1) -> list[str]:
    """The three archives of ILSVRC-2012, with its oddities; returns the wnid of each validation image.

    The kit numbers its classes in another order than the wnids', and has inner nodes after them.
    """
    archives = {}
    for label, wnid in enumerate(wnids):
        images = {f"{wnid}_{number}.JPEG": jpeg(label, number, "RGB", enlarged) for number in range(train)}
        images[f"{wnid}_0.JPEG"] = encoded(drawing(label, 0), "PNG")
        images[f"{wnid}_1.JPEG"] = jpeg(label, 1, "CMYK")
        images[f"{wnid}_2.JPEG"] = jpeg(label, 2, "L")
        archives[f"{wnid}.tar"] = tar(images)
    write(root / "ILSVRC2012_img_train.tar", tar(archives))
    order = wnids[1:] + wnids[:1]
    truth = [number * 2 % len(order) for number in range(val)]
    images = {
        f"ILSVRC2012_val_{number:08d}.JPEG": jpeg(wnids.index(order[label]), number, "RGB", enlarged)
        for number, label in enumerate(truth, 1)
    }
    write(root / "ILSVRC2012_img_val.tar", tar(images))
    write(root / "ILSVRC2012_devkit_t12.tar.gz", ilsvrc_kit(order, [label + 1 for label in truth]))
    return [order[label] for label in truth]


def ilsvrc_kit(order: tuple[str, ...], truth: list[int]) -> bytes:
    fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = [(number, wnid, "a word", "a gloss", 0) for number, wnid in enumerate(order, 1)]
    rows.append((len(order) + 1, "n00001740", "entity", "all", 3))
    meta = BytesIO()
    savemat(meta, {"synsets": np.array(rows, dtype=fields)[:, None]})
    text = "".join(f"{label}\n" for label in truth).encode()
    inside = "ILSVRC2012_devkit_t12/data"
    return tar(
        {f"{inside}/meta.mat": meta.getvalue(), f"{inside}/ILSVRC2012_validation_ground_truth.txt": text}, "w:gz"
    )

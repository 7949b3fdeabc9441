"""ImageNet, ILSVRC-2012: 1,281,167 + 50,000 photographs of any size, 1,000 classes; your own copy of it.

Russakovsky et al. 2015, "ImageNet large scale visual recognition challenge". The labels of the challenge's test images
were never published: the 50,000 validation images are the test set here, and val is held out of train. `dataset.folder`
names a folder with any of these, which are read where they are:

| part | as published | or unpacked | or as Kaggle has it |
|---|---|---|---|
| train | ILSVRC2012_img_train.tar | train/<wnid>/ | ILSVRC/Data/CLS-LOC/train/<wnid>/ |
| val | ILSVRC2012_img_val.tar | val/, or val/<wnid>/ | ILSVRC/Data/CLS-LOC/val/ |
| labels of val | ILSVRC2012_devkit_t12.tar.gz | (not with val/<wnid>/) | LOC_val_solution.csv |

Classes are numbered in the order of their wnids, as every model zoo does; the devkit's own ids are others and are
mapped through the wnids. Its oddities, a PNG called JPEG, some CMYK and broken EXIF, are handled by decoding.py.
"""

from __future__ import annotations

import re
from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import class_folders, devkit, manifest
from ilsvrc_replay.originals.archives import Files, FolderFiles, JoinedFiles, TarFiles
from ilsvrc_replay.originals.labelled_images import ImageFile, LabelledFiles

ARCHIVES = {  # md5, as torchvision has them
    "ILSVRC2012_img_train.tar": "1d675b47d978889d74fa0da5fadfb00e",
    "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
    devkit.ARCHIVE: "fa75699e90414af021442c21a62c3abf",
}
KAGGLE = "ILSVRC/Data/CLS-LOC"
CLASSES, TRAIN_IMAGES, TEST_IMAGES = 1000, 1_281_167, 50_000
WNID = re.compile(r"n\d{8}")


def acquire(target: Path, folder: Path | None, parts: tuple[str, ...] = ("train", "val")) -> str:
    """Put a list of the archives or images in `folder` into `target`; returns the name of the source."""
    if folder is None:
        raise StudyError(
            f"imagenet cannot be fetched: put {', '.join(ARCHIVES)}, or train/ and val/, into a folder and name it in"
            " dataset.folder"
        )
    class_folders.require_folder("imagenet", folder)
    names = [name for name in (devkit.ARCHIVE, devkit.KAGGLE) if (folder / name).exists()]
    for part in parts:
        archive = f"ILSVRC2012_img_{part}.tar"
        places = [place for place in (part, f"{KAGGLE}/{part}") if (folder / place).is_dir()]
        if (folder / archive).exists():
            names.append(archive)
        elif places:
            names += manifest.names_below(folder, places[:1])
        else:
            raise StudyError(f"imagenet: {folder} has neither {archive} nor a folder {part}")
    manifest.write(target, folder, names, "imagenet", ARCHIVES)
    return "dataset.folder, where they stay"


def read(raw: Path, folder: Path | None = None, parts: tuple[str, ...] = ("train", "val")) -> LabelledFiles:
    """All images of `parts`. Raises StudyError naming what is missing or not as it was acquired."""
    root = class_folders.require_folder("imagenet", folder)
    listed = manifest.read(raw)
    files = JoinedFiles({part: container(root, listed, part) for part in parts})
    names = [name for name in files.names() if manifest.is_image(name)]
    labels = devkit.labels(root, listed)
    if not labels and any(name.startswith("val/") and name.count("/") == 1 for name in names):
        raise StudyError(f"imagenet: what the images of val are is not known: put {devkit.ARCHIVE} beside them")
    found = {name.split("/")[1] for name in names if name.count("/") > 1}
    classes = tuple(sorted(set(filter(WNID.fullmatch, found)) or set(labels.values())))
    number = {wnid: label for label, wnid in enumerate(classes)}
    train, test, others = [], [], 0
    for name in names:
        match name.split("/"):
            case ["train", wnid, _] if wnid in number:
                train.append(ImageFile(name, number[wnid]))
            case ["val", wnid, _] if wnid in number:
                test.append(ImageFile(name, number[wnid]))
            case ["val", image] if image.rpartition(".")[0] in labels:
                wnid = labels[image.rpartition(".")[0]]
                if wnid not in number:
                    raise StudyError(f"imagenet: val/{image} is of the class {wnid}, which train does not have")
                test.append(ImageFile(name, number[wnid]))
            case _:
                others += 1
    expect("classes", len(classes), CLASSES)
    expect("validation images with a label", len(test), TEST_IMAGES)
    if "train" in parts:
        expect("training images", len(train), TRAIN_IMAGES)
    return class_folders.checked("imagenet", LabelledFiles(files, train, test, classes, {"of no class": others}))


def container(root: Path, listed: dict[str, str], part: str) -> Files:
    """The images of `part`, in their archive or folder."""
    archive = f"ILSVRC2012_img_{part}.tar"
    if archive in listed:
        return TarFiles(root / archive)
    inside = {}
    for name, checksum in listed.items():
        below = name.removeprefix(f"{KAGGLE}/")
        if below.startswith(f"{part}/"):
            inside[below.removeprefix(f"{part}/")] = (name, checksum)
    place = f"{KAGGLE}/{part}" if any(name.startswith(KAGGLE) for name, _ in inside.values()) else part
    return FolderFiles(root / place, {below: checksum for below, (_, checksum) in inside.items()})


def expect(what: str, found: int, expected: int) -> None:
    """Raises StudyError if a count is not ImageNet's."""
    if found != expected:
        raise StudyError(
            f"imagenet: there are {found:,} of {expected:,} {what}; for a part of ImageNet use `name: imagefolder`"
        )

"""Tiny-ImageNet: 100,000 + 10,000 JPEGs of 64 px, some of them grey, 200 of ImageNet's classes.

Stanford's course CS231n, 2015. Its labelled val images are the test set here, as its own test images have no labels.
Copies exist with further classes added, in wnids.txt too: only the 200 original ones, which tiny_imagenet.txt lists,
take part, and val images to which val_annotations.txt gives one of them. The others are left out and counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import class_folders, fetch, manifest
from ilsvrc_replay.originals.archives import Files, FolderFiles, ZipFiles
from ilsvrc_replay.originals.labelled_images import ImageFile, LabelledFiles

ZIP, INSIDE = "tiny-imagenet-200.zip", "tiny-imagenet-200/"
CHECKSUMS = {ZIP: "90528d7ca1a48142e341f4ef8d21d0de"}
MIRROR = f"http://cs231n.stanford.edu/{ZIP}"
ANNOTATIONS = "val/val_annotations.txt"
WNIDS = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split())
TRAIN_IMAGES, TEST_IMAGES = 500, 50  # of each class


def acquire(target: Path, folder: Path | None) -> str:
    """Put the zip, or a list of the files of an unpacked `folder`, into `target`; returns the name of the source."""
    root = folder and unpacked(folder)
    if root:
        names = [name for name in manifest.names_below(root, ("train", "val")) if wanted(name)]
        manifest.write(target, root, names, "tiny-imagenet")
        return "dataset.folder, where they stay"
    tried = {"dataset.folder": fetch.from_folder(folder)} if folder else {"Stanford": fetch.from_url(MIRROR)}
    return fetch.acquire("tiny-imagenet", CHECKSUMS, tried, target)


def unpacked(folder: Path) -> Path | None:
    """The folder in or below `folder` that holds the unpacked set, if one does."""
    return next((root for root in (folder, folder / INSIDE) if (root / ANNOTATIONS).exists()), None)


def wanted(name: str) -> bool:
    """Whether a file takes part: an image, or the labels of val."""
    return name == ANNOTATIONS or manifest.is_image(name)


def read(raw: Path, folder: Path | None = None) -> LabelledFiles:
    """All labelled images. Raises StudyError naming the class or image that is missing."""
    if (raw / ZIP).is_file():
        return arrange(ZipFiles(raw / ZIP, INSIDE))
    root = class_folders.require_folder("tiny-imagenet", folder and unpacked(folder))
    return arrange(FolderFiles(root, manifest.read(raw)))


def arrange(files: Files) -> LabelledFiles:
    """The images of the 200 classes, which are numbered in the order of their wnids."""
    names = files.names()
    if ANNOTATIONS not in names:
        raise StudyError(f"tiny-imagenet: {ANNOTATIONS} is missing")
    label = {wnid: number for number, wnid in enumerate(WNIDS)}
    lines = files.read(ANNOTATIONS).decode(errors="surrogateescape").splitlines()
    annotated = dict(line.split("\t")[:2] for line in lines if "\t" in line)
    train, test, ignored = [], [], {"of another class": 0, "without a class": 0}
    for name in filter(manifest.is_image, names):
        match name.split("/"):
            case ["train", wnid, "images", _] if wnid in label:
                train.append(ImageFile(name, label[wnid]))
            case ["val", "images", image] if annotated.get(image) in label:
                test.append(ImageFile(name, label[annotated[image]]))
            case ["val", "images", image] if image not in annotated:
                ignored["without a class"] += 1
            case ["train" | "val", *_]:
                ignored["of another class"] += 1
    for part, images, count in (("training", train, TRAIN_IMAGES), ("val", test, TEST_IMAGES)):
        found = Counter(label for _, label in images)
        for number, wnid in enumerate(WNIDS):
            if found[number] != count:
                raise StudyError(f"tiny-imagenet: {wnid} has {found[number]} of its {count} {part} images")
    return class_folders.checked("tiny-imagenet", LabelledFiles(files, train, test, WNIDS, ignored))

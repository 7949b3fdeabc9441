"""Any data set of your own: a folder for each class, with its images in it.

    train/<class>/<image>   test/<class>/<image>

`dataset.folder` names the folder that holds train and test. Where there is no test, val is taken for it; where there
are both, val is not used, as the study holds out images of its own from train (`dataset.val_images`). The images stay
where they are; data/raw gets a list of them with their checksums. Classes are numbered in the order of their names.
"""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import class_folders, manifest
from ilsvrc_replay.originals.archives import FolderFiles
from ilsvrc_replay.originals.labelled_images import LabelledFiles


def acquire(target: Path, folder: Path | None) -> str:
    """Put a list of the images in `folder` into `target`; returns the name of the source. Raises StudyError naming a
    folder or file that cannot be read, and a class folder without images."""
    if folder is None:
        raise StudyError("imagefolder: name the folder that holds train/<class>/ and test/<class>/ in dataset.folder")
    class_folders.require_folder("imagefolder", folder)
    if not (folder / "train").is_dir():
        raise StudyError(f"imagefolder: {folder} has no folder train with a folder for each class")
    parts = ("train", test_folder(folder))
    names = manifest.names_below(folder, parts)
    for part in parts:
        class_folders.check_filled("imagefolder", folder / part, names)
    manifest.write(target, folder, names, "imagefolder")
    return "dataset.folder, where they stay"


def test_folder(folder: Path) -> str:
    """Which folder holds the test images. Raises StudyError if there is none."""
    found = next((name for name in ("test", "val") if (folder / name).is_dir()), None)
    if found is None:
        raise StudyError(
            f"imagefolder: {folder} has neither test nor val: move a part of every class's images from train/<class>"
            " to test/<class>"
        )
    return found


def read(raw: Path, folder: Path | None = None) -> LabelledFiles:
    """All images. Raises StudyError naming a class without training images, or without a folder in train."""
    files = FolderFiles(class_folders.require_folder("imagefolder", folder), manifest.read(raw))
    names = files.names()
    classes = tuple(sorted({name.split("/")[1] for name in names if name.startswith("train/") and name.count("/") > 1}))
    train, others = class_folders.images_by_class("imagefolder", names, "train", classes)
    test_name = "test" if any(name.startswith("test/") for name in names) else "val"
    test, other_tests = class_folders.images_by_class("imagefolder", names, test_name, classes)
    if not train:
        raise StudyError(f"imagefolder: {files.root / 'train'} holds no images in folders of classes")
    ignored = {"no images": others + other_tests}
    return class_folders.checked("imagefolder", LabelledFiles(files, train, test, classes, ignored))

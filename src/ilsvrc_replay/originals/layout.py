"""What holds of every set of image files, whatever its layout.

| what is wrong | what happens |
|---|---|
| a class without training images | refused, by name |
| a class that only the test images have | refused, by name |
| no test images at all | refused |
| a file in a class folder that is no image by its name | left out, counted |
"""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import manifest
from ilsvrc_replay.originals.original import Picture, Pictures


def checked(data_set: str, pictures: Pictures) -> Pictures:
    """`pictures`, in the order of their names. Raises StudyError naming the first class that has no images."""
    if not pictures.test:
        raise StudyError(f"{data_set}: there are no test images")
    empty = sorted(set(range(len(pictures.classes))) - {label for _, label in pictures.train})
    if pictures.train and empty:
        others = f", nor have {len(empty) - 1} others" if len(empty) > 1 else ""
        raise StudyError(f"{data_set}: the class {pictures.classes[empty[0]]} has no training images{others}")
    ignored = {reason: count for reason, count in pictures.ignored.items() if count}
    return Pictures(pictures.files, sorted(pictures.train), sorted(pictures.test), pictures.classes, ignored)


def by_class(data_set: str, names: list[str], folder: str, classes: tuple[str, ...]) -> tuple[list[Picture], int]:
    """The pictures <folder>/<class>/.../<image> among `names`, and how many files there are no images."""
    label = {wnid: number for number, wnid in enumerate(classes)}
    pictures, others = [], 0
    for name in names:
        top, _, rest = name.partition("/")
        if top != folder:
            continue
        wnid, _, image = rest.partition("/")
        if not image or not manifest.is_image(name):
            others += 1
        elif wnid not in label:
            raise StudyError(f"{data_set}: the class {wnid} is in {folder} but not in train")
        else:
            pictures.append(Picture(name, label[wnid]))
    return pictures, others


def still_there(data_set: str, root: Path | None) -> Path:
    """Raises StudyError if the folder in which the user has the images is not there."""
    if root is None or not root.is_dir():
        what = "does not hold them any more" if root is None else f"is {root}, which is no folder"
        raise StudyError(f"{data_set}: the images are read where they are, but dataset.folder {what}")
    return root

"""Image files in a folder for each class, sorted into the classes; and the checks that every set of them must pass.

| what is wrong | what happens |
|---|---|
| a folder, or an image in it, that cannot be read | refused, by name |
| a folder of a class that holds no images | refused, by name |
| a class without training images | refused, by name |
| a class that only the test images have | refused, by name |
| no test images at all | refused |
| a file in a class folder whose name is not an image's | left out, counted |
| a folder with an image's name | a folder: the images in it are its class's |
| hidden files and folders, whose names begin with a dot | left out |
"""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import name_of
from ilsvrc_replay.originals import manifest
from ilsvrc_replay.originals.labelled_images import ImageFile, LabelledFiles


def images_by_class(
    data_set: str, names: list[str], folder: str, classes: tuple[str, ...]
) -> tuple[list[ImageFile], int]:
    """The images <folder>/<class>/.../<image> among `names`, and how many other files lie in `folder`.

    Raises StudyError for a class that is not one of `classes`.
    """
    label = {wnid: number for number, wnid in enumerate(classes)}
    images, others = [], 0
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
            images.append(ImageFile(name, label[wnid]))
    return images, others


def check_filled(data_set: str, part: Path, names: list[str]) -> None:
    """Raises StudyError naming the first folder in `part` that holds no image; `names` are of all files, from the
    folder over `part`."""
    filled = {name.split("/")[1] for name in names if name.startswith(f"{part.name}/") and manifest.is_image(name)}
    for folder in sorted(part.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and name_of(Path(folder.name)) not in filled:
            raise StudyError(f"{data_set}: {folder} holds no images: add some, or remove the class everywhere")


def checked(data_set: str, found: LabelledFiles) -> LabelledFiles:
    """`found`, in the order of the files' names. Raises StudyError naming the first class that has no images."""
    if not found.test:
        raise StudyError(f"{data_set}: there are no test images")
    empty = sorted(set(range(len(found.classes))) - {label for _, label in found.train})
    if found.train and empty:
        others = f", nor have {len(empty) - 1} others" if len(empty) > 1 else ""
        raise StudyError(f"{data_set}: the class {found.classes[empty[0]]} has no training images{others}")
    ignored = {reason: count for reason, count in found.ignored.items() if count}
    return LabelledFiles(found.files, sorted(found.train), sorted(found.test), found.classes, ignored)


def require_folder(data_set: str, root: Path | None) -> Path:
    """The user's folder with the images. Raises StudyError if it is not named, or is not there any more."""
    if root is None or not root.is_dir():
        what = "does not hold them any more" if root is None else f"is {root}, which is no folder"
        raise StudyError(f"{data_set}: the images are read where they are, but dataset.folder {what}")
    return root

"""The labels of ImageNet's validation images: from ILSVRC-2012's development kit, or as Kaggle publishes them."""

from __future__ import annotations

import csv
import tarfile
from io import BytesIO, StringIO
from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_file
from ilsvrc_replay.originals.archives import LARGEST_FILE, FolderFiles, read_small_tar

ARCHIVE, KAGGLE = "ILSVRC2012_devkit_t12.tar.gz", "LOC_val_solution.csv"
META, TRUTH = "data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt"


def labels(root: Path, listed: dict[str, str]) -> dict[str, str]:
    """The wnid of each validation image, by the image's name without suffix; empty if `listed`, a manifest, names no
    file of labels. Raises StudyError if that file is damaged."""
    if ARCHIVE in listed:
        try:
            content = read_small_tar(read_file(root / ARCHIVE, LARGEST_FILE))
            content = {name.partition("/")[2]: data for name, data in content.items()}
            return from_devkit(content[META], content[TRUTH].decode())
        except (OSError, EOFError, tarfile.TarError, KeyError) as error:
            raise StudyError(f"{root / ARCHIVE} is not the development kit: {error}") from None
    if KAGGLE in listed:
        table = csv.DictReader(StringIO(FolderFiles(root, listed).read(KAGGLE).decode(errors="surrogateescape")))
        try:
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in table}
        except (KeyError, IndexError, AttributeError, csv.Error) as error:
            raise StudyError(
                f"{root / KAGGLE} is not Kaggle's table of labels, of line {table.line_num}: {error}"
            ) from None
    return {}


def from_devkit(meta: bytes, truth: str) -> dict[str, str]:
    """Line n of `truth` is the kit's own id of image n's class; `meta`, a MATLAB file, has the wnid of each id.

    Ids above those of the challenge's classes are inner nodes of WordNet. Raises StudyError for an unknown id.
    """
    from scipy.io import loadmat

    synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
    wnids = {
        int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets if int(synset["num_children"]) == 0
    }
    found = {}
    for number, line in enumerate(truth.split(), 1):
        if int(line) not in wnids:
            raise StudyError(f"{ARCHIVE}: validation image {number} has the label {line}, which no class has")
        found[f"ILSVRC2012_val_{number:08d}"] = wnids[int(line)]
    return found

"""Every entry as a registered model in MLflow: a version for each weights file, the alias `best` for one of them.

The weights stay with DVC: a version's source is their path in the repository, its tags name their checksum. `best` is
the seed with the lowest error on the held-out training images, never on the test images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

BEST = "best"
ERROR, WEIGHTS = "val/top1_err", "weights_sha256"


def register(client: MlflowClient, model: str, runs: list[str], tags: dict[str, str]) -> None:
    """Bring the registered model `model` up to date with these finished runs, given by MLflow's ids. Asked twice, it
    changes nothing."""
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(model, tags=tags, description="Weights are in DVC: see each version's source.")
    known = {version.tags.get(WEIGHTS): version.version for version in client.search_model_versions(f"name='{model}'")}
    found = [client.get_run(run).data for run in runs]
    for run, data in zip(runs, found, strict=True):
        checksum = data.tags[WEIGHTS]
        if checksum not in known:
            version = client.create_model_version(
                model,
                source=f"dvc://{data.tags['weights']}",
                run_id=run,
                tags={WEIGHTS: checksum, "weights": data.tags["weights"], "seed": data.tags["seed"]},
                description=f"{data.tags['weights']}, by `dvc pull {data.tags['weights']}`; sha256 {checksum}",
            )
            known[checksum] = version.version
    best = min(found, key=lambda data: data.metrics.get(ERROR, float("inf")))
    client.set_registered_model_alias(model, BEST, known[best.tags[WEIGHTS]])

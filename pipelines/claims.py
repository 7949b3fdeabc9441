"""Stage claims: what is often told about the nets, judged on the nets as they are built, to results/claims/."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.claims.verdicts import judge
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    rows = judge()
    files.write_text(Path("results/claims/built.csv"), files.as_csv(rows))
    print(f"results/claims/built.csv: {len(rows)} claims")


if __name__ == "__main__":
    run_stage(main)

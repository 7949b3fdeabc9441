"""Stage claims: what is often told about the nets, judged on the nets as they are built, to results/claims/."""

from pathlib import Path

from ilsvrc_replay.stage import run_stage
from ilsvrc_replay import files
from ilsvrc_replay.claims.verdict import judge


def main() -> None:
    rows = judge()
    files.write_text(Path("results/claims/built.csv"), files.as_csv(rows))
    print(f"results/claims/built.csv: {len(rows)} claims")


if __name__ == "__main__":
    run_stage(main)

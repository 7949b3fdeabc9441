"""The speeds of `replay bench` on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def line(row: dict[str, Any]) -> str:
    """An entry's speeds in a line, printed while the others are still to come."""
    text = f"{row['entry']}: {row['loop_images_per_s']:,.0f} images/s, {100 * row['loop_share']:.1f} % of the ceiling"
    if "jpegs" in row:
        text += f"; {row['times_torchvision']:.2f} times torchvision's loader, {row['times_timm']:.2f} times timm's"
    return text


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print the table of all entries, and what its columns mean."""
    first = rows[0]
    loaders = "times_timm" in first
    table = Table(title=f"Training on {first['data']}, {first['image_size']} px, {first['precision']}: images/s")
    for name in ("entry", "loop", "ceiling", "share", "MiB"):
        table.add_column(name, no_wrap=True, justify="left" if name == "entry" else "right")
    for name in ("64 px: this", "torchvision", "timm") if loaders else ():
        table.add_column(name, no_wrap=True, justify="right")
    for row in rows:
        beside = []
        if loaders:
            beside = [f"{row['project_images_per_s']:,.0f}"]
            for name in ("torchvision", "timm"):
                beside.append(f"{row[f'{name}_images_per_s']:,.0f} ({row[f'times_{name}']:.2f}x)")
        table.add_row(
            row["entry"],
            f"{row['loop_images_per_s']:,.0f}",
            f"{row['ceiling_images_per_s']:,.0f}",
            f"{100 * row['loop_share']:.1f} %",
            f"{row['peak_memory_mib']:,}",
            *beside,
        )
    console.print(table)
    console.print(explanation(first))


def stored(row: dict[str, Any]) -> str:
    return (
        f"A JPEG of {row['image_size']} px in one thread: {row['shard_us']:.1f} µs to read out of a shard,"
        f" {row['file_us']:.1f} µs as a file of its own, {row['decode_us']:.1f} µs to decode."
    )


def explanation(row: dict[str, Any]) -> str:
    lines = [
        f"{row['gpu'] or row['cpu']}, {row['cores']} cores, {row['threads']} threads, torch {row['torch']};"
        f" medians of {row['rounds']} rounds of {row['seconds']:g} s.",
        "loop: the training as the study runs it; ceiling: the same net stepping on one batch that lies ready.",
    ]
    if "jpegs" in row:
        lines.append(
            f"64 px: {row['jpegs']:,} JPEG files, by this project's loop and, with the same net, batch and precision,"
            f" by a plain loop over either library's loader with {row['loader_workers']} persistent workers that"
            f" prefetch {row['loader_prefetch']} batches each; in brackets how many times as fast this project is."
        )
    return "\n".join(lines)

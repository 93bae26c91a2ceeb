"""Engines of a test's own home that use the graphs of all tests."""

from pathlib import Path


def share_graphs(home: Path, graphs: Path) -> None:
    """Have the engines of `home`, which is not there yet, keep compiled graphs in `graphs`."""
    home.mkdir(mode=0o700, parents=True)
    (home / "cache").mkdir()
    (home / "cache" / "engines").symlink_to(graphs, target_is_directory=True)

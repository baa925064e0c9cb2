"""`raystream ui`: serve the page of running jobs."""

from __future__ import annotations

import click

from raystream.cli import options
from raystream.cli.exits import GOOD


def add_ui_verb(app: click.Group) -> None:
    """Register `ui`.

    Args:
        app: The command.
    """
    app.add_command(ui)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: any free one  [0]")
@click.option(
    "--token",
    envvar="RAYSTREAM_UI_TOKEN",
    metavar="TOKEN",
    help="Asked of everybody  [default: a new one where others can reach it, none on loopback]",
)
@options.address
def ui(host: str, port: int, token: str | None, address: str | None) -> int:
    """Serve the page of all jobs of a Ray cluster, and of this user's private ones.

    It prints its address, and ends with Ctrl-C; the jobs do not notice.
    """
    from raystream.api.jobs.every_cluster import EveryCluster
    from raystream.ui.serve import serve

    jobs = EveryCluster(address)
    try:
        serve(jobs, host, port, token)
    finally:
        jobs.close()
    return GOOD

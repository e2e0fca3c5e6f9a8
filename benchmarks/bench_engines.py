"""What a profile on a cluster takes beyond the same call without one, in turns.

Four engines of ipyparallel, four workers of dask, started here.

Usage: python bench_engines.py [--turns N]
"""

from __future__ import annotations

import argparse
import logging
import os
import pstats
import statistics
import tempfile
from time import perf_counter

from nbprobe import live


def on_engines(turns: int) -> None:
    """What a profile on four engines takes beyond the same call without one, ms.

    Beside it what people write by hand: cProfile on each engine, statistics added up here.
    """
    import ipyparallel

    with tempfile.TemporaryDirectory() as folder:
        os.environ["IPYTHONDIR"] = folder
        cluster = ipyparallel.Cluster(n=4, log_level=logging.ERROR)
        client = cluster.start_and_connect_sync()
        try:
            view = client[:]
            # The jobs are sent by their names when this file is not the program itself.
            folder = os.path.dirname(os.path.abspath(__file__))
            view.execute(f"import sys; sys.path.append({folder!r})", block=True)
            print("\nfour engines of ipyparallel, ms a call beyond a plain one")
            _print_costs(
                lambda job: view.apply_sync(job, "argparse"),
                {
                    "nbprobe": lambda job: live.profile(view, job, "argparse"),
                    "cProfile by hand": lambda job: by_hand(view, job, "argparse"),
                },
                turns,
            )
        finally:
            cluster.stop_cluster_sync()
            client.close()


def on_workers(turns: int) -> None:
    """The same of four workers of dask."""
    import dask
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"temporary-directory": folder}),
        LocalCluster(
            n_workers=4,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):

        def plain(job):
            return client.gather(client.map(job, ["argparse"] * 4, pure=False))

        def ours(job):
            with live.profile_workers(client) as profile:
                plain(job)
            return profile.result

        def asking(job):
            """Take as many answers of all workers as a profile does, with nothing in them."""
            client.run(nothing, "")
            result = plain(job)
            client.run(nothing, "")
            return result

        print("\nfour workers of dask, ms a block beyond a plain one")
        _print_costs(plain, {"nbprobe": ours, "two empty Client.run": asking}, turns)


def _print_costs(plain, ways, turns: int) -> None:
    print(f"{'':<24}{'job':<10}{'first':>8}{'median':>8}{'quartiles':>16}")
    for name, way in ways.items():
        for job in (nothing, imports):
            plain(job)
            start = perf_counter()
            way(job)
            first = perf_counter() - start
            beyond = []
            for _ in range(turns):
                times = []
                for run in (plain, way, plain):
                    start = perf_counter()
                    run(job)
                    times.append(perf_counter() - start)
                beyond.append(times[1] - (times[0] + times[2]) / 2)
            low, middle, high = statistics.quantiles(beyond, n=4)
            print(
                f"{name:<24}{job.__name__:<10}{first * 1e3:>8.0f}{middle * 1e3:>8.1f}"
                f"{low * 1e3:>8.1f}{high * 1e3:>8.1f}"
            )


def nothing(name: str) -> int:
    return len(name)


def imports(name: str) -> int:
    """A job of some hundred functions: read a module's names."""
    import importlib.util
    import tokenize

    spec = importlib.util.find_spec(name)
    with open(spec.origin, "rb") as file:
        return sum(
            1
            for token, _ in zip(
                tokenize.tokenize(file.readline), range(2000), strict=False
            )
        )


def by_hand(view, job, *arguments):
    def profiled(job, *arguments):
        import cProfile
        import pstats

        profile = cProfile.Profile()
        profile.runcall(job, *arguments)
        return pstats.Stats(profile).stats

    class Made:
        def __init__(self, stats):
            self.stats = stats

        def create_stats(self):
            pass

    made = [Made(stats) for stats in view.apply_sync(profiled, job, *arguments)]
    return pstats.Stats(*made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=12)
    options = parser.parse_args()
    on_engines(options.turns)
    on_workers(options.turns)


if __name__ == "__main__":
    main()

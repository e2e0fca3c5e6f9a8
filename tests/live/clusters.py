"""One cluster of ipyparallel for all tests of a module, started and stopped here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import ipyparallel
import pytest

#: The engines that all tests may use, and one that may be killed by one of them.
ENGINES = (0, 1, 2, 3)
VICTIM = 4


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a controller with five engines, in this Python's processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        cluster = ipyparallel.Cluster(
            n=len(ENGINES) + 1, log_level=logging.ERROR, delay=0
        )
        client = cluster.start_and_connect_sync()
        try:
            yield client
        finally:
            cluster.stop_cluster_sync()
            client.close()

"""One cluster of ipyparallel for all tests of a module, started and stopped here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import ipyparallel
import pytest
from traitlets.config import Config

from ..kernels import PATIENCE_S

#: The engines that all tests may use, and one that may be killed by one of them.
ENGINES = (0, 1, 2, 3)
VICTIM = 4


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a controller with five engines, in this Python's processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        number = len(ENGINES) + 1
        cluster = ipyparallel.Cluster(
            n=number,
            log_level=logging.ERROR,
            delay=0,
            config=Config(ControllerLauncher={"connection_info_timeout": PATIENCE_S}),
        )
        cluster.start_cluster_sync()
        try:
            client = cluster.connect_client_sync(timeout=PATIENCE_S)
            client.wait_for_engines(number, timeout=PATIENCE_S, interactive=False)
            yield client
            client.close()
        finally:
            cluster.stop_cluster_sync()

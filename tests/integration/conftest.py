import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from cluster import Cluster  # noqa: E402
from serving import serving  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--faults", type=int, default=int(os.environ.get("FERMATA_FAULTS", 300)), help="how many random faults the soak injects")


@pytest.fixture(scope="session")
def servers():
    """Redis, ZooKeeper and one Kafka broker, shared by the tests of a run, each behind gates of three nodes."""
    with serving() as running:
        yield running


@pytest.fixture
def make_cluster(servers, tmp_path):
    """Makes clusters of nodes that run the probe; each has a name of its own on the shared servers. See Cluster."""
    made = []

    def make(**options):
        made.append(Cluster(options.pop("servers", servers), tmp_path / f"cluster-{len(made)}", **options))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()
    servers.heal()


@pytest.fixture
def cluster(make_cluster):
    """Three nodes, ready, that share two probe locations, "left" and "right"; no records yet."""
    return make_cluster().start()


@pytest.fixture
def rng():
    """Seeded by FERMATA_SEED, or anew; the seed is printed, so that a failure can be replayed."""
    seed = int(os.environ.get("FERMATA_SEED") or random.SystemRandom().randrange(2**32))
    print(f"replay with FERMATA_SEED={seed}")
    return random.Random(seed)

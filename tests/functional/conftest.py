import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from daemon import Daemon, Workspace


@pytest.fixture
def workspace(tmp_path):
    """A private folder with source, two targets and state, and a configuration that replicates between them."""
    return Workspace(tmp_path)


@pytest.fixture
def daemon(workspace):
    """The shipped binary, serving `workspace`; ended with the test."""
    with Daemon(workspace) as running:
        yield running


@pytest.fixture
def rng():
    """Seeded by FERMATA_SEED, or anew; the seed is printed, so that a failure can be replayed."""
    seed = int(os.environ.get("FERMATA_SEED") or random.SystemRandom().randrange(2**32))
    print(f"replay with FERMATA_SEED={seed}")
    return random.Random(seed)

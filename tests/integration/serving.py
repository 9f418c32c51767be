import contextlib

import pytest

from cluster import Servers
from kafka_broker import Unavailable


@contextlib.contextmanager
def serving(**which):
    """Servers(**which), running; the test is skipped, with the reason, where there is no such Kafka (no network)."""
    try:
        servers = Servers(**which)
    except Unavailable as reason:
        pytest.skip(str(reason))
    with servers as running:
        yield running

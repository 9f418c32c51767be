"""The oldest broker that we support, for what depends on it most: groups, idempotence, pausing, a restart."""
import time

import pytest

from cluster import Cluster
from daemon import wait_until
from kafka_broker import OldKafka
from serving import serving

ALL = ["node-1", "node-2"]
KEYS = 12


@pytest.fixture
def old_servers():
    with serving(nodes=2, kafka=lambda zookeeper: OldKafka(zookeeper.address, gates=2)) as running:
        yield running


def test_records_pauses_and_restarts_on_the_oldest_broker(old_servers, tmp_path):
    cluster = Cluster(old_servers, tmp_path, nodes=2, settings={"journal": {"keys": KEYS, "per_poll": 10, "period_ms": 20}})
    try:
        cluster.start()
        for location in cluster.locations:
            cluster.wait_done(location, range(100))
        cluster.pause("left")
        cluster.wait_state("left", "paused", ALL)
        paused_at = time.time_ns()
        reached = len(cluster.done("right"))
        wait_until(lambda: len(cluster.done("right")) > reached + 200, 60, "records of the other location")
        assert [line for line in cluster.lines() if line.location == "left" and line.at > paused_at] == []
        cluster.nodes[1].kill()
        cluster.resume("left")
        old_servers.kafka.brokers[0].restart("kill9")
        cluster.nodes[1].start()
        reached = len(cluster.done("right"))
        wait_until(lambda: len(cluster.done("right")) > reached + 200, 60, "records after the restart")
        high = max(map(int, cluster.done("right")))
        for location in cluster.locations:
            cluster.wait_done(location, range(high + 1))
        cluster.check_order()
        cluster.wait_state("left", "running", ALL)
    finally:
        cluster.close()

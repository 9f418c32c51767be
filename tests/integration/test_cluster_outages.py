"""ZooKeeper, Redis and Kafka are lost in every way a network knows: what runs goes on, it shows, and it heals."""
import re
import shutil
import time

import pytest

from cluster import SESSION_SECONDS, Cluster
from daemon import wait_until
from serving import serving

ALL = ["node-1", "node-2", "node-3"]
KEYS = 12
NAMES = {"zookeeper": "state store", "redis": "fan-out", "kafka": "queue"}
SINCE = re.compile(r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def records(first, count):
    return [(f"k{number % KEYS}", number) for number in range(first, first + count)]


def red(node, server):
    """Whether the node's readiness names the server, and since when."""
    shown = node.readiness()
    return NAMES[server] in shown and SINCE.search(shown)


def lose(gates, how):
    gates.cut() if how == "cut" else gates.half_open()


@pytest.mark.parametrize("how", ["cut", "half-open"])
@pytest.mark.parametrize("server", ["zookeeper", "redis"])
def test_without_state_or_hints_records_flow_changes_are_refused_and_all_heals(cluster, server, how):
    cluster.pause("right")
    cluster.wait_state("right", "paused", ALL)
    paused_at = time.time_ns()
    cluster.produce(records(0, 60))
    cluster.wait_done("left", range(60))
    lose(cluster.servers.gates_of(server), how)
    for node in cluster.nodes:
        wait_until(lambda node=node: red(node, server), 60, f"{node.id} names what it lost")
    lost = time.monotonic()
    cluster.produce(records(60, 60))
    cluster.wait_done("left", range(120))
    for number, node in enumerate(cluster.nodes):
        for verb, location in (("pause", "left"), ("resume", "right")):
            assert cluster.change(verb, location, number).status == 503
        assert node.post("/_/probe/pause/left").status == 503
        assert node.get("/_/probe/status").json == {"left": "enabled", "right": "disabled"}
        assert node.get("/livez").status == 200
    wait_until(lambda: time.monotonic() > lost + SESSION_SECONDS + 1)  # longer than any session lives
    cluster.produce(records(120, 60))
    cluster.wait_done("left", range(180))
    cluster.servers.gates_of(server).passing()
    cluster.wait_ready()
    cluster.wait_state("left", "running", ALL)
    cluster.wait_state("right", "paused", ALL)
    assert [line for line in cluster.lines() if line.location == "right" and line.at > paused_at] == []
    cluster.pause("left", node=1)
    cluster.resume("right", node=2)
    cluster.wait_done("right", range(180))
    cluster.check_order()


@pytest.mark.parametrize("how", ["cut", "half-open"])
def test_without_brokers_pause_and_resume_work_and_all_heals(cluster, how):
    cluster.produce(records(0, 60))
    cluster.wait_done("left", range(60))
    lose(cluster.servers.gates_of("kafka"), how)
    for node in cluster.nodes:
        wait_until(lambda node=node: red(node, "kafka"), 60, f"{node.id} names what it lost")
    cluster.pause("left", node=0)
    cluster.wait_state("left", "paused", ALL)
    cluster.resume("left", node=1)
    cluster.pause("right", node=2)
    cluster.wait_state("right", "paused", ALL)
    paused_at = time.time_ns()
    cluster.produce(records(60, 60))
    cluster.servers.gates_of("kafka").passing()
    cluster.wait_ready()
    cluster.wait_done("left", range(120))
    assert [line for line in cluster.lines() if line.location == "right" and line.at > paused_at] == []
    cluster.resume("right")
    cluster.wait_done("right", range(120))
    cluster.check_order()


@pytest.mark.parametrize("server", ["zookeeper", "redis", "kafka"])
def test_nothing_is_lost_over_slow_connections_and_resets_in_the_middle_of_a_message(make_cluster, server, rng):
    cluster = make_cluster(settings={"journal": {"keys": KEYS, "per_poll": 10, "period_ms": 20}}).start()
    wait_until(lambda: len(cluster.done("left")) > 100, what="records")
    for _ in range(12):
        gates = cluster.nodes[rng.randrange(3)].gates(server)
        if rng.random() < 0.5:
            gates.reset_after(rng.randrange(1, 3000), rng.choice(["server", "client"]))
        else:
            gates.slow(rng.randrange(1, 80), rng.choice([0, 20_000]))
        reached = len(cluster.done("left"))
        wait_until(lambda: len(cluster.done("left")) > reached + 20, 60, "records meanwhile")
    cluster.servers.gates_of(server).passing()
    cluster.wait_ready()
    cluster.pause("right")
    cluster.resume("right")
    high = max(map(int, cluster.done("left")))
    for location in cluster.locations:
        cluster.wait_done(location, range(high + 1))
    cluster.check_order()


def test_a_node_that_redis_does_not_reach_obeys_all_the_same(cluster):
    """Its hints are lost on purpose: the watch brings the change."""
    cut_off = cluster.nodes[2]
    cut_off.gates("redis").cut()
    wait_until(lambda: red(cut_off, "redis"), what="the loss")
    cluster.pause("left", node=0)
    cluster.wait_state("left", "paused", ALL)
    cluster.resume("left", node=1)
    cluster.wait_state("left", "running", ALL)


def test_a_node_that_nothing_reaches_holds_the_last_known_state_and_catches_up(cluster):
    alone = cluster.nodes[2]
    cluster.pause("left")
    cluster.wait_state("left", "paused", ALL)
    paused_at = time.time_ns()
    alone.gates("redis").half_open()
    alone.gates("zookeeper").half_open()
    wait_until(lambda: red(alone, "zookeeper") and red(alone, "redis"), what="the loss")
    assert cluster.change("resume", "left", node=2).status == 503
    cluster.pause("right", node=0)  # converged without it, once its session has ended
    cluster.produce(records(0, 60))
    assert [line for line in cluster.lines() if line.location == "left" and line.at > paused_at] == []
    alone.gates("redis").passing()
    alone.gates("zookeeper").passing()
    cluster.wait_state("right", "paused", ALL)
    cluster.resume("left", node=2)
    cluster.resume("right", node=1)
    for location in cluster.locations:
        cluster.wait_done(location, range(60))


def test_a_session_that_the_ensemble_ends_is_replaced_and_the_state_read_again(cluster):
    cluster.wait_state("left", "running", ALL)
    for node in cluster.nodes:
        cluster.expire_session(node)
    cluster.wait_ready()
    cluster.wait_state("left", "running", ALL)
    cluster.pause("left", node=1)
    cluster.wait_state("left", "paused", ALL)


@pytest.mark.parametrize("server", ["zookeeper", "redis"])
@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_a_restarted_server_changes_nothing(cluster, server, how):
    cluster.pause("left")
    cluster.produce(records(0, 60))
    getattr(cluster.servers, server).restart(how)
    cluster.wait_ready()
    cluster.wait_state("left", "paused", ALL)
    cluster.wait_done("right", range(60))
    cluster.resume("left", node=1)
    cluster.wait_done("left", range(60))


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_a_broker_restarts_in_the_middle_of_a_batch(make_cluster, how):
    cluster = make_cluster(settings={"journal": {"keys": KEYS, "per_poll": 100, "period_ms": 5}, "delay_ms": 2}).start()
    for _ in range(2):
        reached = len(cluster.done("left"))
        wait_until(lambda: len(cluster.done("left")) > reached + 300, 60, "records")
        cluster.servers.kafka.brokers[0].restart(how)
    reached = len(cluster.done("left"))
    wait_until(lambda: len(cluster.done("left")) > reached + 300, 60, "records after the restart")
    cluster.wait_ready()
    high = max(map(int, cluster.done("left")))
    for location in cluster.locations:
        cluster.wait_done(location, range(high + 1))
    cluster.check_order()


def test_servers_may_come_after_the_nodes(cluster):
    for node in cluster.nodes:
        node.kill()
    for server in NAMES:
        cluster.servers.gates_of(server).cut()
    for node in cluster.nodes:
        node.launch()
        node.wait_address()
    for server in NAMES:
        wait_until(lambda server=server: all(red(node, server) for node in cluster.nodes), 60, f"{server} missed")
    for server in NAMES:
        cluster.servers.gates_of(server).passing()
    cluster.wait_ready()
    cluster.produce(records(0, 60))
    cluster.wait_done("left", range(60))


def test_of_three_brokers_one_may_die(tmp_path):
    with serving(brokers=3) as servers:
        cluster = Cluster(servers, tmp_path, settings={"journal": {"keys": KEYS, "per_poll": 20, "period_ms": 20}})
        try:
            cluster.start()
            for broker in servers.kafka.brokers[:2]:
                reached = len(cluster.done("left"))
                wait_until(lambda: len(cluster.done("left")) > reached + 200, 60, "records")
                broker.kill9()
                reached = len(cluster.done("left"))
                wait_until(lambda: len(cluster.done("left")) > reached + 200, 60, "records without one broker")
                broker.start()
            high = max(map(int, cluster.done("left")))
            for location in cluster.locations:
                cluster.wait_done(location, range(high + 1))
            cluster.check_order()
        finally:
            cluster.close()


def test_rebalances_while_pausing_deliver_nothing_of_what_is_paused(make_cluster, rng):
    cluster = make_cluster(settings={"journal": {"keys": KEYS, "per_poll": 10, "period_ms": 10}}).start()
    for _ in range(4):
        moving = cluster.nodes[rng.randrange(1, 3)]
        moving.terminate() if rng.random() < 0.5 else moving.kill()
        cluster.pause("left", node=0)
        cluster.wait_state("left", "paused", [node for node in ALL if node != moving.id])
        paused_at = time.time_ns()
        moving.start()
        reached = len(cluster.done("right"))
        wait_until(lambda: len(cluster.done("right")) > reached + 100, 60, "records of the other location")
        cluster.wait_state("left", "paused", ALL)
        assert [line for line in cluster.lines() if line.location == "left" and line.at > paused_at] == []
        cluster.resume("left", node=0)
    high = max(map(int, cluster.done("right")))
    for location in cluster.locations:
        cluster.wait_done(location, range(high + 1))
    cluster.check_order()


def test_an_ensemble_that_lost_its_data_gets_the_last_known_states(cluster):
    cluster.pause("right")
    cluster.servers.zookeeper.kill9()
    shutil.rmtree(cluster.servers.zookeeper.folder / "version-2")
    cluster.servers.zookeeper.start()
    cluster.wait_ready()
    cluster.wait_state("left", "running", ALL)
    cluster.wait_state("right", "paused", ALL)
    cluster.resume("right", node=1)

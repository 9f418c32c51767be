"""Three nodes steered as one: pause, wait, schedule, joining, dying, and the same answer from each."""
import time
import urllib.parse

import pytest
from kazoo.exceptions import NoNodeError

from cluster import SESSION_SECONDS, steer
from daemon import wait_until

KEYS = 12
GIVEN_UP_SECONDS = SESSION_SECONDS + 30  # with what a busy machine needs on top
ALL = ["node-1", "node-2", "node-3"]


def records(first, count):
    return [(f"k{number % KEYS}", number) for number in range(first, first + count)]


def since(cluster, location, moment):
    return [line for line in cluster.lines() if line.location == location and line.at > moment]


def produce_until_all_work(cluster):
    """Sends records until every node has done one of "left". @return how many."""
    sent = 0

    def all_work():
        nonlocal sent
        cluster.produce(records(sent, 60))
        sent += 60
        return {line.node for line in cluster.lines() if line.location == "left"} == set(ALL)

    wait_until(all_work, 60, "work on every node", pause=0.5)
    return sent


def test_three_nodes_share_the_partitions_of_a_location(cluster):
    sent = produce_until_all_work(cluster)

    def each_has_one_owner():
        """Of the next records; those of a round in which partitions still move have two."""
        nonlocal sent
        first, sent = sent, sent + 120
        cluster.produce(records(first, 120))
        owners = {}
        for location in cluster.locations:
            cluster.wait_done(location, range(sent))
        for line in cluster.lines():
            if int(line.value) >= first:
                owners.setdefault((line.location, line.partition), set()).add(line.node)
        return {len(nodes) for nodes in owners.values()} == {1}

    wait_until(each_has_one_owner, 90, "one owner for each partition")
    cluster.check_order()


def test_a_pause_reaches_all_nodes_and_nothing_is_delivered_until_the_resume(cluster):
    cluster.produce(records(0, 120))
    for location in cluster.locations:
        cluster.wait_done(location, range(120))
    cluster.pause("left", node=0)
    cluster.wait_state("left", "paused", ALL)
    paused_at = time.time_ns()
    cluster.produce(records(120, 120))
    cluster.wait_done("right", range(240))
    assert since(cluster, "left", paused_at) == []
    nodes = lambda: cluster.nodes[1].location("probe", "left")["nodes"]  # noqa: E731
    wait_until(lambda: sum(each["lag"] for each in nodes()) == 120, what="the backlog in the status")
    cluster.resume("left", node=2)
    cluster.wait_done("left", range(240))
    cluster.check_order()


def test_waiting_names_the_nodes_that_still_work_and_ends_when_they_are_done(make_cluster):
    cluster = make_cluster(settings={"delay_ms": 10_000}).start()
    cluster.wait_state("left", "running", ALL)
    cluster.produce(records(0, KEYS))
    busy = lambda: [each["node"] for each in cluster.nodes[0].location("probe", "left")["nodes"] if each["inFlight"] > 0]  # noqa: E731
    wait_until(busy, what="records in flight")
    soon = steer(lambda: cluster.change("pause", "left", query="?wait=200ms"))
    assert soon.status == 200 and soon.json["converged"] is False
    assert soon.json["waiting"] and all(each["state"] in ("pausing", "running") for each in soon.json["waiting"]), soon.text
    assert cluster.pause("left", node=1).json["waiting"] == []
    assert {line.outcome for line in cluster.lines() if line.location == "left"} <= {"done"}


def test_any_node_answers_with_the_same_truth(cluster):
    cluster.pause("left", node=1)
    assert cluster.schedule("left", {"hours": 5}, node=2).status == 200
    cluster.wait_state("left", "paused", ALL)
    cluster.wait_state("right", "running", ALL)

    def answers(path):
        """What the nodes answer; which of them is asked may show only in "self"."""
        return {node.get(path).text.replace('"self":true', '"self":false') for node in cluster.nodes}

    for path in ("/_/probe/status", "/_/backbeat/api/probe/status/left", "/_/probe/resume"):
        assert len(answers(path)) == 1, path
    for path in ("/api/v1/services", "/api/v1/services/probe/locations", "/api/v1/nodes", "/api/v1/audit"):
        wait_until(lambda path=path: len(answers(path)) == 1, what=f"one answer to {path}")
    assert [each["id"] for each in cluster.nodes[0].get("/api/v1/nodes").json["nodes"]] == ALL
    assert cluster.nodes[0].get("/_/probe/status").json == {"left": "disabled", "right": "enabled"}


def test_a_killed_node_is_no_vote_after_the_session_timeout(cluster):
    cluster.wait_state("left", "running", ALL)
    cluster.nodes[2].kill()
    cluster.wait_state("left", "running", ALL[:2], timeout=GIVEN_UP_SECONDS)
    cluster.pause("left")
    cluster.wait_state("left", "paused", ALL[:2])
    cluster.nodes[2].start()
    cluster.wait_state("left", "paused", ALL)


def test_the_partitions_of_a_killed_node_move_and_nothing_is_lost(cluster):
    sent = produce_until_all_work(cluster)
    cluster.produce(records(sent, 600))
    cluster.nodes[1].kill()
    cluster.produce(records(sent + 600, 600))
    for location in cluster.locations:
        cluster.wait_done(location, range(sent + 1200))
    cluster.check_order()


def test_a_node_that_joins_while_paused_starts_paused(make_cluster):
    cluster = make_cluster()
    for node in cluster.nodes[:2]:
        node.start()
    cluster.pause("left")
    cluster.wait_state("left", "paused", ALL[:2])
    paused_at = time.time_ns()
    cluster.produce(records(0, 60))
    cluster.nodes[2].start()
    cluster.wait_state("left", "paused", ALL)
    cluster.wait_done("right", range(60))
    assert since(cluster, "left", paused_at) == []
    cluster.resume("left", node=2)
    cluster.wait_done("left", range(60))


def test_a_pause_outlives_all_nodes(cluster):
    cluster.pause("left")
    paused_at = time.time_ns()
    for node in cluster.nodes:
        node.kill()
    cluster.produce(records(0, 60))
    cluster.start()
    cluster.wait_state("left", "paused", ALL)
    cluster.wait_done("right", range(60))
    assert since(cluster, "left", paused_at) == []


def actions(cluster, location):
    """What was done to `location`, newest first, as the audit trail tells."""
    entries = steer(lambda: cluster.alive()[0].get("/api/v1/audit?limit=1000")).json["entries"]
    return [entry["action"] for entry in entries if entry["location"] == location]


def test_a_schedule_fires_once_also_when_the_node_that_took_it_is_dead(cluster):
    cluster.pause("left")
    assert cluster.schedule("left", {"after": "6s"}, node=1).status == 200
    wait_until(lambda: actions(cluster, "left")[-2:] == ["schedule", "pause"], what="the audit trail")  # written in the background
    cluster.nodes[1].kill()
    wait_until(lambda: cluster.nodes[0].get("/_/probe/status/left").json == {"left": "enabled"}, 60, "the resume")
    cluster.nodes[1].start()
    cluster.wait_state("left", "running", ALL)
    wait_until(lambda: actions(cluster, "left") == ["scheduled-resume", "schedule", "pause"], what=lambda: f"{actions(cluster, 'left')}")


def test_the_former_date_of_a_schedule_never_fires(cluster):
    cluster.pause("left")
    assert cluster.schedule("left", {"after": "15s"}, node=0).status == 200
    assert cluster.schedule("left", {"hours": 3}, node=1).status == 200
    cluster.pause("right")
    assert cluster.schedule("right", {"after": "17s"}, node=2).status == 200
    wait_until(lambda: cluster.nodes[1].get("/_/probe/status/right").json == {"right": "enabled"}, 90, "the later schedule")
    for node in cluster.nodes:
        assert node.get("/_/probe/status/left").json == {"left": "disabled"}


def test_a_schedule_that_falls_due_while_nothing_runs_fires_at_the_start(cluster):
    cluster.pause("left")
    assert cluster.schedule("left", {"after": "1s"}).status == 200
    for node in cluster.nodes:
        node.kill()
    due = time.monotonic() + 1.2
    wait_until(lambda: time.monotonic() > due)
    cluster.nodes[1].start()
    cluster.wait_state("left", "running", ["node-2"])


def holder(cluster):
    """The node that holds the journal's lease, as ZooKeeper knows it; "" if none."""
    with cluster.zookeeper() as client:
        for path in cluster.paths(client):
            if urllib.parse.unquote(path).endswith("populator/probe/journal"):
                try:
                    entries = sorted(client.get_children(path), key=lambda name: name.rsplit("-", 1)[1])
                    return client.get(f"{path}/{entries[0]}")[0].decode() if entries else ""
                except NoNodeError:  # it has just ended
                    return ""
    return ""


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_a_populator_moves_to_another_node_and_leaves_no_gap(make_cluster, how):
    cluster = make_cluster(settings={"journal": {"keys": KEYS, "per_poll": 5, "period_ms": 20}}).start()
    for _ in range(2):
        held_by = wait_until(lambda: holder(cluster), 60, "a holder of the lease")
        first = next(node for node in cluster.nodes if node.id == held_by)
        seen = len(cluster.done("left"))
        wait_until(lambda: len(cluster.done("left")) > seen + 50, what="records of the first holder")
        first.kill() if how == "kill" else first.freeze()
        wait_until(lambda: holder(cluster) not in ("", first.id), GIVEN_UP_SECONDS, "another holder")
        reached = len(cluster.done("left"))
        wait_until(lambda: len(cluster.done("left")) > reached + 50, 60, "records of the next holder")
        first.start() if how == "kill" else first.thaw()
    for location in cluster.locations:
        high = max(map(int, cluster.done(location)))
        cluster.wait_done(location, range(high + 1))
    cluster.check_order()


def test_a_frozen_node_drops_out_and_obeys_when_it_is_back(cluster):
    cluster.wait_state("left", "running", ALL)
    frozen = cluster.nodes[2]
    frozen.freeze()
    cluster.pause("left")
    paused_at = time.time_ns()
    frozen.thaw()
    cluster.wait_state("left", "paused", ALL)
    cluster.produce(records(0, 60))
    cluster.wait_done("right", range(60))
    assert since(cluster, "left", paused_at) == []

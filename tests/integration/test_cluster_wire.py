"""The wire that Backbeat speaks (Redis messages, ZooKeeper nodes, Kafka topics), driven and read by clients that are not ours."""
import json
import re
import subprocess

import pytest
import redis

from cluster import Cluster, steer
from daemon import wait_until

STATES = "/backbeat/replication/state"
FUTURE = "2036-11-22T08:35:12.830Z"
PAST = "2016-11-22T08:35:12.830Z"

# What is in ZooKeeper before the first node of ours starts: the data, and how it is shown. None: no node yet.
FOUND = {
    "new": (None, "enabled"),
    "running": (b'{"paused":false}', "enabled"),
    "paused": (b'{"paused":true}', "disabled"),
    "null-date": (b'{"paused":true,"scheduledResume":null}', "disabled"),
    "scheduled": (b'{"paused":true,"scheduledResume":"%s"}' % FUTURE.encode(), "disabled"),
    "overdue": (b'{"paused":true,"scheduledResume":"%s","owner":"someone"}' % PAST.encode(), "enabled"),
    "dated": (b'{"paused":false,"scheduledResume":"%s"}' % FUTURE.encode(), "enabled"),
    "foreign": (b'{"zone":{"a":[1,2,null]},"paused":false,"note":"\\u00e9 stays"}', "enabled"),
    "nothing": (b"", None),
    "null": (b"null", None),
    "text": (b"not json", None),
    "list": (b"[]", None),
    "word": (b'{"paused":"yes"}', None),
}
LOCATIONS = [*FOUND, "us-east-1"]


@pytest.fixture(scope="module")
def wire(servers, tmp_path_factory):
    """Two nodes that run crr as Backbeat names things, beside what Backbeat left in ZooKeeper."""
    folder = tmp_path_factory.mktemp("wire")
    (folder / "source").mkdir()

    def adapt(config):
        config["zookeeper"]["session_timeout"] = "10s"  # a message that finds nobody who holds the lease is lost, as in Backbeat
        config["redis"]["channel_prefix"] = ""
        config["kafka"]["topic_prefix"] = ""
        targets = [{"name": name, "type": "filesystem", "path": str(folder / "targets" / name)} for name in LOCATIONS]
        config["extensions"] = [
            {"name": "crr", "settings": {"source": {"type": "filesystem", "path": str(folder / "source")}}, "locations": targets}
        ]

    for name in LOCATIONS:
        (folder / "targets" / name).mkdir(parents=True)
    cluster = Cluster(servers, folder, nodes=2, adapt=adapt)
    with cluster.zookeeper() as client:
        client.ensure_path(STATES)
        for name, (data, _) in FOUND.items():
            if data is not None:
                client.create(f"{STATES}/{name}", data)
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.fixture
def zookeeper(wire):
    with wire.zookeeper() as client:
        yield client


@pytest.fixture
def foreign(wire):
    """A Backbeat API's connection to Redis."""
    with redis.Redis(port=wire.servers.redis.port) as client:
        yield client


def stored(client, location="us-east-1"):
    return client.get(f"{STATES}/{location}")[0]


def shown(wire, location):
    """How each node shows the location."""
    return [node.get(f"/_/crr/status/{location}").json.get(location) for node in wire.nodes]


def wait_shown(wire, location, word):
    wait_until(lambda: shown(wire, location) == [word] * 2, what=lambda: f"'{word}' for {location}: {shown(wire, location)}")


def view(node, location):
    return node.location("crr", location)


def ask(wire, verb, location="us-east-1", node=0):
    assert steer(lambda: wire.nodes[node].post(f"/_/backbeat/api/crr/{verb}/{location}")).status == 200


@pytest.fixture
def running(wire, zookeeper):
    """us-east-1 runs, whatever the test before did."""
    ask(wire, "resume")
    wait_shown(wire, "us-east-1", "enabled")
    return wire


@pytest.mark.parametrize("location", [name for name, (_, word) in FOUND.items() if word])
def test_states_that_backbeat_left_are_obeyed(wire, location):
    wait_shown(wire, location, FOUND[location][1])


def test_a_new_location_gets_the_very_node_that_backbeat_would_make(wire, zookeeper):
    wait_shown(wire, "new", "enabled")
    assert stored(zookeeper, "new") == b'{"paused":false}'


def test_what_needs_no_change_is_left_alone(wire, zookeeper):
    for location in ("running", "paused", "null-date", "scheduled", "foreign"):
        data, stat = zookeeper.get(f"{STATES}/{location}")
        assert data == FOUND[location][0] and stat.version == 0, location


def test_a_schedule_that_is_there_already_is_kept_and_shown(wire):
    for node in wire.nodes:
        assert node.get("/_/crr/resume/scheduled").json == {"scheduled": FUTURE}


def test_an_overdue_schedule_fires_at_the_start_in_one_write_and_keeps_foreign_keys(wire, zookeeper):
    wait_shown(wire, "overdue", "enabled")
    data, stat = zookeeper.get(f"{STATES}/overdue")
    assert stat.version == 1
    document = json.loads(data)
    assert document["paused"] is False and not document.get("scheduledResume") and document["owner"] == "someone"


def test_a_date_beside_running_means_running(wire):
    for node in wire.nodes:
        assert node.get("/_/crr/resume/dated").json == {"dated": "none"}


@pytest.mark.parametrize("location", [name for name, (_, word) in FOUND.items() if not word])
def test_a_state_that_makes_no_sense_fails_its_location_only(wire, zookeeper, location):
    for node in wire.nodes:
        wait_until(lambda node=node: view(node, location)["state"] == "failed", what="the failed state")
        assert view(node, location)["desiredError"], view(node, location)
        assert node.get("/_/crr/status").status == 200
    assert stored(zookeeper, location) == FOUND[location][0], "nobody touched it"


def test_a_pause_mends_a_state_that_makes_no_sense(wire, zookeeper):
    ask(wire, "pause", "word")
    wait_shown(wire, "word", "disabled")
    assert json.loads(stored(zookeeper, "word"))["paused"] is True
    zookeeper.set(f"{STATES}/word", FOUND["word"][0])
    wait_until(lambda: view(wire.nodes[0], "word")["state"] == "failed", what="the failed state")


def test_keys_of_others_survive_our_changes(wire, zookeeper):
    ask(wire, "pause", "foreign", node=1)
    document = json.loads(stored(zookeeper, "foreign"))
    assert document["paused"] is True and document["zone"] == {"a": [1, 2, None]} and document["note"] == "\u00e9 stays"
    ask(wire, "resume", "foreign")
    document = json.loads(stored(zookeeper, "foreign"))
    assert document["paused"] is False and document["zone"] == {"a": [1, 2, None]} and document["note"] == "\u00e9 stays"


def test_what_backbeat_writes_without_a_version_is_seen_by_all_nodes(running, zookeeper):
    zookeeper.set(f"{STATES}/us-east-1", b'{"paused":true,"scheduledResume":"%s"}' % FUTURE.encode(), version=-1)
    wait_shown(running, "us-east-1", "disabled")
    for node in running.nodes:
        assert node.get("/_/crr/resume/us-east-1").json == {"us-east-1": FUTURE}


def publish(client, *messages):
    for message in messages:
        client.publish("backbeat-replication-us-east-1", message)


def commands(wire):
    """What was done in Backbeat's name, newest first."""
    entries = steer(lambda: wire.nodes[0].get("/api/v1/audit?limit=1000")).json["entries"]
    return [entry["action"] for entry in entries if entry["by"] == "backbeat" and entry["location"] == "us-east-1"]


def test_backbeats_messages_are_stored_once_as_backbeats_processors_would(running, zookeeper, foreign):
    before = len(commands(running))
    publish(foreign, '{"action":"pauseService"}')
    wait_shown(running, "us-east-1", "disabled")
    assert re.fullmatch(rb'\{"paused":true,"by":"backbeat","at":"[^"]*Z"\}', stored(zookeeper)), stored(zookeeper)
    publish(foreign, '{"action":"resumeService","date":"%s"}' % FUTURE)
    wait_until(lambda: json.loads(stored(zookeeper)).get("scheduledResume") == FUTURE, what="the schedule")
    publish(foreign, '{"action":"deleteScheduledResumeService","more":1}')
    wait_until(lambda: not json.loads(stored(zookeeper)).get("scheduledResume"), what="no schedule")
    publish(foreign, '{"action":"resumeService"}')
    wait_shown(running, "us-east-1", "enabled")
    wait_until(lambda: len(commands(running)) - before >= 4, what="the audit trail")
    assert commands(running)[: len(commands(running)) - before] == ["resume", "unschedule", "schedule", "pause"]


def test_a_date_that_has_passed_means_now(running, foreign):
    publish(foreign, '{"action":"pauseService"}')
    wait_shown(running, "us-east-1", "disabled")
    publish(foreign, '{"action":"resumeService","date":"%s"}' % PAST)
    wait_shown(running, "us-east-1", "enabled")


def test_many_commands_are_carried_out_in_order_of_arrival(running, zookeeper, foreign):
    before = len(commands(running))
    version = zookeeper.exists(f"{STATES}/us-east-1").version
    publish(foreign, *['{"action":"pauseService"}', '{"action":"resumeService"}'] * 25, '{"action":"pauseService"}')
    wait_until(lambda: len(commands(running)) - before == 51, what=lambda: f"51 commands: {len(commands(running)) - before}")
    assert commands(running)[:51] == ["pause", "resume"] * 25 + ["pause"]
    assert zookeeper.exists(f"{STATES}/us-east-1").version == version + 51
    wait_shown(running, "us-east-1", "disabled")


def test_what_is_no_command_changes_nothing(running, zookeeper, foreign):
    version = zookeeper.exists(f"{STATES}/us-east-1").version
    publish(
        foreign, "", "pauseService", "null", "[]", "{}", '{"action":"pauseservice"}', '{"action":7}', '{"action":"status"}', b"\xff\xfe",
        '{"action":"resumeService","date":"soon"}', '{"action":"resumeService","date":null}', '{"action":"resumeService","date":12}',
    )
    publish(foreign, '{"action":"pauseService"}')
    wait_shown(running, "us-east-1", "disabled")
    assert zookeeper.exists(f"{STATES}/us-east-1").version == version + 1
    refused = lambda: sorted(node.log().count("is not a date") for node in running.nodes)  # noqa: E731
    wait_until(lambda: refused() == [0, 3], what=lambda: f"three refusals by the holder of the lease: {refused()}")


def test_our_hints_are_backbeats_messages_with_a_revision(running, foreign):
    with foreign.pubsub() as channel:
        channel.subscribe("backbeat-replication-us-east-1")
        assert channel.get_message(timeout=10)["type"] == "subscribe"

        def next_message():
            message = channel.get_message(timeout=60)
            assert message, "no message came"
            return message["data"]

        ask(running, "pause")
        # What was published before the subscription may still come after it.
        message = wait_until(lambda: (got := next_message()).startswith(b'{"action":"pauseService"') and got, what="the pause")
        assert re.fullmatch(rb'\{"action":"pauseService","revision":\d+\}', message)
        assert steer(lambda: running.nodes[1].post("/_/backbeat/api/crr/resume/us-east-1/schedule", {"hours": 5})).status == 200
        date = running.nodes[1].get("/_/crr/resume/us-east-1").json["us-east-1"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", date)
        assert re.fullmatch(rb'\{"action":"resumeService","date":"%s","revision":\d+\}' % date.encode(), next_message())
        assert steer(lambda: running.nodes[0].request("DELETE", "/_/backbeat/api/crr/resume/us-east-1/schedule")).status == 200
        assert re.fullmatch(rb'\{"action":"deleteScheduledResumeService","revision":\d+\}', next_message())
        ask(running, "resume", node=1)
        assert re.fullmatch(rb'\{"action":"resumeService","revision":\d+\}', next_message())


def test_our_documents_are_backbeats_with_more_keys(running, zookeeper):
    ask(running, "pause")
    assert steer(lambda: running.nodes[0].post("/_/crr/resume/us-east-1/schedule", {"hours": 5})).status == 200
    document = json.loads(stored(zookeeper))
    date = running.nodes[0].get("/_/crr/resume/us-east-1").json["us-east-1"]
    assert document["paused"] is True and document["scheduledResume"] == date
    assert set(document) <= {"paused", "scheduledResume", "reason", "by", "at"}
    ask(running, "resume")
    assert json.loads(stored(zookeeper))["paused"] is False and "scheduledResume" not in json.loads(stored(zookeeper))


def kcat(wire, *arguments):
    return subprocess.run(["kcat", "-b", wire.servers.kafka.address, "-q", *arguments], capture_output=True, timeout=60).stdout


def test_topics_groups_and_keys_have_backbeats_names(running):
    folder = running.folder / "source" / "photos"
    folder.mkdir(exist_ok=True)
    (folder / "a b+\u00e9.txt").write_text("x")
    copy = running.folder / "targets/us-east-1/photos/a b+\u00e9.txt"
    wait_until(copy.exists, 60, "the copy")
    topics = [topic["topic"] for topic in json.loads(kcat(running, "-L", "-J"))["topics"]]
    assert "backbeat-replication" in topics
    read_keys = ("-C", "-o", "beginning", "-e", "-f", "%k\n", "-t")
    assert b"photos%2Fa%20b%2B%C3%A9.txt" in kcat(running, *read_keys, "backbeat-replication").splitlines()
    committed = b"crr-us-east-1\x00\x14backbeat-replication"  # within the key of a committed offset
    wait_until(lambda: committed in kcat(running, *read_keys, "__consumer_offsets"), 90, "the group's offsets")


def test_canary_records_are_skipped(running):
    produce = ["kcat", "-P", "-b", running.servers.kafka.address, "-t", "backbeat-replication", "-k", "canary"]
    subprocess.run(produce, input=b"not a record", check=True, timeout=60)
    wait_until(lambda: all(each["lag"] == 0 for each in view(running.nodes[0], "us-east-1")["nodes"]), what="the canary's offset")
    assert view(running.nodes[0], "us-east-1")["failed"] == 0

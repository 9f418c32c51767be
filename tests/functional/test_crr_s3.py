"""crr between real S3 stores and directories, on one machine: told by a store's webhook, or looking by itself."""
import itertools
import os

import pytest

from daemon import Daemon, Workspace, wait_until
from kafka_broker import Unavailable
from process import free_port
from s3_servers import MinioServer, VersityServer
from s3_workload import MARKER, MIB, Workload, current_keys, differences, differing_histories, histories, list_versions, rclone_check, tags, wait_until_same

TOKEN = "the-token-of-the-tests"  # one word: MinIO sends nothing of several
EVENTS = "/api/v1/services/crr/events"
OBJECTS = int(os.environ.get("FERMATA_S3_OBJECTS", 100))
SECONDS = max(150, OBJECTS)
names = (f"bucket-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def port():
    """Of the daemon, the same for all tests: the source knows where its events go."""
    return free_port()


@pytest.fixture(scope="module")
def back_port():
    """Of the daemon for the way back."""
    return free_port()


@pytest.fixture(scope="module")
def servers(port, back_port):
    """MinIO as the source, MinIO in Paris (which posts its events, too) and versitygw in Oslo."""
    try:
        made = {
            "source": MinioServer(webhook=(f"http://127.0.0.1:{port}{EVENTS}", TOKEN)),
            "paris": MinioServer(webhook=(f"http://127.0.0.1:{back_port}{EVENTS}", TOKEN)),
            "oslo": VersityServer(),
        }
    except Unavailable as reason:
        pytest.skip(str(reason))
    try:
        for server in made.values():
            server.launch()
        for server in made.values():
            server.wait_ready()
        yield made
    finally:
        for server in made.values():
            server.close()


@pytest.fixture
def source(servers):
    return servers["source"]


@pytest.fixture
def paris(servers):
    servers["paris"].resume() if servers["paris"].running() else servers["paris"].start()
    return servers["paris"]


@pytest.fixture
def bucket(source):
    """A new one at the source, with versions, whose events are posted."""
    name = source.make_bucket(next(names))
    source.publish(name, "webhook")
    return name


@pytest.fixture
def replicate(tmp_path):
    """Starts a daemon that replicates these buckets; it ends with the test."""
    running = []

    def start(source, locations, *buckets, port=0, journal=({"type": "s3-webhook", "token": TOKEN},), rule=None, env=None):
        folder = tmp_path / f"daemon-{len(running)}"
        folder.mkdir()
        workspace = Workspace(folder)
        workspace.config["rest"] = {"port": port}
        workspace.config["extensions"] = [{
            "name": "crr",
            "settings": {"source": source, "rules": [{"bucket": each, **(rule or {})} for each in buckets]},
            "locations": [{"name": name, **location} for name, location in locations.items()],
            "pipeline": {"retry_first": "100ms", "retry_max": "2s"},
        }]
        if journal:
            workspace.config["extensions"][0]["settings"]["journal"] = list(journal)
        running.append(Daemon(workspace, env=env))
        return running[-1]

    yield start
    for daemon in running:
        daemon.kill()


@pytest.fixture
def to_paris(replicate, source, paris, port):
    """Starts a daemon that replicates buckets of the source to Paris."""
    return lambda *buckets, **options: replicate(source.settings(), {"paris": paris.settings()}, *buckets, port=port, **options)


def standing(daemon, bucket, key, location="paris"):
    """What the daemon says of an object at a location."""
    answer = daemon.get(f"/api/v1/services/crr/objects/{bucket}/{key}")
    return next((each for each in answer.json["locations"] if each["location"] == location), {}) if answer.status == 200 else {}


def wait_standing(daemon, bucket, key, status, location="paris"):
    wait_until(lambda: standing(daemon, bucket, key, location).get("status") == status, SECONDS,
               lambda: f"{key} being {status} at {location}: {standing(daemon, bucket, key, location)}")
    return standing(daemon, bucket, key, location)


def there(server, bucket):
    """{key: number of versions and markers}; nothing as long as there is no bucket."""
    client = server.client()
    if bucket not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        return {}
    return {key: len(entries) for key, entries in list_versions(client, bucket).items()}


def metric(daemon, name, **labels):
    """The sum of a metric's series with these labels."""
    lines = [line.rsplit(" ", 1) for line in daemon.get("/_/monitoring/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(value) for series, value in lines if all(f'{label}="{text}"' in series for label, text in labels.items()))


def put(server, bucket, key, body="content", **arguments):
    return server.client().put_object(Bucket=bucket, Key=key, Body=body.encode(), **arguments).get("VersionId")


def read(server, bucket, key):
    return server.client().get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def test_what_a_store_posts_brings_everything_to_two_stores_as_it_is(replicate, servers, source, port, rng):
    buckets = [source.make_bucket(next(names)) for _ in range(2)]
    for each in buckets:
        source.publish(each, "webhook")
    targets = {name: servers[name] for name in ("paris", "oslo")}
    daemon = replicate(source.settings(), {name: server.settings() for name, server in targets.items()}, *buckets, port=port)
    workload = Workload(rng.random(), OBJECTS, buckets, largest=24 * MIB)
    workload.upload(source.client()).join()
    for target in targets.values():
        wait_until_same(source, target, workload, SECONDS)
        assert differences(source, target, buckets) == []
    assert daemon.get("/api/v1/services/crr/failed").json["Versions"] == []


def test_a_scan_brings_the_history_of_what_was_there_before(to_paris, source, paris, rng):
    buckets = [source.make_bucket(next(names)) for _ in range(2)]
    workload = Workload(rng.random(), OBJECTS // 2, buckets, largest=12 * MIB)
    workload.upload(source.client()).join()
    to_paris(*buckets, journal=[{"type": "scan"}])
    wait_until_same(source, paris, workload, SECONDS)
    assert differences(source, paris, buckets) == []


def test_a_repeated_scan_finds_what_nobody_told_of(to_paris, source, paris):
    bucket = source.make_bucket(next(names))
    to_paris(bucket, journal=[{"type": "scan", "interval": "1s"}])
    put(source, bucket, "silent", "first")
    wait_until(lambda: there(paris, bucket) == {"silent": 1}, SECONDS)
    put(source, bucket, "silent", "second")
    source.client().delete_object(Bucket=bucket, Key="silent")
    put(source, bucket, "late")
    wait_until(lambda: there(paris, bucket) == {"silent": 3, "late": 1}, SECONDS, lambda: f"all: {there(paris, bucket)}")
    assert differing_histories(source.client(), paris.client(), bucket) == []


def test_a_source_that_lists_its_markers_apart_keeps_its_histories(replicate, servers, paris):
    oslo = servers["oslo"]
    bucket = oslo.make_bucket(next(names))
    made = {}
    for key in ("ab", "a", "a-b"):
        made[key] = [put(oslo, bucket, key, "1"), MARKER]
        oslo.client().delete_object(Bucket=bucket, Key=key)
    made["a"].append(put(oslo, bucket, "a", "2"))
    made["quick"] = []
    for number in range(4):
        made["quick"] += [put(oslo, bucket, "quick", str(number)), MARKER]
        oslo.client().delete_object(Bucket=bucket, Key="quick")
    replicate(oslo.settings(), {"paris": paris.settings()}, bucket, journal=[{"type": "scan", "interval": "1s"}])
    wait_until(lambda: there(paris, bucket) == {"ab": 2, "a": 3, "a-b": 2, "quick": 8}, SECONDS, lambda: f"all: {there(paris, bucket)}")
    oslo.client().delete_object(Bucket=bucket, Key="a")
    wait_until(lambda: there(paris, bucket)["a"] == 4, SECONDS)
    made["a"] += [MARKER, put(oslo, bucket, "a", "3")]
    made["ab"].append(put(oslo, bucket, "ab", "2"))
    wait_until(lambda: there(paris, bucket) == {"ab": 3, "a": 5, "a-b": 2, "quick": 8}, SECONDS, lambda: f"all: {there(paris, bucket)}")
    assert histories(paris.client(), bucket, True) == made


def test_an_upload_whose_part_numbers_have_gaps_arrives_in_one_piece(to_paris, source, paris, bucket):
    daemon, client = to_paris(bucket), source.client()
    upload = client.create_multipart_upload(Bucket=bucket, Key="gaps")["UploadId"]
    parts = [(3, os.urandom(5 * MIB)), (10, b"the end")]
    etags = [client.upload_part(Bucket=bucket, Key="gaps", UploadId=upload, PartNumber=number, Body=body)["ETag"] for number, body in parts]
    done = {"Parts": [{"PartNumber": number, "ETag": etag} for (number, _), etag in zip(parts, etags)]}
    client.complete_multipart_upload(Bucket=bucket, Key="gaps", UploadId=upload, MultipartUpload=done)
    wait_standing(daemon, bucket, "gaps", "COMPLETED")
    assert paris.client().get_object(Bucket=bucket, Key="gaps")["Body"].read() == parts[0][1] + parts[1][1]
    assert paris.client().list_multipart_uploads(Bucket=bucket, Prefix="gaps").get("Uploads", []) == []


def test_the_state_of_an_object_says_what_was_copied(to_paris, source, bucket):
    daemon = to_paris(bucket)
    version = put(source, bucket, "a b/ü+%.txt", "four")
    shown = wait_standing(daemon, bucket, "a%20b/%C3%BC%2B%25.txt", "COMPLETED")
    assert shown["bytes"] == 4 and shown["versionId"] == version and shown["attempts"] == 1 and shown["completedAt"].endswith("Z")
    assert "COMPLETED" in daemon.cli("crr", "object", f"{bucket}/a b/ü+%.txt").stdout


def test_a_paused_location_holds_over_a_restart_and_then_catches_up(to_paris, source, paris, bucket):
    daemon = to_paris(bucket)
    put(source, bucket, "before")
    wait_until(lambda: there(paris, bucket) == {"before": 1}, SECONDS)
    daemon.cli("pause", "crr", "paris", "--wait", "60s")
    for number in range(30):
        put(source, bucket, f"held-{number % 10}", str(number))
    wait_until(lambda: sum(node["lag"] for node in daemon.location("crr", "paris")["nodes"]) >= 30, SECONDS, "the records waiting")
    daemon.restart()
    wait_until(lambda: sum(node["lag"] for node in daemon.location("crr", "paris")["nodes"]) >= 30, SECONDS, "the records still waiting")
    assert there(paris, bucket) == {"before": 1}
    daemon.cli("resume", "crr", "paris", "--wait", "60s")
    wait_until(lambda: sum(there(paris, bucket).values()) == 31, SECONDS)
    assert differing_histories(source.client(), paris.client(), bucket) == []


def test_what_happens_while_it_is_down_is_told_by_the_store_afterwards(to_paris, source, paris, bucket):
    daemon = to_paris(bucket)
    put(source, bucket, "o", "first")
    wait_until(lambda: there(paris, bucket) == {"o": 1}, SECONDS)
    daemon.kill()
    put(source, bucket, "o", "second")
    put(source, bucket, "new")
    daemon.start()
    wait_until(lambda: there(paris, bucket) == {"o": 2, "new": 1}, SECONDS)
    assert differing_histories(source.client(), paris.client(), bucket) == []


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_a_target_that_is_down_shows_as_unreachable_and_heals_by_itself(to_paris, source, paris, bucket, how):
    daemon = to_paris(bucket)
    put(source, bucket, "before")
    wait_until(lambda: there(paris, bucket) == {"before": 1}, SECONDS)
    getattr(paris, how)()
    for number in range(20):
        put(source, bucket, f"meanwhile-{number}")
    degraded = wait_until(lambda: "target-unreachable" in str(shown := daemon.location("crr", "paris")) and shown, SECONDS, "the outage to show")
    assert degraded["desired"]["paused"] is False
    assert wait_standing(daemon, bucket, "meanwhile-0", "PENDING")
    paris.start() if how == "stop" else paris.resume()
    wait_until(lambda: sum(there(paris, bucket).values()) == 21, SECONDS)
    wait_until(lambda: daemon.location("crr", "paris")["state"] == "running", SECONDS, lambda: f"health: {daemon.location('crr', 'paris')}")
    assert daemon.get("/api/v1/services/crr/failed").json["Versions"] == [], "an outage gives nothing up"
    assert differing_histories(source.client(), paris.client(), bucket) == []


def test_wrong_credentials_are_named_and_lose_nothing(replicate, source, paris, bucket, port):
    locations = {"paris": {**paris.settings(), "secret_key": "${env:PARIS_SECRET}"}}
    daemon = replicate(source.settings(), locations, bucket, port=port, env={"PARIS_SECRET": "not the secret"})
    put(source, bucket, "o")
    shown = wait_until(lambda: (view := daemon.location("crr", "paris"))["state"] == "degraded" and str(view), SECONDS, lambda: daemon.log()[-2000:])
    assert "SignatureDoesNotMatch" in shown or "secret_key" in shown, shown
    assert "not the secret" not in daemon.log() + shown
    daemon.env["PARIS_SECRET"] = paris.settings()["secret_key"]
    daemon.restart()
    wait_until(lambda: there(paris, bucket) == {"o": 1}, SECONDS)


def test_two_stores_that_replicate_to_each_other_do_not_echo(replicate, source, paris, bucket, port, back_port):
    paris.make_bucket(bucket)
    paris.publish(bucket, "webhook")
    replicate(source.settings(), {"paris": paris.settings()}, bucket, port=port)
    back = replicate(paris.settings(), {"home": source.settings()}, bucket, port=back_port)
    put(source, bucket, "from home", "1")
    put(paris, bucket, "from paris", "2")
    wait_until(lambda: there(source, bucket) == there(paris, bucket) == {"from home": 1, "from paris": 1}, SECONDS)
    source.client().delete_object(Bucket=bucket, Key="from home")
    put(source, bucket, "from paris", "3")
    wait_until(lambda: there(source, bucket) == there(paris, bucket) == {"from home": 2, "from paris": 2}, SECONDS)
    # All that was written as a replica has been told and come to nothing when a later object has come back.
    put(source, bucket, "last")
    put(paris, bucket, "last of paris")
    wait_until(lambda: there(paris, bucket).get("last") == 1 == there(source, bucket).get("last of paris"), SECONDS)
    wait_until(lambda: metric(back, "crr_webhook_posts_total", result="accepted") >= 6, SECONDS, "all that Paris tells of, replicas among it")
    expected = {"from home": 2, "from paris": 2, "last": 1, "last of paris": 1}
    assert there(source, bucket) == there(paris, bucket) == expected
    assert read(source, bucket, "from paris") == read(paris, bucket, "from paris") == "3"


def test_delete_markers_and_removed_versions_follow(to_paris, source, paris, bucket):
    to_paris(bucket)
    client = source.client()
    first = put(source, bucket, "o", "1")
    put(source, bucket, "o", "2")
    client.delete_object(Bucket=bucket, Key="o")
    wait_until(lambda: there(paris, bucket) == {"o": 3} and current_keys(paris.client(), bucket) == [], SECONDS)
    client.delete_object(Bucket=bucket, Key="o", VersionId=first)
    wait_until(lambda: there(paris, bucket) == {"o": 2}, SECONDS)
    marker = list_versions(client, bucket)["o"][-1]
    assert marker.is_marker
    client.delete_object(Bucket=bucket, Key="o", VersionId=marker.version_id)
    wait_until(lambda: current_keys(paris.client(), bucket) == ["o"], SECONDS, "the object to come back")
    assert read(paris, bucket, "o") == "2"
    assert differing_histories(client, paris.client(), bucket) == []


def test_a_rule_may_keep_what_was_deleted(to_paris, source, paris, bucket):
    daemon = to_paris(bucket, rule={"delete_markers": False, "version_deletes": False})
    version = put(source, bucket, "o", "1")
    wait_until(lambda: there(paris, bucket) == {"o": 1}, SECONDS)
    source.client().delete_object(Bucket=bucket, Key="o", VersionId=version)
    put(source, bucket, "p", "1")
    wait_standing(daemon, bucket, "p", "COMPLETED")
    source.client().delete_object(Bucket=bucket, Key="p")
    put(source, bucket, "p", "2")
    wait_until(lambda: there(paris, bucket).get("p") == 2, SECONDS)
    assert [each == "marker" for each in histories(paris.client(), bucket, True)["p"]] == [False, False]
    assert there(paris, bucket)["o"] == 1


def test_rules_choose_by_prefix_and_tags(to_paris, source, paris, bucket):
    daemon = to_paris(bucket, rule={"prefix": "in/", "tags": {"class": "gold"}})
    put(source, bucket, "in/gold", Tagging="class=gold&more=x")
    put(source, bucket, "in/lead", Tagging="class=lead")
    put(source, bucket, "out/gold", Tagging="class=gold")
    wait_standing(daemon, bucket, "in/gold", "COMPLETED")
    assert wait_standing(daemon, bucket, "in/lead", "SKIPPED")["reason"]
    assert there(paris, bucket) == {"in/gold": 1}
    assert daemon.get(f"/api/v1/services/crr/objects/{bucket}/out/gold").status == 404


def test_tags_that_change_follow_without_a_new_version(to_paris, source, paris, bucket):
    to_paris(bucket)
    put(source, bucket, "o", Tagging="class=gold")
    wait_until(lambda: there(paris, bucket) == {"o": 1}, SECONDS)
    source.client().put_object_tagging(Bucket=bucket, Key="o", Tagging={"TagSet": [{"Key": "class", "Value": "a+b c"}, {"Key": "x", "Value": ""}]})
    wait_until(lambda: tags(paris.client(), bucket, "o") == [("class", "a+b c"), ("x", "")], SECONDS, lambda: f"tags: {tags(paris.client(), bucket, 'o')}")
    source.client().delete_object_tagging(Bucket=bucket, Key="o")
    wait_until(lambda: tags(paris.client(), bucket, "o") == [], SECONDS)
    assert there(paris, bucket) == {"o": 1}


def test_a_bucket_without_versions_is_kept_as_it_is(to_paris, source, paris):
    bucket = source.make_bucket(next(names), versioned=False)
    source.publish(bucket, "webhook")
    to_paris(bucket)
    put(source, bucket, "o", "1")
    wait_until(lambda: there(paris, bucket) == {"o": 1}, SECONDS)
    put(source, bucket, "o", "2")
    wait_until(lambda: read(paris, bucket, "o") == "2", SECONDS)
    source.client().delete_object(Bucket=bucket, Key="o")
    wait_until(lambda: current_keys(paris.client(), bucket) == [], SECONDS)
    assert paris.client().get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled"


def test_a_directory_goes_to_a_store(replicate, paris, tmp_path):
    bucket, root = next(names), tmp_path / "source"
    root.mkdir()
    daemon = replicate({"type": "filesystem", "path": str(root)}, {"paris": paris.settings()}, bucket, journal=None)
    daemon.workspace.source = root
    daemon.workspace.put(f"{bucket}/a/b ü", "first")
    daemon.workspace.put(f"{bucket}/gone", "x")
    wait_until(lambda: there(paris, bucket).keys() == {"a/b ü", "gone"}, SECONDS)
    head = paris.client().head_object(Bucket=bucket, Key="a/b ü")
    assert float(head["Metadata"]["mtime"]) == pytest.approx((root / bucket / "a/b ü").stat().st_mtime, abs=1e-3)
    assert "scal-version-id" not in head["Metadata"] and head["Metadata"]["scal-replication-status"] == "REPLICA"
    big = os.urandom(70 * MIB)
    daemon.workspace.put(f"{bucket}/big", big)
    daemon.workspace.put(f"{bucket}/a/b ü", "second")
    (root / bucket / "gone").unlink()
    wait_until(lambda: current_keys(paris.client(), bucket) == ["a/b ü", "big"] and read(paris, bucket, "a/b ü") == "second", SECONDS)
    assert paris.client().get_object(Bucket=bucket, Key="big")["Body"].read() == big


def test_many_files_go_to_a_store_over_pauses_and_kills(replicate, paris, tmp_path, rng):
    bucket, root = next(names), tmp_path / "source"
    root.mkdir()
    daemon = replicate({"type": "filesystem", "path": str(root)}, {"paris": paris.settings()}, bucket, journal=None)
    daemon.workspace.source = root
    steps = [step for step in Workload(rng.random(), OBJECTS, [bucket], largest=24 * MIB).steps if step[0] in ("put", "delete")]
    disturbances = {at: rng.choice(["kill", "pause", "resume"]) for at in rng.sample(range(len(steps)), 6)}
    for at, (what, _, key, version) in enumerate(steps):
        if what == "put":
            daemon.workspace.put(f"{bucket}/{key}", version.content)
        else:
            (root / bucket / key).unlink()
        match disturbances.get(at):
            case "kill":
                daemon.restart()
            case "pause" | "resume" as verb:
                daemon.cli(verb, "crr", "paris", "--wait", "60s")
    daemon.cli("resume", "crr", "paris", "--wait", "60s")
    files = sorted(str(path.relative_to(root / bucket)) for path in (root / bucket).rglob("*") if path.is_file())
    wait_until(lambda: current_keys(paris.client(), bucket) == files, SECONDS, "the same keys")
    wait_until(lambda: not rclone_check(root / bucket, paris, bucket), SECONDS, lambda: rclone_check(root / bucket, paris, bucket))


def test_a_store_goes_to_a_directory(replicate, source, bucket, port, tmp_path):
    root = tmp_path / "target"
    root.mkdir()
    daemon = replicate(source.settings(), {"paris": {"type": "filesystem", "path": str(root)}}, bucket, port=port)
    put(source, bucket, "a/b ü", "first", Metadata={"colour": "red"})
    put(source, bucket, "gone", "x")
    wait_until(lambda: (root / bucket / "a/b ü").exists() and (root / bucket / "gone").exists(), SECONDS)
    put(source, bucket, "a/b ü", "second")
    source.client().delete_object(Bucket=bucket, Key="gone")
    wait_until(lambda: (root / bucket / "a/b ü").read_text() == "second" and not (root / bucket / "gone").exists(), SECONDS)
    big = os.urandom(9 * MIB)
    source.client().put_object(Bucket=bucket, Key="big", Body=big)
    wait_until(lambda: (root / bucket / "big").exists(), SECONDS)
    assert (root / bucket / "big").read_bytes() == big
    wait_standing(daemon, bucket, "big", "COMPLETED")


def test_the_webhook_lets_nobody_in_without_the_token(to_paris, bucket):
    daemon = to_paris(bucket)
    assert daemon.post(EVENTS, {"Records": []}).status == 401
    assert daemon.request("POST", EVENTS, '{"Records": []}', {"Authorization": "Bearer another-token-of-tests"}).status == 401
    assert daemon.request("POST", EVENTS, "{", {"Authorization": f"Bearer {TOKEN}"}).status == 400
    assert daemon.request("POST", EVENTS, "", {"Authorization": f"Bearer {TOKEN}"}).status == 200
    assert TOKEN not in daemon.log()

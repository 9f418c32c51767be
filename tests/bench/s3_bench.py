"""crr between two MinIO servers against MinIO's own replication between the same two, and its scan against `rclone copy`.

usage: s3_bench.py [OBJECTS]. Each object has 4 KiB. CPU is that of both servers and of what copies; whoever uploads is not counted."""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support")]
from daemon import Daemon, Workspace  # noqa: E402
from kafka_broker import Unavailable  # noqa: E402
from process import free_port, wait_until  # noqa: E402
from s3_servers import MinioServer, mc  # noqa: E402
from s3_workload import rclone_environment  # noqa: E402

OBJECTS = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
SAMPLES = 100
TOKEN = "the-token-of-the-bench"
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(*pids):
    fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(field[11]) + int(field[12]) for field in fields) / TICK


def count(server, bucket):
    pages = server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(page["KeyCount"] for page in pages)


def upload(folder, source, bucket):
    subprocess.run(mc(folder, "cp", "--recursive", f"{folder}/set/", f"src/{bucket}/", src=source), check=True, stdout=subprocess.DEVNULL)


def measure(folder, source, target, bucket, pids):
    """@return objects/s from the first upload until the last is at the target, and ms of CPU per object."""
    cpu, began = cpu_seconds(*pids), time.monotonic()
    upload(folder, source, bucket)
    wait_until(lambda: count(target, bucket) >= OBJECTS, 300, lambda: f"{OBJECTS} objects; there are {count(target, bucket)}", pause=0.05)
    seconds = time.monotonic() - began
    return OBJECTS / seconds, (cpu_seconds(*pids) - cpu) * 1e3 / OBJECTS


def latency(source, bucket, is_completed):
    """@return median and 95th percentile of the ms from a PUT to COMPLETED, each PUT alone."""
    client, times = source.client(), []
    for number in range(SAMPLES):
        key = f"alone/{number}"
        began = time.monotonic()
        client.put_object(Bucket=bucket, Key=key, Body=bytes(4096))
        wait_until(lambda: is_completed(key), 30, "COMPLETED", pause=0.002)
        times.append((time.monotonic() - began) * 1e3)
    return statistics.median(times), sorted(times)[int(SAMPLES * 0.95)]


def minio_itself(folder, source, target, bucket):
    for server in (source, target):
        server.make_bucket(bucket)
    subprocess.run(
        mc(folder, "replicate", "add", f"src/{bucket}", "--remote-bucket", f"{target.test_url}/{bucket}", "--replicate",
           "delete,delete-marker,existing-objects,metadata-sync", src=source),
        check=True, stdout=subprocess.DEVNULL,
    )
    client = source.client()
    done = lambda key: client.head_object(Bucket=bucket, Key=key).get("ReplicationStatus") == "COMPLETED"  # noqa: E731
    figures = measure(folder, source, target, bucket, [source.process.pid, target.process.pid])
    return *figures, *latency(source, bucket, done)


def daemon_for(folder, source, target, bucket, journal, port=0):
    home = pathlib.Path(folder) / bucket
    home.mkdir()
    workspace = Workspace(home)
    workspace.config["rest"] = {"port": port}
    workspace.config["extensions"] = [{
        "name": "crr",
        "settings": {"source": source.settings(), "journal": journal, "rules": [{"bucket": bucket}]},
        "locations": [{"name": "paris", **target.settings()}],
    }]
    return Daemon(workspace)


def ours(folder, source, target, bucket, port):
    source.make_bucket(bucket)
    with daemon_for(folder, source, target, bucket, {"type": "s3-webhook", "token": TOKEN}, port) as daemon:
        source.publish(bucket, "webhook")
        source.client().put_object(Bucket=bucket, Key="first", Body=b"x")  # makes the target's bucket
        wait_until(lambda: bucket in {each["Name"] for each in target.client().list_buckets()["Buckets"]}, 30, "the bucket")
        time.sleep(6)  # from here on no record counts as one that somebody may have had before
        before = cpu_seconds(daemon.process.pid)
        figures = measure(folder, source, target, bucket, [source.process.pid, target.process.pid, daemon.process.pid])
        print(f"{'':22} of the CPU per object {(cpu_seconds(daemon.process.pid) - before) * 1e3 / OBJECTS:.2f} ms is the daemon's")

        def done(key):
            answer = daemon.get(f"/api/v1/services/crr/objects/{bucket}/{key}")
            return answer.status == 200 and answer.json["locations"][0]["status"] == "COMPLETED"

        return *figures, *latency(source, bucket, done)


def rclone(source, target, bucket):
    environment = rclone_environment(source=source, target=target)
    began = time.monotonic()
    subprocess.run(["rclone", "copy", f"source:{bucket}", f"target:{bucket}-rclone"], check=True,
                   env=environment, stdout=subprocess.DEVNULL)
    return OBJECTS / (time.monotonic() - began)


def scan(folder, source, target, bucket):
    began = time.monotonic()
    with daemon_for(folder, source, target, bucket, {"type": "scan"}):
        arrived = lambda: bucket in {each["Name"] for each in target.client().list_buckets()["Buckets"]} and count(target, bucket) >= OBJECTS  # noqa: E731
        wait_until(arrived, 300, "the set at the target", pause=0.05)
        return OBJECTS / (time.monotonic() - began)


def show(name, figures):
    rate, cpu, median, high = figures
    print(f"{name:22} {rate:6.0f} objects/s  {cpu:5.2f} ms CPU per object  PUT to COMPLETED p50 {median:.0f} ms, p95 {high:.0f} ms", flush=True)


def run(folder):
    content = pathlib.Path(folder) / "set"
    content.mkdir()
    for number in range(OBJECTS):
        (content / f"object-{number:05}").write_bytes(os.urandom(4096))
    port = free_port()
    webhook = (f"http://127.0.0.1:{port}/api/v1/services/crr/events", TOKEN)
    with MinioServer(webhook=webhook, keep_events=False) as source, MinioServer() as target:
        peer = minio_itself(folder, source, target, "by-minio")
        show("MinIO's replication", peer)
        own = ours(folder, source, target, "by-fermata", port)
        show("crr, webhook", own)
        print(f"of MinIO: {own[0] / peer[0]:.2f} of its objects/s, {own[1] / peer[1]:.2f} of its CPU, {own[2] / peer[2]:.2f} of its latency")
        source.make_bucket("existing", versioned=False)
        upload(folder, source, "existing")
        peer = rclone(source, target, "existing")
        own = scan(folder, source, target, "existing")
        print(f"rclone copy {peer:.0f} objects/s; crr, scan {own:.0f} objects/s, its start included: {own / peer:.2f} of rclone")


if __name__ == "__main__":
    try:
        with tempfile.TemporaryDirectory(prefix="fermata-bench-") as work:
            run(work)
    except Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(0)

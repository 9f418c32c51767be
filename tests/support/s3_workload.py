"""Objects as people keep them, in a seeded order, and what independent clients find of them at a source and its targets.

The user metadata "seq" of a version counts up with each change of its key."""
import collections
import concurrent.futures
import functools
import gzip
import http.client
import os
import random
import string
import subprocess
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib

from botocore.exceptions import BotoCoreError, ClientError

from process import wait_until

MIB = 1 << 20
PART_BYTES = 5 * MIB  # the least that S3 takes of all but the last part
SCAL = "scal-"  # begins the user metadata that replication adds
MARKER = "marker"
ODD_KEYS = (
    "a b/c  d", "pl+us/a+b", "per%41cent%25/%2B%zz", "query?x=1&y=2", "hash#tag", "quo'te\"s", "semi;colon:comma,at@", "tilde~(paren)*!$",
    "back\\slash", "<angle>{curly}|^`", "ünïcødé/ключ/鍵", "emoji-😀", "dots../..a/b.", "UPPER/lower", "upper/lower", "tab\there", "-dash/_under", "=equals=",
    "/".join(["long" * 55] * 4) + "/" + "k" * 140,  # 1,024 bytes, the most; versitygw has each part as a file name with an extension
)


class Version:
    """What one PUT makes; the same for the same seed."""

    def __init__(self, seed, seq, size, parts=()):
        rng = random.Random(seed)
        self.seed, self.seq, self.parts = seed, seq, parts
        self.size = sum(parts) or size
        self.zipped = not parts and 0 < size < 65536 and rng.random() < 0.1
        self.arguments = {"Metadata": {"seq": str(seq)}, "ContentType": "application/octet-stream"}
        if rng.random() < 0.5:
            self.arguments["ContentType"] = rng.choice(["text/plain; charset=utf-8", "image/png", "application/vnd.x+json"])
            self.arguments["Metadata"] |= {f"Colour-{n}": "".join(rng.choices(string.ascii_letters + " -_/%+=;", k=12)).strip() for n in range(rng.randrange(4))}
        if self.zipped:
            self.arguments["ContentEncoding"] = "gzip"
        if rng.random() < 0.2:
            self.arguments |= {"ContentDisposition": 'attachment; filename="a b.txt"', "ContentLanguage": "de, en", "CacheControl": "max-age=60, no-transform",
                               "Expires": "Wed, 21 Oct 2037 07:28:00 GMT"}
        if rng.random() < 0.2:
            self.arguments["Tagging"] = urllib.parse.urlencode({f"tag {n}": rng.choice(["x", "a+b=c", "/:@.-_", ""]) for n in range(rng.randrange(1, 5))})

    @property
    def content(self):
        content = random.Random(f"content {self.seed}").randbytes(self.size)
        return gzip.compress(content, mtime=0) if self.zipped else content

    def put(self, client, bucket, key):
        """@return its version id."""
        content = self.content
        if not self.parts:
            return client.put_object(Bucket=bucket, Key=key, Body=content, **self.arguments).get("VersionId")
        upload = client.create_multipart_upload(Bucket=bucket, Key=key, **self.arguments)["UploadId"]
        done, at = [], 0
        for number, size in enumerate(self.parts, 1):
            answer = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=content[at : at + size])
            done.append({"PartNumber": number, "ETag": answer["ETag"]})
            at += size
        return client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done}).get("VersionId")


class Workload:
    """`objects` objects in `buckets`: a fifth is overwritten, a twentieth deleted (and half of those made again), some of which lose
    an old version or get other tags. `steps` is [(what, bucket, key, Version or tags or None)]."""

    def __init__(self, seed, objects, buckets=("alpha", "beta"), largest=64 * MIB):
        self.buckets, self.objects = buckets, objects
        rng = random.Random(seed)
        names = [(buckets[n % len(buckets)], key) for n, key in enumerate(ODD_KEYS)][:objects]
        names += [(buckets[n % len(buckets)], f"folder {n % 13}/file-{n:05}") for n in range(len(names), objects)]
        large = rng.sample(range(objects), max(2, objects // 150))
        seqs = collections.Counter()
        self.steps = []

        def add(what, name, argument=None):
            """Anywhere behind what there is of the name."""
            last = max((at for at, step in enumerate(self.steps) if step[1:3] == name), default=-1)
            self.steps.insert(rng.randrange(last + 1, len(self.steps) + 1), (what, *name, argument))

        def version(name, size, parts=()):
            seqs[name] += 1
            return Version(f"{seed} {name} {seqs[name]}", seqs[name], size, parts)

        for number, name in enumerate(names):
            if number in large:
                size = largest if number == large[0] else rng.randrange(largest // 4, largest // 2)
                parts = self.parts(rng, size) if rng.random() < 0.5 or number == large[1] else ()
                self.steps.append(("put", *name, version(name, size, parts)))
            else:
                parts = (rng.randrange(1, 9999),) if rng.random() < 0.02 else ()
                self.steps.append(("put", *name, version(name, self.size(rng), parts)))
        for name in rng.sample(names, objects // 5):
            for _ in range(rng.choice([1, 1, 2, 3])):
                add("put", name, version(name, self.size(rng)))
        for name in rng.sample(names, objects // 20):
            add("delete", name)
            if rng.random() < 0.5:
                add("put", name, version(name, self.size(rng)))
        overwritten = sorted(name for name in names if seqs[name] > 1)
        for name in rng.sample(overwritten, min(len(overwritten), objects // 50)):
            add("prune", name)
        deleted = {step[1:3] for step in self.steps if step[0] == "delete"}
        kept = [name for name in names if name not in deleted]
        for name in rng.sample(kept, min(len(kept), objects // 30)):
            add("tag", name, {"retagged": rng.choice(["yes", "a+b", "x y"])})
        self.retagged = [step[1:3] for step in self.steps if step[0] == "tag"]
        self.changed = sorted({step[1:3] for step in self.steps if step[0] != "put"} | set(overwritten))

    @staticmethod
    def size(rng):
        low, high = rng.choices([(0, 0), (1, 4096), (4096, 65536), (65536, MIB)], [3, 60, 30, 7])[0]
        return rng.randint(low, high)

    @staticmethod
    def parts(rng, size):
        parts = []
        while sum(parts) + 2 * PART_BYTES < size:
            parts.append(PART_BYTES + rng.randrange(0, MIB))
        return (*parts, max(1, size - sum(parts)))

    def upload(self, client, threads=4):
        return Upload(self, client, threads)


class Upload:
    """Takes the steps of a workload to a server, beginning now; those of one key one after the other."""

    def __init__(self, workload, client, threads):
        self.client, self.first = client, {}
        self.pool = concurrent.futures.ThreadPoolExecutor(threads)
        shares = [[step for step in workload.steps if zlib.crc32(repr(step[1:3]).encode()) % threads == n] for n in range(threads)]
        self.running = [self.pool.submit(self.take, share) for share in shares]

    def take(self, steps):
        for what, bucket, key, argument in steps:
            if what == "put":
                self.first.setdefault((bucket, key), argument.put(self.client, bucket, key))
            elif what == "delete":
                self.client.delete_object(Bucket=bucket, Key=key)
            elif what == "prune":
                self.client.delete_object(Bucket=bucket, Key=key, VersionId=self.first[bucket, key])
            else:
                self.client.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in argument.items()]})

    def is_done(self):
        return all(each.done() for each in self.running)

    def join(self):
        """Raises what went wrong."""
        for each in self.running:
            each.result()
        self.pool.shutdown()


Entry = collections.namedtuple("Entry", "version_id is_marker is_latest modified")


def list_versions(client, bucket):
    """{key: [Entry]}, the oldest first, in the server's order: boto3 would tell versions and markers apart, and lose how they lie."""
    found, marks = collections.defaultdict(list), {}
    while True:
        url = urllib.parse.urlsplit(client.generate_presigned_url("list_object_versions", Params={"Bucket": bucket, "EncodingType": "url", **marks}))
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        try:
            connection.request("GET", f"{url.path}?{url.query}")
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"the versions of {bucket} are not listed: {answer.status} {text[:300]}")
        root = ElementTree.fromstring(text)
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        plain = urllib.parse.unquote_plus if root.findtext(space + "EncodingType") == "url" else str  # versitygw does not encode
        for each in root:
            kind = each.tag.removeprefix(space)
            if kind in ("Version", "DeleteMarker"):
                value = lambda name: each.findtext(space + name)  # noqa: B023, E731
                entry = Entry(value("VersionId"), kind != "Version", value("IsLatest") == "true", value("LastModified"))
                entries = found[plain(value("Key"))]
                # After a kill -9 versitygw may list one version twice, under one id.
                if entry.version_id == "null" or entry.version_id not in {each.version_id for each in entries}:
                    entries.insert(0, entry)
        if root.findtext(space + "IsTruncated") != "true":
            return dict(found)
        marks = {"KeyMarker": plain(root.findtext(space + "NextKeyMarker"))}
        version = root.findtext(space + "NextVersionIdMarker")
        if version:
            marks["VersionIdMarker"] = version


def snapshot(client, buckets):
    """All that there is at a server, by version ids."""
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    return {(bucket, key, entry.version_id) for bucket in there & set(buckets) for key, entries in list_versions(client, bucket).items() for entry in entries}


def histories(client, bucket, is_replica):
    """{key: [id at the source or MARKER, ...]}, the oldest first, the current one last; of a replica the ids that its objects bear."""
    listed = {key: sorted(entries, key=lambda entry: entry.is_latest) for key, entries in list_versions(client, bucket).items()}

    def told(key, entry):
        if entry.is_marker:
            return MARKER
        if not is_replica:
            return entry.version_id
        metadata = client.head_object(Bucket=bucket, Key=key, VersionId=entry.version_id)["Metadata"]
        return metadata.get("scal-version-id", f"{entry.version_id}, which is not marked")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return {key: list(pool.map(functools.partial(told, key), entries)) for key, entries in listed.items()}


def differing_histories(source, target, bucket, order_is_told=True):
    """What is not the same in the sequences of versions and markers.

    `order_is_told` is false for a server that does not list in the order of making, as versitygw: it lists versions before markers,
    and those of one moment in any order. Then which versions there are, and what is current, count."""
    wanted, got = histories(source, bucket, False), histories(target, bucket, True)

    def seen(history):
        if not order_is_told:
            return sorted(each for each in history if each != MARKER), history[-1:]
        # A marker that hides nothing, or what is hidden already, is left out by some servers, and by replication.
        return [each for before, each in zip([MARKER, *history], history) if each != MARKER or before != MARKER]

    return [
        f"{bucket}/{key}: is {got.get(key)}, not {wanted.get(key)}"
        for key in sorted(wanted.keys() | got.keys())
        if seen(wanted.get(key, [])) != seen(got.get(key, []))
    ]


HEADERS = ("ContentLength", "ETag", "ContentType", "ContentEncoding", "ContentDisposition", "ContentLanguage", "CacheControl", "Expires")


def tags(client, bucket, key):
    return sorted((tag["Key"], tag["Value"]) for tag in client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])


def facts(client, bucket, key):
    """What clients see of an object beside its content, without what replication adds."""
    head = client.head_object(Bucket=bucket, Key=key)
    seen = {name: head.get(name) for name in HEADERS}
    seen["metadata"] = {name: value for name, value in head["Metadata"].items() if not name.startswith(SCAL)}
    seen["tags"] = tags(client, bucket, key)
    return seen


def current_keys(client, bucket):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sorted(each["Key"] for page in pages for each in page.get("Contents", []))


def differing_facts(source, target, bucket):
    """What is not the same of the objects as they are now."""
    keys = current_keys(source, bucket)
    others = current_keys(target, bucket)
    problems = [f"{bucket}/{key}: only at one" for key in sorted(set(keys) ^ set(others))]

    def compare(key):
        wanted, got = facts(source, bucket, key), facts(target, bucket, key)
        return [f"{bucket}/{key}: {name} is {got[name]!r}, not {wanted[name]!r}" for name in wanted if wanted[name] != got[name]]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for found in pool.map(compare, sorted(set(keys) & set(others))):
            problems += found
    return problems


def rclone_environment(**servers):
    """Remotes with the names of these servers."""
    from s3_servers import ACCESS_KEY, REGION, SECRET_KEY

    values = {"RCLONE_CONFIG": "/dev/null"}
    for name, server in servers.items():
        settings = {"type": "s3", "provider": "Other", "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": REGION, "endpoint": server.url}
        values |= {f"RCLONE_CONFIG_{name.upper()}_{key.upper()}": value for key, value in settings.items()}
    values |= {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}  # rclone 1.60 would fail over it
    return values


def rclone_check(source, target, bucket):
    """Has rclone read everything on both sides; `source` is a server or a folder of files. @return its complaint, or ""."""
    is_folder = isinstance(source, os.PathLike)
    servers = {"two": target} | ({} if is_folder else {"one": source})
    result = subprocess.run(
        ["rclone", "check", "--download", "--checkers", "4", "--retries", "1", str(source) if is_folder else f"one:{bucket}", f"two:{bucket}"],
        capture_output=True, text=True, timeout=600, env=rclone_environment(**servers),
    )
    return "" if result.returncode == 0 else result.stderr[-3000:]


def differences(source, target, buckets):
    """Everything that independent clients find different at two servers (S3Server), as lines."""
    problems = []
    for bucket in buckets:
        problems += differing_facts(source.client(), target.client(), bucket)
        problems += differing_histories(source.client(), target.client(), bucket, target.name != "versitygw")
        complaint = rclone_check(source, target, bucket)
        if complaint:
            problems.append(f"{bucket}: rclone: {complaint}")
    return problems


class Watch(threading.Thread):
    """A thread that looks again and again, until it is ended; end() gives what it found."""

    def __init__(self, pause=0.05):
        super().__init__(daemon=True)
        self.pause, self.ending, self.problems, self.looks = pause, threading.Event(), [], 0

    def look(self):
        raise NotImplementedError

    def run(self):
        while not self.ending.wait(self.pause):
            try:
                self.look()
            except (BotoCoreError, ClientError, OSError):  # the server is down or busy
                continue
            except Exception as problem:  # shown by the test
                self.problems.append(repr(problem))
                return

    def end(self):
        self.ending.set()
        self.join(90)
        return self.problems


class OrderWatch(Watch):
    """Looks at changing objects at a target: none may go back to an older content, nor come back after its deletion as it was."""

    def __init__(self, client, names):
        super().__init__()
        self.client, self.names = client, names
        self.seen = {}  # (bucket, key): (seq, deleted)

    def look(self):
        for bucket, key in self.names:
            if self.ending.is_set():
                return
            self.judge(bucket, key)

    def judge(self, bucket, key):
        seq, deleted = self.seen.get((bucket, key), (0, False))
        try:
            now = int(self.client.head_object(Bucket=bucket, Key=key)["Metadata"]["seq"])
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            self.seen[bucket, key] = (seq, seq > 0)
            return
        self.looks += 1
        if now < seq or (deleted and now == seq):
            self.problems.append(f"{bucket}/{key}: {seq}{' (deleted)' if deleted else ''} -> {now}")
        self.seen[bucket, key] = (now, False)


class MemoryWatch(Watch):
    """The most that any of some processes had in memory. @param pids  gives those that run now."""

    def __init__(self, pids):
        super().__init__(pause=0.2)
        self.pids, self.most_mib = pids, 0.0

    def look(self):
        for pid in self.pids():
            with open(f"/proc/{pid}/status") as status:
                self.most_mib = max([self.most_mib, *(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))])
        self.looks += 1


def wait_until_same(source, target, workload, timeout, pause=0.5):
    """Until the target has the versions of each key that the source has, in their order, and the tags that changed.
    What they hold is compared afterwards: differences()."""
    last = {}

    def shapes(server, bucket):
        listed = list_versions(server.client(), bucket)
        shown = {key: (sum(not each.is_marker for each in entries), any(each.is_marker and each.is_latest for each in entries)) for key, entries in listed.items()}
        return {key: shape for key, shape in shown.items() if shape[0]}

    def missing():
        for bucket in workload.buckets:
            wanted, got = shapes(source, bucket), shapes(target, bucket)
            yield from ((bucket, key, got.get(key), wanted.get(key)) for key in wanted.keys() | got.keys() if wanted.get(key) != got.get(key))
        yield from (name for name in workload.retagged if tags(source.client(), *name) != tags(target.client(), *name))

    def differing(bucket):
        return differing_histories(source.client(), target.client(), bucket, target.name != "versitygw")

    def same():
        try:
            last["missing"] = list(missing()) or [line for bucket in workload.buckets for line in differing(bucket)]
        except (BotoCoreError, ClientError, OSError) as problem:
            last["missing"] = [str(problem)]
        return not last["missing"]

    wait_until(same, timeout, lambda: f"{target.name} being as its source; {len(last['missing'])} differ (has, should): {last['missing'][:6]}", pause)

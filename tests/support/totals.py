"""Adds up the JUnit files below a folder: lists what failed and what was skipped and why, then prints one line of totals.

usage: totals.py FOLDER FAILED_STEPS [SERVERS]; exits 1 if anything failed or nothing ran. SERVERS is a file that names the real
servers that were used, or why there were none; its lines come before the totals."""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def parse(file):
    """GoogleTest prints test parameters byte by byte into its XML, also those that XML does not allow."""
    text = file.read_bytes().decode(errors="replace")
    return ElementTree.fromstring(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "?", text))


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    if case.find("skipped") is not None or case.get("result") == "skipped" or case.get("status") == "notrun":
        return "skipped"
    return "passed"


def main(folder, failed_steps, servers=None):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for file in sorted(pathlib.Path(folder).rglob("*.xml")):
        for case in parse(file).iter("testcase"):
            result = outcome(case)
            counts[result] += 1
            if result == "failed":
                print(f"failed: {file.stem}: {case.get('classname')}.{case.get('name')}")
            if result == "skipped":
                reason = case.find("skipped")
                text = (reason.get("message") or reason.text or "") if reason is not None else "not run"
                print(f"skipped: {file.stem}: {case.get('classname')}.{case.get('name')}: {text.strip()}")
    if servers and pathlib.Path(servers).exists():
        print("\n".join(f"server: {line}" for line in pathlib.Path(servers).read_text().splitlines()))
    # A step that failed without a failing test (a build, a crash) still counts.
    if failed_steps and not counts["failed"]:
        counts["failed"] = failed_steps
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))

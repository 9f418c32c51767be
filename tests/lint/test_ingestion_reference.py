"""docs/reference/ingestion.md names every setting of the plugin, no other, and all values, routes and commands that there are."""
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/ingestion.md").read_text(encoding="utf-8")
SERVICE = json.loads((ROOT / "plugins/ingestion/manifest.json").read_text(encoding="utf-8"))["services"][0]


def keys(schema, prefix=""):
    """The settings of a schema, by path; an owner within a bucket is shown as one."""
    for name, member in schema["properties"].items():
        path = prefix + name
        if member.get("type") == "object" and not prefix.startswith("buckets"):
            yield from keys(member, path + ".")
        elif member.get("type") == "array" and member["items"].get("type") == "object":
            yield from keys(member["items"], path + "[].")
        else:
            yield path, member


def section(title):
    """The keys in the first column of the table below a heading, and the rows' text."""
    rows = PAGE.split(f"## {title}\n")[1].split("\n## ")[0].splitlines()
    return {key: row for row in rows if row.startswith("| `") for key in re.findall(r"`([^`]+)`", row.split("|")[1])}


def check(title, schema):
    rows, expected = section(title), dict(keys(schema))
    assert rows.keys() == expected.keys()
    for key, member in expected.items():
        for value in member.get("enum", []):
            assert f"`{value}`" in rows[key], f"{key} may be {value}: say so"


def test_settings_are_those_of_the_manifest():
    check("`settings`", SERVICE["settings_schema"])


def test_settings_of_locations_are_those_of_the_manifest():
    check("`locations[]`", SERVICE["location_schema"])


def test_every_command_is_named():
    for command in SERVICE["commands"]:
        assert f"`GET {command['path'].split('{')[0]}" in PAGE and command["name"] in PAGE


def test_every_reason_and_metric_is_named():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins/ingestion").glob("*.?pp"))
    reasons = re.search(r"names\{([^}]*)\}", sources).group(1)
    for reason in set(re.findall(r'"(\w+)"', reasons)) - {"pass"}:
        assert f"`{reason}`" in PAGE, reason
    for metric in set(re.findall(r'"(ingestion_[a-z_]+)"', sources)):
        assert f"`{metric}" in PAGE, metric

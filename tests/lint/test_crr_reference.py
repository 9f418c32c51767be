"""docs/reference/crr.md says what the manifest of crr says, and names the routes that there are.

To write what is generated anew: python3 tests/lint/test_crr_reference.py --write"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "crr.md"
ROUTES = "## REST,"
HEAD = """# The service `crr`

What stands below `settings` and in each entry of `locations` is generated from `plugins/crr/manifest.json`; a test compares them.
Examples: [config/examples](../../config/examples/README.md). What is missing, misspelt or out of bounds is said by
`fermata config check`; which settings contradict each other at the start.
"""


def kind(schema):
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = " or ".join("list" if one == "array" else one for one in kinds)
    if "minimum" in schema:
        text += f", {schema['minimum']} to {schema['maximum']}"
    if "minLength" in schema and schema["minLength"] > 1:
        text += f", at least {schema['minLength']} characters"
    return text


def table(schema):
    lines = ["| key | value | meaning |", "|---|---|---|"]
    for name, member in schema["properties"].items():
        needed = " (required)" if name in schema.get("required", []) else ""
        lines.append(f"| `{name}` | {kind(member)}{needed} | {member.get('description', 'as the URLs name it')} |")
    return "\n".join(lines)


def page():
    service = json.loads((ROOT / "plugins" / "crr" / "manifest.json").read_text(encoding="utf-8"))["services"][0]
    settings = service["settings_schema"]
    parts = [HEAD, "## settings\n\n" + table(settings) + "\n"]
    for name in ("source", "journal"):
        parts.append(f"### settings.{name}\n\n" + table(settings["properties"][name]) + "\n")
    parts.append("### settings.rules[]\n\n" + table(settings["properties"]["rules"]["items"]) + "\n")
    parts.append("## locations[]\n\n" + table(service["location_schema"]) + "\n")
    return "\n".join(parts)


def split_page():
    """What is generated, and what is written by hand."""
    text = PAGE.read_text(encoding="utf-8")
    at = text.index(ROUTES)
    return text[:at], text[at:]


def test_the_page_says_what_the_manifest_says():
    assert split_page()[0] == page() + "\n", "run: python3 tests/lint/test_crr_reference.py --write"


def test_the_page_names_the_routes_that_there_are():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "plugins/crr").glob("**/*.cpp"))
    routes = {f"{method} {path.removesuffix('*')}" for method, path in re.findall(r'add(?:_route)?\("([A-Z]+)", "([^"]+)"', sources)}
    assert routes == {route.split("<")[0].split("[")[0] for route in re.findall(r"^\| `([A-Z]+ [^`?]+)", split_page()[1], re.MULTILINE)}


if __name__ == "__main__" and "--write" in sys.argv:
    PAGE.write_text(page() + "\n" + split_page()[1], encoding="utf-8")

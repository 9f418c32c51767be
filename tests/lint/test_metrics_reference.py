"""docs/reference/metrics.md names every metric that the daemon and the shipped plugins register, with its type, and no other."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
FOLDERS = {"The daemon": "core", "crr": "plugins/crr", "ingestion": "plugins/ingestion"}  # by heading of the page
# How a metric is registered: the host names a kind, plugins call a method; helpers of the host are called like such a method.
KIND = r"MetricKind::k(?:Counter|Gauge|Histogram),\s*"
METHOD = r"\b(?:counter|gauge|histogram)\(\s*"
# Arguments that are passed on, in helpers whose callers name the metric.
PASSED_ON = {"core/pipeline/service_pipelines.cpp": 1}


def sources(folder):
    return sorted(path for path in (ROOT / folder).glob("**/*") if path.suffix in {".cpp", ".hpp"})


def registered(folder):
    """Types of the metrics by name."""
    found = {}
    for path in sources(folder):
        for call, name in re.findall(rf'({KIND}|{METHOD})"([^"]+)"', path.read_text(encoding="utf-8")):
            found[name] = re.search("counter|gauge|histogram", call, re.IGNORECASE).group().lower()
    return found


def documented(heading):
    """Types by name, from the table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:]] for row in section.splitlines() if row.startswith("| `")]
    names = [row[0].strip("`") for row in rows]
    assert len(names) == len(set(names)), f"'{heading}' names a metric twice"
    return {name: row[1] for name, row in zip(names, rows)}


@pytest.mark.parametrize("heading", FOLDERS)
def test_the_page_names_the_metrics_that_are_registered(heading):
    code, page = registered(FOLDERS[heading]), documented(heading)
    assert code, f"no metric found in {FOLDERS[heading]}: does this test still know how they are registered?"
    wrong = [f"{name}: {FOLDERS[heading]} registers it, the page does not name it" for name in sorted(code.keys() - page.keys())]
    wrong += [f"{name}: the page names it, {FOLDERS[heading]} does not register it" for name in sorted(page.keys() - code.keys())]
    both = sorted(code.keys() & page.keys())
    wrong += [f"{name}: a {code[name]}, the page says {page[name]}" for name in both if code[name] != page[name]]
    assert not wrong, f"docs/reference/metrics.md, '{heading}':\n" + "\n".join(wrong)


def test_every_metric_belongs_to_a_part_of_the_page():
    elsewhere = {name for folder in ("core", "plugins") for name in registered(folder)}
    for folder in FOLDERS.values():
        elsewhere -= registered(folder).keys()
    assert not elsewhere, f"registered outside {', '.join(FOLDERS.values())}, of which the page says nothing: {sorted(elsewhere)}"


def test_every_metric_is_named_where_it_is_registered():
    wrong = []
    for path in sources("core") + sources("plugins"):
        text, name = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        calls = re.findall(rf'{KIND}(?!["\s])|(?:\.|->){METHOD}(?!["\s])', text)
        if len(calls) != PASSED_ON.get(name, 0):
            wrong.append(f"{name}: {len(calls)} registrations without the name as a literal, {PASSED_ON.get(name, 0)} known")
    assert not wrong, "write the name there, or tell this test of the helper (PASSED_ON):\n" + "\n".join(wrong)

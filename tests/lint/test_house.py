"""The look of the house: top-level folders, READMEs, format, words that must not stay."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOP = {"core", "plugins", "sdk", "config", "tests", "packaging", "docs", ".ci"}
MAX_README_LINES = 40


def tracked():
    """The files that git tracks; outside a checkout, all of them."""
    listing = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, timeout=30)
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).exists()]
    return [f for f in ROOT.rglob("*") if f.is_file() and "build" not in f.relative_to(ROOT).parts[:1]]


def folders_that_need_a_readme():
    """Every folder of the house down to its rooms; what a room holds inside is its own business."""
    found = set()
    for file in tracked():
        parts = file.relative_to(ROOT).parts[:-1]
        if not parts or parts[0] == ".ci":
            continue
        depth = 3 if parts[:2] == ("core", "adapters") or parts[:2] == ("sdk", "examples") else 2
        for length in range(1, min(len(parts), depth) + 1):
            found.add(ROOT.joinpath(*parts[:length]))
    return sorted(found)


def test_top_level_has_only_the_agreed_folders():
    extra = {f.relative_to(ROOT).parts[0] for f in tracked() if len(f.relative_to(ROOT).parts) > 1} - TOP
    assert not extra


def test_every_folder_has_a_short_readme():
    wrong = []
    for folder in folders_that_need_a_readme():
        readme = folder / "README.md"
        if not readme.exists():
            wrong.append(f"{folder.relative_to(ROOT)}: no README.md")
        elif len(readme.read_text(encoding="utf-8").splitlines()) > MAX_README_LINES:
            wrong.append(f"{readme.relative_to(ROOT)}: over {MAX_README_LINES} lines")
    assert not wrong, "\n".join(wrong)


def test_sources_are_formatted():
    files = [f for f in tracked() if f.suffix in {".hpp", ".cpp", ".h", ".c"}]
    result = subprocess.run(["clang-format-14", "--dry-run", "--Werror", *files], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert result.returncode == 0, "run clang-format-14 -i on:\n" + "\n".join(sorted(set(re.findall(r"^(\S+?):\d+", result.stderr, re.M))))


def test_no_promise_is_left_in_the_code():
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    wrong = [
        f"{f.relative_to(ROOT)}:{number}"
        for f in tracked()
        if f.suffix in {".hpp", ".cpp", ".h", ".c", ".py", ".sh", ".cmake"} and f != pathlib.Path(__file__).resolve()
        for number, line in enumerate(f.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_relative_links_in_the_docs_lead_somewhere():
    wrong = []
    for file in (f for f in tracked() if f.suffix == ".md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
            path = target.split("#")[0]
            if path and "://" not in path and not path.startswith("mailto:") and not (file.parent / path).exists():
                wrong.append(f"{file.relative_to(ROOT)}: {target}")
    assert not wrong, "\n".join(wrong)

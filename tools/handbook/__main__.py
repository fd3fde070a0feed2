"""`python -m handbook`: build the site into build/site and check it. Ends with 1 if anything is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from handbook.api import copy_sources
from handbook.asked import add_wordings, asked
from handbook.check import check_configuration, check_navigation, check_site, check_sources, navigation
from handbook.html import without_empty_headings
from handbook.llms import write_llms
from handbook.numbers import allowed, check_numbers
from handbook.reference import generate
from handbook.stage import API_SOURCES, ROOT, SITE, STAGED, stage

CONFIG = ROOT / "mkdocs.yml"


def main() -> int:
    """Build and check."""
    started = time.monotonic()
    stage()  # the configuration names the folder
    problems = [*check_configuration(CONFIG), *check_sources(ROOT), *check_numbers(ROOT, allowed())]
    generate(STAGED / "reference")
    copy_sources(ROOT, API_SOURCES)
    problems += [*check_navigation(CONFIG, STAGED), *_build()]
    if SITE.exists():
        for page in SITE.rglob("*.html"):
            page.write_text(without_empty_headings(page.read_text(encoding="utf-8")), encoding="utf-8")
        problems += add_wordings(SITE / "search.json", asked())
        write_llms(STAGED, SITE, navigation(CONFIG))
        problems += check_site(SITE)
    for problem in problems:
        print(problem, file=sys.stderr)
    pages = len(list(SITE.rglob("*.html")))
    print(f"{SITE.relative_to(ROOT)}: {pages} pages, {len(problems)} problems, {time.monotonic() - started:.1f} s")
    return 1 if problems else 0


def _build() -> list[str]:
    """Let Zensical build the site anew; what it says about problems."""
    shutil.rmtree(SITE, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict", "-f", str(CONFIG)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout + done.stderr
    wrong = done.returncode or "Warning" in said or "could not be found" in said
    return [said] if wrong else []


if __name__ == "__main__":
    sys.exit(main())

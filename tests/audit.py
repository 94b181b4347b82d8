"""Static analysis of our code by bandit, and known vulnerabilities of what we depend on by pip-audit: one command.

    python -m tests.audit [--code]

With `--code` by bandit alone: what somebody found out about a dependency last night is no fault of a change.
Exits with 0 if nothing is found, 1 if something is, 69 where the advisories could not be asked for (pip-audit needs
the network). A finding of bandit is accepted where the line already argues the linter's rule of the same number
(`# noqa: S608 - our own names` for B608): one exception, argued once, for both.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SKIPPED = {
    "B101": "asserts state what the types cannot; nothing of what a user may do wrong is caught by one",
    "B404": "importing subprocess is no risk; each call of it is judged by itself",
}
ACCEPTED = {
    ("poller/demo/local_aws.py", "B105"): "the key of an account that exists for as long as the demo",
    ("poller/state/postgresql/statements.py", "B608"): "each is a LiteralString, which mypy lets only literals make",
    ("poller/http/tls.py", "B106"): "an empty one, so that OpenSSL does not ask for another on the terminal",
}
"""Findings on lines where the linter has none to argue with."""
FOUND, UNREACHABLE = 1, 69
SKIPPED_BY_PIP_AUDIT = "could not be audited"
"""It says so of what the index does not know, all of it if need be, and ends with 0."""
UNREACHED = ("ConnectionError", "NameResolutionError", "Max retries exceeded", "ServiceError")


def bandit() -> list[str]:
    """Findings that nobody argued away, one line each."""
    command = [sys.executable, "-m", "bandit", "-q", "-r", "poller", "-f", "json", "-s", ",".join(SKIPPED)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not ended.stdout:
        return [f"bandit did not run: {ended.stderr.strip()}"]
    report = json.loads(ended.stdout)
    return [str(error) for error in report["errors"]] + [
        f"{one['filename']}:{one['line_number']}: {one['test_id']} {one['issue_text']}"
        for one in report["results"]
        if not argued(one)
    ]


def argued(finding: dict[str, Any]) -> bool:
    """Whether it is accepted, or one of its lines gives a reason for the linter's rule of the same number."""
    if (finding["filename"], finding["test_id"]) in ACCEPTED:
        return True
    lines = (ROOT / finding["filename"]).read_text(encoding="utf-8").splitlines()
    rule = re.compile(rf"# noqa: [A-Z0-9, ]*\bS{finding['test_id'][1:]}\b.*\w")
    return any(rule.search(lines[number - 1]) for number in finding["line_range"])


def pip_audit() -> tuple[int, str]:
    """Of the exact versions in constraints.txt: 0, FOUND or UNREACHABLE, and what it says."""
    command = [sys.executable, "-m", "pip_audit", "-r", "constraints.txt", "--no-deps", "--disable-pip"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr
    unknown = said.count(SKIPPED_BY_PIP_AUDIT)
    if unknown:
        return UNREACHABLE, f"{unknown} dependencies could not be audited; is PyPI reachable?"
    if ended.returncode and any(sign in said for sign in UNREACHED):
        return UNREACHABLE, said.strip().splitlines()[-1][:200]
    return (FOUND if ended.returncode else 0), said.strip()


def main() -> int:
    """Run both; the exit code."""
    found = bandit()
    print("\n".join(["bandit:", *found] if found else ["bandit: nothing found"]))  # noqa: T201 - the command's answer
    if sys.argv[1:] == ["--code"]:
        return FOUND if found else 0
    code, said = pip_audit()
    words = {0: "nothing found", FOUND: said, UNREACHABLE: f"the advisories could not be asked for: {said}"}
    print(f"pip-audit: {words[code]}")  # noqa: T201
    return FOUND if found else code


if __name__ == "__main__":
    sys.exit(main())

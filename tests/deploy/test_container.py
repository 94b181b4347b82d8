"""The image's recipe is sound, and what it installs is what the project asks for, held by hashes."""

import re
import tomllib

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from poller.cli.main import app, main
from poller.configuration import load
from tests.deploy.tools import DEPLOY, ROOT, program, run
from tests.present import present

CONTAINER = DEPLOY / "container"
COMPOSE = DEPLOY / "compose"
EXTRAS = ("fast",)
"""Those in the image."""
USER = "10001:10001"
LINUX = {"sys_platform": "linux", "python_version": "3.11", "python_full_version": "3.11.9"}


def text(name: str) -> str:
    return (CONTAINER / name).read_text(encoding="utf-8")


def last_stage() -> list[str]:
    """Instructions of the image that is run, without comments and line breaks."""
    lines = re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE).replace("\\\n", " ")
    return [line for line in lines.rpartition("\nFROM ")[2].splitlines()[1:] if line.strip()]


def pinned(name: str) -> dict[str, Requirement]:
    """Requirements by name; each is a `==` with at least one hash."""
    found: dict[str, Requirement] = {}
    for entry in re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", text(name), flags=re.MULTILINE).strip()):
        requirement, *hashes = re.split(r"\s*\\\n\s+", entry.strip())
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes), entry
        parsed = Requirement(requirement)
        assert [one.operator for one in parsed.specifier] == ["=="]
        found[canonicalize_name(parsed.name)] = parsed
    return found


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in project["dependencies"] + extras]


def test_the_recipe_passes_its_linter():
    linter = program("hadolint", "pip install 'poller[dev]'")
    judged = run(linter, "--no-color", CONTAINER / "Dockerfile")
    assert (judged.returncode, judged.stdout) == (0, "")


def test_what_is_installed_meets_what_the_project_asks_for():
    have = pinned("requirements.txt")
    unmet = [
        str(one)
        for one in wanted()
        if canonicalize_name(one.name) not in have
        or not one.specifier.contains(next(iter(have[canonicalize_name(one.name)].specifier)).version)
    ]
    assert unmet == [], "run deploy/container/pin"


def test_what_is_installed_is_what_was_tested():
    constraints = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    tested: dict[str, str] = {canonicalize_name(name): version for name, version in constraints.items()}
    installed = {
        name: str(one.specifier).removeprefix("==")
        for name, one in pinned("requirements.txt").items()
        if one.marker is None or Marker(str(one.marker)).evaluate(LINUX)
    }
    assert {name: tested.get(name) for name in installed} == installed, "run deploy/container/pin"


def test_what_builds_is_held_by_hashes_too():
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    builds = pinned("build-requirements.txt")
    (compiler,) = re.findall(r'^NEEDED = "(.*)"$', (ROOT / "hatch_build.py").read_text(encoding="utf-8"), re.MULTILINE)
    for needed in (Requirement(backend), Requirement(compiler)):
        assert needed.specifier.contains(str(builds[needed.name].specifier).removeprefix("==")), "deploy/container/pin"
    assert "setuptools" in builds


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt", "Dockerfile"])
def test_where_packages_come_from_is_the_users_choice(name):
    assert not re.search(r"https?://|index-url", text(name))


def test_the_image_needs_no_shell_and_no_root():
    stage = last_stage()
    assert f"USER {USER}" in stage
    assert [line for line in stage if line.startswith("RUN")] == []
    for line in stage:
        keyword, _, rest = line.partition(" ")
        if keyword in ("ENTRYPOINT", "CMD"):
            assert rest.startswith("["), line
    assert 'ENTRYPOINT ["poller"]' in stage


def test_its_health_check_and_command_are_commands_of_ours():
    commands = {present(command.callback).__name__ for command in app.registered_commands}
    stage = "\n".join(last_stage())
    (check,) = re.findall(r'^HEALTHCHECK .*CMD \["poller", "(\w+)"\]$', stage, re.MULTILINE)
    (command,) = re.findall(r'^CMD \["(\w+)"\]$', stage, re.MULTILINE)
    assert {check, command} <= commands


def test_everything_the_recipe_copies_is_sent_to_it_and_is_there():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    sources = re.findall(r"^COPY (?!--)(.*) \S+$", text("Dockerfile"), re.MULTILINE)
    assert "poller" in " ".join(sources)
    for source in " ".join(sources).split():
        assert (ROOT / source).exists()
        sent = "deploy/container/*requirements.txt" if source.startswith("deploy/") else source
        assert f"!{sent}" in ignored


def test_the_composed_configuration_passes_poller_check(capsys):
    path = COMPOSE / "poller.yaml"
    with pytest.raises(SystemExit) as ended:
        main(["check", "--config", str(path)])
    assert (ended.value.code, capsys.readouterr().err) == (0, "")
    assert load([path], environ={}).warnings == []


def test_the_composed_services_name_one_another_and_files_that_exist():
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
    build = services["poller"]["build"]
    assert (COMPOSE / build["context"] / build["dockerfile"]).samefile(CONTAINER / "Dockerfile")
    mounts = [volume.split(":") for one in services.values() for volume in one["volumes"]]
    assert [path for path, *_ in mounts if path.startswith(".") and not (COMPOSE / path).is_file()] == []
    configuration = load([COMPOSE / "poller.yaml"], environ={})
    hosts = set(re.findall(r"http://(\w+):", (COMPOSE / "poller.yaml").read_text(encoding="utf-8")))
    assert hosts == set(services["poller"]["depends_on"]) == {"aws", "function"}
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for name, one in services.items() if name != "aws")
    grace = int(services["poller"]["stop_grace_period"].removesuffix("s"))
    assert grace > configuration.settings.shutdown_grace_seconds

"""The Helm chart and the kustomize base: what they render is valid, and holds a configuration that the daemon accepts."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from poller import __version__
from poller.configuration import load
from tests.deploy.tools import DEPLOY

CHART = DEPLOY / "helm/poller"
HELM = shutil.which("helm")
KUBECTL = shutil.which("kubectl")
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
MAPPING = {
    "name": "orders",
    "event_source_arn": "arn:aws:sqs:eu-west-1:123456789012:orders",
    "function_name": "ship",
    "filter_criteria": {"filters": [{"pattern": '{"body": {"kind": ["order"]}}'}]},
}
SINGLE = {"configuration": {"event_source_mappings": [MAPPING]}, "serviceMonitor": {"enabled": True}}
FLEET: dict[str, Any] = {
    "mode": "fleet",
    "configuration": {
        "state": "dynamodb://positions?region=eu-west-1",
        "fleet": {},
        "event_source_mappings": [MAPPING],
    },
    "extraEnv": [{"name": "X", "value": "text"}],
}
needs_helm = pytest.mark.skipif(HELM is None, reason="helm 3 is not installed; it renders the chart")


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    assert HELM is not None
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False, timeout=60)


def rendered(folder: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By kind."""
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    ended = helm("template", "shop", str(CHART), "--values", str(path), "--kube-version", "1.30.0")
    assert ended.returncode == 0, ended.stderr
    return {one["kind"]: one for one in yaml.safe_load_all(ended.stdout) if one}


def test_the_values_are_as_the_schema_says_and_mistakes_are_not():
    jsonschema.validate(VALUES, SCHEMA)
    for wrong in ({"mode": "many"}, {"replica": 3}, {"configuration": {"api": {"listen": "x"}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**VALUES, **wrong}, SCHEMA)


def test_replicas_that_are_no_members_of_a_fleet_are_refused():
    """Each of them would read every shard, and the others' positions would be taken from them again and again."""
    jsonschema.validate({**VALUES, **FLEET}, SCHEMA)
    alone = {**FLEET["configuration"]}
    del alone["fleet"]
    with pytest.raises(jsonschema.ValidationError, match="'fleet' is a required property"):
        jsonschema.validate({**VALUES, **FLEET, "configuration": alone}, SCHEMA)


def test_its_version_is_the_program_s():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)


@needs_helm
@pytest.mark.parametrize("values", [{}, SINGLE, FLEET], ids=["as it is", "single", "fleet"])
def test_the_chart_is_linted_and_the_api_server_would_take_it(tmp_path: Path, values: dict[str, Any]):
    validator = pytest.importorskip("kubernetes_validate", reason="pip install 'poller[dev]'")
    path = tmp_path / "lint.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    linted = helm("lint", "--strict", "--kube-version", "1.30.0", str(CHART), "--values", str(path))
    assert linted.returncode == 0, linted.stdout
    for kind, resource in rendered(tmp_path, values).items():
        if kind != "ServiceMonitor":
            validator.validate(resource, "1.30", strict=True)


@needs_helm
def test_one_daemon_has_a_volume_and_is_never_doubled(tmp_path: Path):
    made = rendered(tmp_path, SINGLE)
    spec = made["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert made["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert made["ServiceMonitor"]["spec"]["endpoints"][0]["path"] == "/metrics"
    configuration = written(made, tmp_path)
    (mapping,) = configuration.mappings
    assert mapping.filter_criteria == ('{"body": {"kind": ["order"]}}',)
    assert str(configuration.settings.state) == "sqlite:////var/lib/poller/state.db"


@needs_helm
def test_a_fleet_has_no_volume_and_needs_a_store_that_is_shared(tmp_path: Path):
    made = rendered(tmp_path, FLEET)
    spec = made["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (3, "RollingUpdate")
    assert "PersistentVolumeClaim" not in made
    path = tmp_path / "alone.yaml"
    path.write_text(yaml.safe_dump({"mode": "fleet", "configuration": {"fleet": {}}}), encoding="utf-8")
    ended = helm("template", "shop", str(CHART), "--values", str(path), "--kube-version", "1.30.0")
    assert ended.returncode != 0
    assert "needs a store that the daemons share" in ended.stderr


@needs_helm
def test_without_a_volume_positions_are_in_memory(tmp_path: Path):
    made = rendered(tmp_path, {**SINGLE, "persistence": {"enabled": False}})
    assert "PersistentVolumeClaim" not in made
    assert written(made, tmp_path).settings.state == "memory:"


def written(made: dict[str, dict[str, Any]], folder: Path) -> Any:
    """The ConfigMap's file as the daemon reads it, with the token where the test has it."""
    (folder / "token").write_text("s3cret", encoding="utf-8")
    path = folder / "poller.yaml"
    text = made["ConfigMap"]["data"]["poller.yaml"].replace("/run/secrets/poller-api", str(folder))
    path.write_text(text, encoding="utf-8")
    return load([path], environ={})


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed; it builds the kustomize base")
def test_the_kustomize_base_holds_the_manifests():
    assert KUBECTL is not None
    command = [KUBECTL, "kustomize", str(DEPLOY / "kubernetes")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    kinds = {one["kind"] for one in yaml.safe_load_all(ended.stdout)}
    assert {"Deployment", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"} <= kinds

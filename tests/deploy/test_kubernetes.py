"""The manifests are valid, strict, and hold configurations the daemon accepts."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from poller.cli.main import main
from poller.configuration import load
from poller.engine.bounded_stop import HARD_STOP_SECONDS
from tests.deploy.tools import DEPLOY

FOLDER = DEPLOY / "kubernetes"
USER = 10001
"""Who the image runs as."""
NAMES = ["poller.yaml", "sidecar.yaml", "fleet.yaml"]


def resources(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def of_kind(name: str, kind: str) -> dict[str, Any]:
    (found,) = [one for one in resources(name) if one["kind"] == kind]
    return found


def pod(name: str) -> dict[str, Any]:
    return of_kind(name, "Deployment")["spec"]["template"]["spec"]


def poller(name: str) -> dict[str, Any]:
    (container,) = pod(name)["containers"]
    assert container["name"] == "poller"
    return container


def containers(name: str) -> Iterator[dict[str, Any]]:
    yield from pod(name).get("initContainers", [])
    yield from pod(name)["containers"]


@pytest.fixture
def configuration(tmp_path, request):
    """The file of a ConfigMap as the pod has it, with the Secret's token where the pod has that."""
    name = request.param
    (text,) = of_kind(name, "ConfigMap")["data"].values()
    (token,) = [mount["mountPath"] for mount in poller(name)["volumeMounts"] if "/secrets/" in mount["mountPath"]]
    assert f"{token}/token" in text
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    path = tmp_path / "poller.yaml"
    path.write_text(text.replace(token, str(tmp_path)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_the_api_server_would_take_them(name):
    validator = pytest.importorskip("kubernetes_validate", reason="pip install 'poller[dev]'")
    for resource in resources(name):
        validator.validate(resource, validator.latest_version(), strict=True)


@pytest.mark.parametrize("configuration", NAMES, indirect=True)
def test_what_the_config_maps_hold_passes_poller_check(configuration, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", "--config", str(configuration)])
    assert (ended.value.code, capsys.readouterr().err) == (0, "")
    assert load([configuration], environ={}).warnings == []


@pytest.mark.parametrize(("configuration", "name"), [(name, name) for name in NAMES], indirect=["configuration"])
def test_limits_of_the_pod_fit_the_settings(configuration, name):
    settings = load([configuration], environ={}).settings
    assert pod(name)["terminationGracePeriodSeconds"] > settings.shutdown_grace_seconds + HARD_STOP_SECONDS
    memory = {"Mi": 1 << 20, "Gi": 1 << 30}
    limit = poller(name)["resources"]["limits"]["memory"]
    assert int(limit[:-2]) * memory[limit[-2:]] >= 4 * settings.max_bytes_in_flight
    assert not settings.api.listen.startswith("127."), "the kubelet could not ask"


@pytest.mark.parametrize("name", NAMES)
def test_no_container_may_do_more_than_it_needs(name):
    assert pod(name)["securityContext"].items() >= {"runAsNonRoot": True, "runAsUser": USER}.items()
    assert pod(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(name)["automountServiceAccountToken"] is False
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("name", NAMES)
def test_probes_ask_what_the_daemon_answers_without_token(name):
    container = poller(name)
    (port,) = container["ports"]
    assert port["containerPort"] == 8642
    asked = {probe: container[probe]["httpGet"] for probe in ("readinessProbe", "livenessProbe")}
    assert asked == {
        "readinessProbe": {"path": "/readyz", "port": port["name"]},
        "livenessProbe": {"path": "/healthz", "port": port["name"]},
    }


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_selects_selects_the_pods(name):
    labels = of_kind(name, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind(name, "Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind(name, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind(name, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels
    assert of_kind(name, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    for service in [one for one in resources(name) if one["kind"] == "Service"]:
        assert service["spec"]["selector"] == labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= {
            port["name"] for port in poller(name)["ports"]
        }


def test_the_daemons_of_a_fleet_are_apart_and_one_at_a_time_goes():
    deployment = of_kind("fleet.yaml", "Deployment")["spec"]
    assert deployment["replicas"] == 3
    assert deployment["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    labels = deployment["template"]["metadata"]["labels"]
    spread = pod("fleet.yaml")["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert all(one["labelSelector"]["matchLabels"] == labels for one in spread)
    assert not [volume for volume in pod("fleet.yaml")["volumes"] if "persistentVolumeClaim" in volume]


@pytest.mark.parametrize("configuration", ["fleet.yaml"], indirect=True)
def test_the_daemons_of_a_fleet_reach_the_store_that_they_share(configuration):
    settings = load([configuration], environ={}).settings
    assert settings.fleet is not None
    assert settings.state.startswith("postgresql://")
    assert may_reach("fleet.yaml", "52.95.110.1", 5432)
    (password,) = poller("fleet.yaml")["env"]
    assert password["name"] == "PGPASSWORD"


def may_reach(name: str, address: str, port: int, protocol: str = "TCP") -> bool:
    """Whether the pod's policy lets it out to an address beyond the cluster."""
    for rule in of_kind(name, "NetworkPolicy")["spec"]["egress"]:
        blocks = [target["ipBlock"] for target in rule["to"] if "ipBlock" in target]
        within = any(
            ip_address(address) in ip_network(block["cidr"])
            and not any(ip_address(address) in ip_network(out) for out in block.get("except", ()))
            for block in blocks
        )
        if within and {"protocol": protocol, "port": port} in rule["ports"]:
            return True
    return False


@pytest.mark.parametrize("name", NAMES)
def test_names_and_the_pod_s_credentials_can_be_reached_and_those_of_the_node_cannot(name):
    node_local_cache, cloud_dns = "169.254.20.10", "169.254.169.254"
    for resolver in (node_local_cache, cloud_dns):
        assert all(may_reach(name, resolver, 53, protocol) for protocol in ("UDP", "TCP"))
    eks_pod_identity, gke_metadata = ("169.254.170.23", 80), ("169.254.169.252", 988)
    assert may_reach(name, *eks_pod_identity)
    assert may_reach(name, *gke_metadata)
    assert may_reach(name, "52.95.110.1", 443)
    for port in (80, 443):
        assert not may_reach(name, "169.254.169.254", port), "the node's credentials"


def test_the_pod_monitor_scrapes_the_daemon_with_its_token():
    (monitor,) = resources("podmonitor.yaml")
    labels = of_kind("poller.yaml", "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"] == labels
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in poller("poller.yaml")["ports"]}
    secrets = {volume["secret"]["secretName"] for volume in pod("poller.yaml")["volumes"] if "secret" in volume}
    assert endpoint["authorization"]["credentials"]["name"] in secrets


def test_the_kustomization_names_files_that_are_there_and_the_image():
    (found,) = resources("kustomization.yaml")
    assert all((FOLDER / resource).is_file() for resource in found["resources"])
    (image,) = found["images"]
    assert poller("poller.yaml")["image"] == f"{image['name']}:{image['newTag']}"


def test_the_function_is_the_sidecar_and_outlives_the_poller():
    (function,) = pod("sidecar.yaml")["initContainers"]
    assert function["restartPolicy"] == "Always"
    assert "startupProbe" in function


def test_one_daemon_at_a_time_has_the_positions():
    deployment = of_kind("poller.yaml", "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    (claim,) = [volume for volume in pod("poller.yaml")["volumes"] if "persistentVolumeClaim" in volume]
    (mount,) = [mount for mount in poller("poller.yaml")["volumeMounts"] if mount["name"] == claim["name"]]
    (text,) = of_kind("poller.yaml", "ConfigMap")["data"].values()
    assert f"state: sqlite:///{mount['mountPath']}/" in text

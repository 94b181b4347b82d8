"""A proxy applies exactly where the SDK would use one."""

import pytest
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poller.aws.proxies import proxy_for

HOSTS = ["sqs.eu-west-1.amazonaws.com", "127.0.0.1:4566", "localhost", "Example.com:443", "[::1]:80"]


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://a.b/", {}, None),
        ("https://a.b/", {"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ("https://a.b/", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("https://a.b/", {"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ("https://a.b/", {"https_proxy": "//proxy:3128"}, "http://proxy:3128"),
        ("https://a.b/", {"https_proxy": "http://one", "HTTPS_PROXY": "http://two"}, "http://one"),
        ("https://a.b/", {"https_proxy": "http://one", "no_proxy": "b"}, None),
        ("https://a.b/", {"https_proxy": "http://one", "NO_PROXY": ".b, c"}, None),
        ("https://ab/", {"https_proxy": "http://one", "NO_PROXY": "b"}, "http://one"),
        ("https://a.b:8/", {"https_proxy": "http://one", "NO_PROXY": "a.b:9"}, "http://one"),
        ("https://a.b:8/", {"https_proxy": "http://one", "NO_PROXY": "a.b:8"}, None),
        ("https://a.b/", {"https_proxy": "http://one", "NO_PROXY": "*"}, None),
        ("https://a.b/", {"https_proxy": "", "HTTPS_PROXY": "http://one"}, None),
        ("http://a.b/", {"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}, None),
    ],
)
def test_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str], expected: str | None
) -> None:
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    assert proxy_for(url) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.sampled_from(HOSTS),
    environ=st.dictionaries(
        st.sampled_from(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "Https_Proxy", "all_proxy"]),
        st.sampled_from(["", "http://p:1", "p:2", "//p:3", "https://u:w@p"]),
    ),
    no_proxy=st.none()
    | st.lists(
        st.sampled_from([*HOSTS, "*", "com", ".com", "amazonaws.com", "127.0.0.1", "1", "example.com", " localhost "])
    ).map(",".join),
    name=st.sampled_from(["no_proxy", "NO_PROXY"]),
)
def test_the_sdk_would_decide_the_same(
    *, monkeypatch: pytest.MonkeyPatch, scheme: str, host: str, environ: dict[str, str], no_proxy: str | None, name: str
) -> None:
    if no_proxy is not None:
        environ = {**environ, name: no_proxy}
    url = f"{scheme}://{host}/"
    with monkeypatch.context() as patch:
        for key, value in environ.items():
            patch.setenv(key, value)
        expected = ProxyConfiguration(proxies=get_environ_proxies(url)).proxy_url_for(url)
        assert proxy_for(url) == expected

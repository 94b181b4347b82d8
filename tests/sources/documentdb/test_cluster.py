"""Where a cluster is found, and what is made of a secret."""

import pytest

from poller.sources.documentdb.cluster import Cluster, SetupFailed, connection
from poller.values.errors import ConfigurationError, ServiceError

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-x1"
FOUND = {"DBClusters": [{"Endpoint": "shop.cluster-x1.eu-west-1.docdb.amazonaws.com", "Port": 27018}]}
SECRET = {"SecretString": '{"username": "reader", "password": "p/w@1", "engine": "mongo"}'}


class Aws:
    def __init__(self, **answers):
        self.answers = {"describe_db_clusters": FOUND, "get_secret_value": SECRET} | answers
        self.calls = []

    async def call(self, service, method, **arguments):
        self.calls.append((service, method, arguments))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_the_endpoint_is_that_of_the_arn_and_the_user_that_of_the_secret():
    aws = Aws()
    uri, options = await connection(Cluster("shop", secret=lambda: ARN, ca_file="/ca.pem"), aws.call)
    host = "shop.cluster-x1.eu-west-1.docdb.amazonaws.com:27018"
    assert uri == f"mongodb://{host}/?tls=true&replicaSet=rs0&retryWrites=false"
    assert options == {"tls": True, "tlsCAFile": "/ca.pem", "username": "reader", "password": "p/w@1"}
    assert aws.calls == [
        ("secretsmanager", "get_secret_value", {"SecretId": ARN}),
        ("docdb", "describe_db_clusters", {"DBClusterIdentifier": "shop"}),
    ]


async def test_with_a_connection_string_and_a_secret_of_ones_own_aws_is_not_asked():
    aws = Aws()
    cluster = Cluster("shop", lambda: "mongodb://h/?replicaSet=r", lambda: '{"username": "a", "password": "b"}')
    assert await connection(cluster, aws.call) == ("mongodb://h/?replicaSet=r", {"username": "a", "password": "b"})
    assert aws.calls == []


@pytest.mark.parametrize(
    "answer", [{}, {"DBClusters": []}, {"DBClusters": [{}]}, {"DBClusters": [{"Endpoint": "h", "Port": "x"}]}], ids=repr
)
async def test_an_answer_without_endpoint_is_a_reason(answer):
    with pytest.raises(SetupFailed, match="names no endpoint of the cluster shop"):
        await connection(Cluster("shop"), Aws(describe_db_clusters=answer).call)


@pytest.mark.parametrize(
    "secret", [{}, {"SecretString": "s3cret"}, {"SecretString": "[]"}, {"SecretString": '{"a": 1}'}]
)
async def test_a_secret_without_user_and_password_is_a_reason_that_does_not_tell_it(secret):
    with pytest.raises(SetupFailed, match="no JSON object with username and password") as error:
        await connection(Cluster("shop", secret=lambda: ARN), Aws(get_secret_value=secret).call)
    assert "s3cret" not in repr((error.value, error.value.__cause__))


async def test_a_refusal_of_aws_keeps_its_reason():
    denied = ServiceError(400, "AccessDeniedException", "no")
    with pytest.raises(ServiceError, match="AccessDenied"):
        await connection(Cluster("shop", secret=lambda: ARN), Aws(get_secret_value=denied).call)


async def test_what_cannot_be_read_is_a_reason():
    def missing():
        raise ConfigurationError(["the environment variable MONGO_URI is not set"])

    with pytest.raises(SetupFailed, match="MONGO_URI is not set"):
        await connection(Cluster("shop", missing), Aws().call)

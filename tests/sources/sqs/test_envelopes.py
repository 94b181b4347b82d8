"""The event in each service's envelope: vectors after the examples in AWS's guides, and bodies that are none."""

import gzip
import json
from base64 import b64decode, b64encode
from typing import Any, get_args

import pytest

from poller.sources.sqs.envelopes import KINDS, opener
from poller.sources.sqs.envelopes.cloudwatch_logs import MOST_DECOMPRESSED
from poller.sources.sqs.envelopes.envelope import NoEnvelope
from poller.sources.sqs.parameters import ANY_ENVELOPE, Unwrap

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
UNSUBSCRIBE = (
    "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:eu-west-1:123456789012:t:21be"
)
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0000.pem"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:t"

S3 = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-2",
            "eventTime": "2019-09-03T19:37:27.192Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
            "requestParameters": {"sourceIPAddress": "205.255.255.255"},
            "responseElements": {"x-amz-request-id": "D82B88E5F771F645", "x-amz-id-2": "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "828aa6fc-f7b5-4305-8584-487c791949c1",
                "bucket": {
                    "name": "amzn-s3-demo-bucket",
                    "ownerIdentity": {"principalId": "A3I5XTEXAMAI3E"},
                    "arn": "arn:aws:s3:::lambda-artifacts-deafc19498e3f2df",
                },
                "object": {
                    "key": "b21b84d653bb07b05b1e6b33684dc11b",
                    "size": 1305107,
                    "eTag": "b21b84d653bb07b05b1e6b33684dc11b",
                    "sequencer": "0C0F6F405D6ED209E1",
                },
            },
        }
    ]
}
S3_TEST = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2014-10-13T15:57:02.089Z",
    "Bucket": "amzn-s3-demo-bucket",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}
EVENTBRIDGE = {
    "version": "0",
    "id": "fe8d3c65-xmpl-c5c3-2c87-81584709a377",
    "detail-type": "RDS DB Instance Event",
    "source": "aws.rds",
    "account": "123456789012",
    "time": "2020-04-28T07:20:20Z",
    "region": "us-east-2",
    "resources": ["arn:aws:rds:us-east-2:123456789012:db:rdz6xmpliljlb1"],
    "detail": {"EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "Message": "Finished DB Instance backup"},
}
CODECOMMIT = {
    "Records": [
        {
            "awsRegion": "us-east-2",
            "codecommit": {
                "references": [{"commit": "5e493c6f3067653f3d04eca608b4901eb227078", "ref": "refs/heads/m"}]
            },
            "eventId": "31ade2c7-f889-47c5-a937-1cf99e2790e9",
            "eventName": "ReferenceChanges",
            "eventPartNumber": 1,
            "eventSource": "aws:codecommit",
            "eventSourceARN": "arn:aws:codecommit:us-east-2:123456789012:lambda-pipeline-repo",
            "eventTime": "2019-03-12T20:58:25.400+0000",
            "eventTotalParts": 1,
            "eventTriggerConfigId": "0d17d6a4-efeb-46f3-b3ab-a63741badeb8",
            "eventTriggerName": "index.handler",
            "eventVersion": "1.0",
            "userIdentityARN": "arn:aws:iam::123456789012:user/intern",
        }
    ]
}
CLOUDFORMATION = {
    "RequestType": "Create",
    "ServiceToken": TOPIC,
    "ResponseURL": "https://cloudformation-custom-resource-response-useast2.s3.us-east-2.amazonaws.com/arn%3Aaws",
    "StackId": "arn:aws:cloudformation:us-east-2:123456789012:stack/lambda-error-processor/1134083a-2608-1e91",
    "RequestId": "5478573b-1ab8-4ebf-8b4b-2d04f9c1f0d1",
    "LogicalResourceId": "primerinvoke",
    "ResourceType": "AWS::CloudFormation::CustomResource",
    "ResourceProperties": {"ServiceToken": TOPIC, "FunctionName": "lambda-error-processor-randomerror"},
}
CHANGED = {
    "configurationItemDiff": None,
    "configurationItem": {
        "awsAccountId": "123456789012",
        "configurationItemStatus": "OK",
        "resourceId": "i-00000000",
        "resourceType": "AWS::EC2::Instance",
    },
    "notificationCreationTime": "2016-02-17T01:36:34.043Z",
    "messageType": "ConfigurationItemChangeNotification",
    "recordVersion": "1.3",
}
CONFIG_EVENT = {
    "version": "1.0",
    "invokingEvent": json.dumps(CHANGED),
    "ruleParameters": '{"myParameterKey":"myParameterValue"}',
    "resultToken": "myResultToken",
    "eventLeftScope": False,
    "executionRoleArn": "arn:aws:iam::123456789012:role/config-role",
    "configRuleArn": "arn:aws:config:us-east-2:123456789012:config-rule/config-rule-0123456",
    "configRuleName": "change-triggered-config-rule",
    "configRuleId": "config-rule-0123456",
    "accountId": "123456789012",
}
MAIL = {
    "timestamp": "2015-09-11T20:32:33.936Z",
    "source": "0000014fbe1c09cf-7cb9f704-7531-4e53-89a1-5fa9744f5eb6-000000@amazonses.com",
    "messageId": "d6iitobk75ur44p8kdnnp7g2n800",
    "destination": ["recipient@example.com"],
}
RECEIPT: dict[str, Any] = {
    "timestamp": "2015-09-11T20:32:33.936Z",
    "processingTimeMillis": 222,
    "recipients": ["recipient@example.com"],
    "spamVerdict": {"status": "PASS"},
    "action": {"type": "SNS", "topicArn": TOPIC, "encoding": "UTF8"},
}
SES = {"notificationType": "Received", "mail": MAIL, "receipt": RECEIPT, "content": "Return-Path: <a@example.com>\r\n"}
LOGS = {
    "messageType": "DATA_MESSAGE",
    "owner": "123456789012",
    "logGroup": "/aws/lambda/echo-nodejs",
    "logStream": "2019/03/13/[$LATEST]94fa867e5374431291a7fc14e2f56ae7",
    "subscriptionFilters": ["LambdaStream_cloudwatchlogs-node"],
    "logEvents": [
        {"id": "34622316099697884706540976068822859012661220141643892546", "timestamp": 1552518348220, "message": "é\n"}
    ],
}


def packed(content: bytes) -> str:
    return b64encode(gzip.compress(content, mtime=0)).decode()


def notification(message: str, **more: Any) -> dict[str, Any]:
    """As a topic sends it to a queue."""
    return {
        "Type": "Notification",
        "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        "TopicArn": TOPIC,
        "Subject": "TestInvoke",
        "Message": message,
        "Timestamp": "2019-01-02T12:45:07.000Z",
        "SignatureVersion": "1",
        "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi+tE/1+82j...65r==",
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": UNSUBSCRIBE,
        **more,
    }


def sns_event(message: str, **more: Any) -> dict[str, Any]:
    """As Lambda delivers it."""
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"{TOPIC}:21be",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
                    "TopicArn": TOPIC,
                    "Subject": "TestInvoke",
                    "Message": message,
                    "Timestamp": "2019-01-02T12:45:07.000Z",
                    "SignatureVersion": "1",
                    "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi+tE/1+82j...65r==",
                    "SigningCertUrl": CERTIFICATE,
                    "UnsubscribeUrl": UNSUBSCRIBE,
                    "MessageAttributes": {},
                    **more,
                },
            }
        ]
    }


SES_EVENT = {
    "Records": [
        {
            "eventSource": "aws:ses",
            "eventVersion": "1.0",
            "ses": {
                "mail": MAIL,
                "receipt": RECEIPT | {"action": {"type": "Lambda", "functionArn": FUNCTION, "invocationType": "Event"}},
            },
        }
    ]
}
ATTRIBUTES = {"Test": {"Type": "String", "Value": "TestString"}, "TestBinary": {"Type": "Binary", "Value": "VGVzdA=="}}

VECTORS: list[tuple[str, str, dict[str, Any], Any]] = [
    ("a notification", "sns", notification("Hello from SNS!"), sns_event("Hello from SNS!")),
    (
        "its attributes",
        "sns",
        notification("é", MessageAttributes=ATTRIBUTES),
        sns_event("é", MessageAttributes=ATTRIBUTES),
    ),
    ("an event of SNS, as a function's own dead-letter queue holds it", "sns", sns_event("x"), sns_event("x")),
    ("a bucket's event", "s3", S3, S3),
    ("an event", "eventbridge", EVENTBRIDGE, EVENTBRIDGE),
    ("a trigger", "codecommit", CODECOMMIT, CODECOMMIT),
    ("a request", "cloudformation", CLOUDFORMATION, CLOUDFORMATION),
    ("a rule's event", "config", CONFIG_EVENT, CONFIG_EVENT),
    (
        "a change",
        "config",
        CHANGED,
        {
            "version": "1.0",
            "invokingEvent": json.dumps(CHANGED),
            "ruleParameters": "{}",
            "resultToken": "TESTMODE",
            "eventLeftScope": False,
            "accountId": "123456789012",
        },
    ),
    ("a received mail", "ses", SES, SES_EVENT),
    ("a rule's own event", "ses", SES_EVENT, SES_EVENT),
]


@pytest.mark.parametrize(("which", "body", "event"), [vector[1:] for vector in VECTORS], ids=[v[0] for v in VECTORS])
@pytest.mark.parametrize("way", ["plain", "auto", "through a topic", "through a topic with raw delivery"])
def test_each_envelope_gives_the_event_of_a_direct_trigger(which, body, event, way):
    text = json.dumps(body)
    if way == "through a topic" and which != "sns":
        text = json.dumps(notification(text))
    opened = opener(ANY_ENVELOPE if way == "auto" else which, FUNCTION)(text)
    assert opened is not None
    assert json.loads(opened) == event


def test_an_event_that_is_handed_over_as_it_is_keeps_every_byte():
    text = '{ "version":"0", "detail-type":"x","source":"s","account":"1","time":"t","detail":{"n":1.0e2,"n":2} }'
    assert opener("eventbridge", FUNCTION)(text) == text
    assert opener("auto", FUNCTION)(text) == text


def test_with_auto_a_topic_s_notification_is_an_event_of_the_topic_whatever_it_carries():
    opened = opener(ANY_ENVELOPE, FUNCTION)(json.dumps(notification(json.dumps(S3))))
    assert opened is not None
    assert json.loads(opened) == sns_event(json.dumps(S3))


@pytest.mark.parametrize("which", ["cloudwatch_logs", "auto"])
def test_log_events_are_handed_over_compressed_however_the_queue_has_them(which):
    text = json.dumps(LOGS)
    data = packed(text.encode())
    opened = opener(which, FUNCTION)
    for body in (json.dumps({"awslogs": {"data": data}}), data, data + "\n", text):
        event = opened(body)
        assert event is not None
        [(name, member)] = json.loads(event).items()
        assert name == "awslogs"
        assert json.loads(gzip.decompress(b64decode(member["data"]))) == LOGS


@pytest.mark.parametrize("which", ["s3", "auto"])
def test_the_test_message_of_a_bucket_is_no_event(which):
    assert opener(which, FUNCTION)(json.dumps(S3_TEST)) is None


@pytest.mark.parametrize("which", get_args(Unwrap))
@pytest.mark.parametrize(
    "body",
    [
        *("", "plain", "null", "[]", "1", '"x"', "{}", '{"Records": []}', '{"Records": [1]}', '{"Records": {}}'),
        *('{"Records": [{"eventSource": "aws:sqs"}]}', '{"Type": "SubscriptionConfirmation", "Message": "x"}'),
        *(
            '{"awslogs": 1}',
            '{"awslogs": {"data": 1}}',
            '{"detail-type": "x"}',
            '{"Event": "s3:TestEvent"}',
            "{" * 5000,
        ),
        *('{"notificationType": "Bounce", "mail": {}}', "[" * 100_000, "\ud800", '{"Type": "Notification"}'),
        *('{"messageType": "ComplianceChangeNotification"}', '{"RequestType": "Create", "StackId": "x"}'),
    ],
)
def test_a_body_that_is_none_is_refused_with_a_reason(which, body):
    with pytest.raises(NoEnvelope) as caught:
        opener(which, FUNCTION)(body)
    assert caught.value.code in ("unknown", "not_json")
    assert str(caught.value)


@pytest.mark.parametrize("which", KINDS)
def test_another_service_s_envelope_is_refused(which):
    others = [json.dumps(body) for _, name, body, _ in VECTORS if name not in (which, "sns")]
    for body in others if which != "sns" else []:
        with pytest.raises(NoEnvelope, match=f"is not {KINDS[which].title}"):
            opener(which, FUNCTION)(body)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("????", "corrupt"),
        ("", "corrupt"),
        ("YWJj", "corrupt"),
        ("H4sIé", "corrupt"),
        (packed(json.dumps(LOGS).encode())[:-12], "corrupt"),
        (packed(b"plain"), "corrupt"),
        (b64encode(gzip.compress(b'{"messageType"', mtime=0) + b"more").decode(), "corrupt"),
        (packed(b'{"messageType": "' + bytes(MOST_DECOMPRESSED)), "too_large"),
    ],
)
def test_data_that_cannot_be_opened_is_refused_within_bounds(data, code):
    with pytest.raises(NoEnvelope) as caught:
        opener("cloudwatch_logs", FUNCTION)(json.dumps({"awslogs": {"data": data}}))
    assert caught.value.code == code


def test_an_unusable_address_for_leaving_a_topic_names_no_subscription():
    for address in ("http://[", "x", None, 5):
        opened = opener("sns", FUNCTION)(json.dumps(notification("x", UnsubscribeURL=address)))
        assert opened is not None
        assert json.loads(opened)["Records"][0]["EventSubscriptionArn"] == ""


def test_every_value_of_unwrap_has_its_kind():
    assert {*get_args(Unwrap)} == {ANY_ENVELOPE, *KINDS}

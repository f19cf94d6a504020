"""The services of a stack that sinks, sources and the archive use, and the role that may use them.

Source: AWS, the CloudFormation template reference; the service authorization reference.
"""

from collections.abc import Mapping
from typing import Any

from thingtank.cloud.defaults import DATABASE_GB, DATABASE_MACHINE
from thingtank.cloud.deployment.template_network import SUBNETS, attribute, ref, resource, tags

_DAY_S = 86_400
ENGINES = ("postgres", "mysql")
ON_DEMAND = "on-demand"


def services() -> dict[str, Any]:
    """A bucket, a queue with its dead letters, a table, and a stream if the parameter says so."""
    return {
        "Bucket": _bucket()
        | {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"},
        "DeadLetters": resource(
            "SQS::Queue", MessageRetentionPeriod=14 * _DAY_S, SqsManagedSseEnabled=True
        ),
        "Queue": resource(
            "SQS::Queue", ReceiveMessageWaitTimeSeconds=20, MessageRetentionPeriod=4 * _DAY_S,
            SqsManagedSseEnabled=True,
            RedrivePolicy={
                "deadLetterTargetArn": attribute("Arn", "DeadLetters"), "maxReceiveCount": 5
            },
        ),
        "DataStream": resource(
            "Kinesis::Stream", StreamModeDetails={"StreamMode": "ON_DEMAND"},
            StreamEncryption={"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
        ) | {"Condition": "HasStream"},
        "Table": resource(
            "DynamoDB::Table", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "msgid", "AttributeType": "S"},
                {"AttributeName": "date", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "msgid", "KeyType": "HASH"},
                {"AttributeName": "date", "KeyType": "RANGE"},
            ],
            TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True},
            SSESpecification={"SSEEnabled": True},
        ) | {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"},
    }  # fmt: skip


def _bucket() -> dict[str, Any]:
    return resource(
        "S3::Bucket",
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"),
            True,
        ),
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            ]
        },
        LifecycleConfiguration={
            "Rules": [
                {
                    "Id": "abort-uploads", "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                }
            ]
        },
    )  # fmt: skip


def database() -> dict[str, Any]:
    """An RDS instance, only reached by the machines; its password is made and kept by AWS."""
    condition = {"Condition": "HasDatabase"}
    return {
        "DatabaseSubnets": resource(
            "RDS::DBSubnetGroup", DBSubnetGroupDescription="Thing Tank: the zones of its machines",
            SubnetIds=[ref(name) for name in SUBNETS],
        ) | condition,
        "Database": resource(
            "RDS::DBInstance", Engine=ref("DatabaseEngine"), DBInstanceClass=DATABASE_MACHINE,
            AllocatedStorage=str(DATABASE_GB), StorageType="gp3", StorageEncrypted=True,
            DBName="thingtank", MasterUsername="thingtank", ManageMasterUserPassword=True,
            DBSubnetGroupName=ref("DatabaseSubnets"), PubliclyAccessible=False,
            VPCSecurityGroups=[attribute("GroupId", "DatabaseGroup")],
            BackupRetentionPeriod=7, CopyTagsToSnapshot=True, Tags=tags("database"),
        ) | condition | {"DeletionPolicy": "Snapshot", "UpdateReplacePolicy": "Snapshot"},
    }  # fmt: skip


def standing_costs(values: Mapping[str, str]) -> list[str]:
    """What a stack costs besides its machines, also when nobody uses it; in words.

    Args:
        values: of the template's parameters.
    """
    parts = ["2 load balancers", "their public addresses and those of the machines"]
    if values.get("Stream") == ON_DEMAND:
        parts.append("a Kinesis stream on demand")
    engine = values.get("DatabaseEngine", "none")
    if engine != "none":
        parts.append(f"an RDS database ({engine}, {DATABASE_MACHINE}, {DATABASE_GB} GB)")
    return parts


def role() -> dict[str, Any]:
    """What machines may do: be managed by Systems Manager, and use what is in this stack."""
    assume = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "ec2.amazonaws.com"},
            }
        ],
    }  # fmt: skip
    core = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    document = {"Version": "2012-10-17", "Statement": _statements()}
    return {
        "Role": resource(
            "IAM::Role", AssumeRolePolicyDocument=assume, ManagedPolicyArns=[core],
            Policies=[{"PolicyName": "services", "PolicyDocument": document}],
        ),
        "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
    }  # fmt: skip


def _statements() -> list[dict[str, Any]]:
    in_bucket = {"Fn::Join": ["", [attribute("Arn", "Bucket"), "/*"]]}
    secret = _allow(attribute("MasterUserSecret.SecretArn", "Database"),
                    "secretsmanager:GetSecretValue")  # fmt: skip
    stream = _allow(attribute("Arn", "DataStream"), "kinesis:PutRecord", "kinesis:PutRecords",
                    "kinesis:DescribeStreamSummary", "kinesis:ListShards",
                    "kinesis:GetShardIterator", "kinesis:GetRecords")  # fmt: skip
    return [
        _allow(in_bucket, "s3:GetObject", "s3:PutObject", "s3:DeleteObject",
               "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
        _allow(attribute("Arn", "Bucket"), "s3:ListBucket", "s3:GetBucketLocation",
               "s3:ListBucketMultipartUploads"),
        _allow([attribute("Arn", "Queue"), attribute("Arn", "DeadLetters")],
               "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage",
               "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"),
        _allow(attribute("Arn", "Table"), "dynamodb:DescribeTable", "dynamodb:PutItem",
               "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
               "dynamodb:GetItem", "dynamodb:Query"),
        {"Fn::If": ["HasStream", stream, ref("AWS::NoValue")]},
        {"Fn::If": ["HasDatabase", secret, ref("AWS::NoValue")]},
    ]  # fmt: skip


def _allow(of: Any, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": of}

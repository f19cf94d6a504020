"""A deployment as a CloudFormation template: the group of `parts.py` with all that is around it.

Source: AWS, the CloudFormation template reference.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from thingtank.cloud.deployment import parts
from thingtank.cloud.deployment.description import BOOK_POLICIES, POLICIES, TARGET, Deployment
from thingtank.cloud.deployment.template_network import (
    SUBNETS,
    VPC_CIDR,
    attribute,
    load_balancers,
    network,
    ref,
    resource,
    security_groups,
)
from thingtank.cloud.deployment.template_services import (
    ENGINES,
    ON_DEMAND,
    database,
    role,
    services,
)
from thingtank.cloud.errors import NotDone
from thingtank.cloud.instances.images import Image

BYTES_MAX = 51_200  # of a template that is given in a call
PUBLIC_NAME = "@PublicName@"
SETTINGS = f"""\
[server]
host = "0.0.0.0"
drain_s = 20.0

[web]
allowed_hosts = ["{PUBLIC_NAME}"]
trusted_proxies = ["{VPC_CIDR}"]
"""
KEPT = ("Certificate", "PublicName", "DatabaseEngine", "Stream")  # unless they are given anew
_NOBODY = "127.0.0.1/32"
_RESOURCE_OF_POLICY = {"scale-up": "ScaleUp", "scale-down": "ScaleDown"}


def template(deployment: Deployment, image: Image, image_parameter: str) -> dict[str, Any]:
    """The template.

    Args:
        image: its disk counts; its id is used where no parameter names it.
        image_parameter: the SSM parameter that CloudFormation is to read; blank for none.

    Raises:
        NotDone: what a stack cannot have, or a template that is too long for a call.
    """
    _refuse_what_a_stack_has_of_its_own(deployment)
    allowed = [f"AllowFrom{number}" for number, _ in enumerate(deployment.cidrs or [_NOBODY], 1)]
    made = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Thing Tank on an Auto Scaling group, with load balancers and the services"
        " that it uses",
        "Parameters": _parameters(deployment, image, image_parameter),
        "Conditions": {
            "IsTarget": {"Fn::Equals": [ref("Policies"), TARGET]},
            "IsBook": {"Fn::Not": [{"Condition": "IsTarget"}]},
            "HasKey": _is_given("KeyName"),
            "HasCertificate": _is_given("Certificate"),
            "HasPublicName": _is_given("PublicName"),
            "HasStream": {"Fn::Equals": [ref("Stream"), ON_DEMAND]},
            "HasDatabase": {"Fn::Not": [{"Fn::Equals": [ref("DatabaseEngine"), "none"]}]},
        },
        "Resources": {
            **network(),
            **security_groups(allowed, deployment.ports),
            **role(),
            **services(),
            **database(),
            "LaunchTemplate": _launch_template(deployment, image),
            **load_balancers(),
            "Group": _group(deployment),
            **_policies(deployment),
        },
        "Outputs": _outputs(),
    }
    if len(text_of(made)) > BYTES_MAX:
        raise NotDone(f"the template has more than {BYTES_MAX} bytes: shorten the settings")
    return made


def text_of(made: dict[str, Any], *, indent: int | None = None) -> str:
    """A template as CloudFormation takes it; short, or indented for people."""
    return json.dumps(made, indent=indent, separators=(",", ": ") if indent else (",", ":"))


def with_parameters(made: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The template with other values of its parameters.

    Raises:
        NotDone: it has no such parameter.
    """
    parameters = dict(made["Parameters"])
    for name, value in given.items():
        if name not in parameters:
            raise NotDone(f"there is no parameter {name!r}; there are {', '.join(parameters)}")
        parameters[name] = {**parameters[name], "Default": value}
    return {**made, "Parameters": parameters}


def parameter_values(
    made: dict[str, Any], given: Collection[str], there: Collection[str]
) -> list[dict[str, Any]]:
    """Every parameter as this template has it, or as a stack has it that is to be changed.

    Args:
        given: the names of those that were given; these count in any case.
        there: the names of those that the stack has.
    """
    kept = [name for name in KEPT if name in there and name not in given]
    return [
        {"ParameterKey": name, "UsePreviousValue": True}
        if name in kept
        else {"ParameterKey": name, "ParameterValue": str(parameter["Default"])}
        for name, parameter in made["Parameters"].items()
    ]


def _refuse_what_a_stack_has_of_its_own(deployment: Deployment) -> None:
    for option, given in (
        ("--security-group", deployment.groups),
        ("--subnet", deployment.subnets),
        ("--target-group", deployment.target_groups),
        ("--role", deployment.role),
        ("--launch configuration", deployment.launch == "configuration"),
        ("--allow with IPv6", [cidr for cidr in deployment.cidrs if ":" in cidr]),
    ):
        if given:
            raise NotDone(f"a stack has its own network, role and template: leave out {option}")


def _parameters(deployment: Deployment, image: Image, image_parameter: str) -> dict[str, Any]:
    kind = "AWS::EC2::Image::Id"
    allowed = {
        f"AllowFrom{number}": _text(
            "A network that may come to the doors", cidr,
            AllowedPattern=r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}",
        )
        for number, cidr in enumerate(deployment.cidrs or [_NOBODY], 1)
    }  # fmt: skip
    return {
        "ImageId": {
            "Type": f"AWS::SSM::Parameter::Value<{kind}>" if image_parameter else kind,
            "Default": image_parameter or image.id,
        },
        "InstanceType": _text("How large a machine is", deployment.instance_type),
        "MinSize": _number("The fewest machines", deployment.min_size),
        "MaxSize": _number("The most machines", deployment.max_size),
        "Policies": _text(
            "book: one machine more or less by alarms; target: AWS keeps the load",
            deployment.policies, AllowedValues=list(POLICIES),
        ),
        **allowed,
        "KeyName": _text("A key pair for SSH; blank for none", deployment.key),
        "Certificate": _text("The ARN of a certificate; blank for no TLS", ""),
        "PublicName": _text("The host name that browsers use; blank for the balancer's own", ""),
        "DatabaseEngine": _text(
            "An RDS database, or none", "none", AllowedValues=["none", *ENGINES]
        ),
        "Stream": _text(
            "A Kinesis stream, which costs also when nothing is put; or none", "none",
            AllowedValues=["none", ON_DEMAND],
        ),
    }  # fmt: skip


def _text(description: str, default: str, **more: Any) -> dict[str, Any]:
    return {"Type": "String", "Default": default, "Description": description} | more


def _number(description: str, default: int) -> dict[str, Any]:
    return {"Type": "Number", "Default": default, "Description": description, "MinValue": 0}


def _is_given(parameter: str) -> dict[str, Any]:
    return {"Fn::Not": [{"Fn::Equals": [ref(parameter), ""]}]}


def _launch_template(deployment: Deployment, image: Image) -> dict[str, Any]:
    groups = [attribute("GroupId", "MachineGroup")]
    data = parts.launch_template_data(deployment, image, groups) | {
        "ImageId": ref("ImageId"),
        "InstanceType": ref("InstanceType"),
        "KeyName": {"Fn::If": ["HasKey", ref("KeyName"), ref("AWS::NoValue")]},
        "IamInstanceProfile": {"Arn": attribute("Arn", "Profile")},
        "UserData": {"Fn::Base64": _with_public_name(deployment.user_data)},
    }
    return resource(
        "EC2::LaunchTemplate", LaunchTemplateName=deployment.name, LaunchTemplateData=data
    )


def _with_public_name(user_data: str) -> Any:
    """User data in which the name that browsers use is known when the stack is made."""
    pieces: list[Any] = re.split(f"({PUBLIC_NAME})", user_data)
    own = attribute("DNSName", "WebBalancer")
    name = {"Fn::If": ["HasPublicName", ref("PublicName"), own]}
    return {"Fn::Join": ["", [name if piece == PUBLIC_NAME else piece for piece in pieces]]}


def _group(deployment: Deployment) -> dict[str, Any]:
    properties = parts.group(deployment, ()) | {
        "MinSize": ref("MinSize"),
        "MaxSize": ref("MaxSize"),
        "VPCZoneIdentifier": [ref(name) for name in SUBNETS],
        "HealthCheckType": "ELB",
        "TargetGroupARNs": [ref("WebTargets"), ref("MqttTargets")],
        "LaunchTemplate": {
            "LaunchTemplateId": ref("LaunchTemplate"),
            "Version": attribute("LatestVersionNumber", "LaunchTemplate"),
        },
    }
    desired = properties.pop("DesiredCapacity")
    if desired != deployment.min_size:  # else an update would undo what the policies did
        properties["DesiredCapacity"] = str(desired)
    rolling = {
        "MinInstancesInService": 1 if deployment.max_size > 1 else 0,
        "MaxBatchSize": 1,
        "PauseTime": "PT5M",
        "SuspendProcesses": ["AZRebalance", "AlarmNotification", "ScheduledActions"],
    }
    return resource("AutoScaling::AutoScalingGroup", **properties) | {
        "DependsOn": ["WayOut", "WebListener", "MqttListener"],
        "UpdatePolicy": {"AutoScalingRollingUpdate": rolling},
    }


def _policies(deployment: Deployment) -> dict[str, Any]:
    """The chapter's policies with their alarms, and target tracking: a condition takes either."""
    found: dict[str, Any] = {}
    for policy in BOOK_POLICIES:
        name = _RESOURCE_OF_POLICY[policy.name]
        request = parts.simple_policy(deployment.name, policy)
        del request["PolicyName"]
        request |= {"AutoScalingGroupName": ref("Group"), "Cooldown": str(policy.cooldown_s)}
        found[name] = resource("AutoScaling::ScalingPolicy", **request) | {"Condition": "IsBook"}
        alarm = parts.alarm(deployment.name, policy, ref(name))
        alarm["Dimensions"] = [{"Name": "AutoScalingGroupName", "Value": ref("Group")}]
        found[f"{name}Alarm"] = resource("CloudWatch::Alarm", **alarm) | {"Condition": "IsBook"}
    request = parts.target_policy(deployment) | {"AutoScalingGroupName": ref("Group")}
    del request["PolicyName"]
    target = resource("AutoScaling::ScalingPolicy", **request) | {"Condition": "IsTarget"}
    return found | {"TargetTracking": target}


def _outputs() -> dict[str, Any]:
    own = attribute("DNSName", "WebBalancer")
    found = {
        "Web": {"Fn::Join": ["", ["http://", own, "/"]]},
        "Mqtt": attribute("DNSName", "MqttBalancer"),
        "BucketName": ref("Bucket"),
        "QueueName": attribute("QueueName", "Queue"),
        "TableName": ref("Table"),
        "GroupName": ref("Group"),
    }
    outputs: dict[str, Any] = {name: {"Value": value} for name, value in found.items()}
    outputs["DatabaseAddress"] = {
        "Value": attribute("Endpoint.Address", "Database"), "Condition": "HasDatabase"
    }  # fmt: skip
    outputs["StreamName"] = {"Value": ref("DataStream"), "Condition": "HasStream"}
    return outputs

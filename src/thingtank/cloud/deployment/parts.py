"""A deployment in AWS's words: what calls take as arguments and templates have as properties.

Both have the same names. Where they differ, here is what calls take; `template.py` says what
is another.

Source: AWS, EC2, EC2 Auto Scaling and CloudWatch APIs; the CloudFormation template reference.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from thingtank.aws.tags import APP_TAG
from thingtank.cloud.deployment.description import (
    BOOK,
    BOOK_POLICIES,
    PERIOD_S,
    PERIODS,
    Deployment,
    Policy,
)
from thingtank.cloud.instances.images import Image
from thingtank.cloud.instances.launch import METADATA, disks_of, tags_of

GRACE_S = 600  # until a machine has installed Thing Tank
WARM_UP_S = 120
TARGET_POLICY = "cpu-target"


def launch_template_data(
    deployment: Deployment, image: Image, groups: Sequence[Any]
) -> dict[str, Any]:
    """What a launch template holds; CPU load by the minute, which alarms of 60 s need."""
    data: dict[str, Any] = {
        "ImageId": image.id,
        "InstanceType": deployment.instance_type,
        "MetadataOptions": METADATA,
        "Monitoring": {"Enabled": True},
        "UserData": base64.b64encode(deployment.user_data.encode()).decode(),
        "BlockDeviceMappings": disks_of(image, deployment.disk_gib),
        "TagSpecifications": [{"ResourceType": "volume", "Tags": tags_of(deployment.name, {})}],
        "SecurityGroupIds": list(groups),
    }
    if deployment.key:
        data["KeyName"] = deployment.key
    if deployment.role:
        data["IamInstanceProfile"] = {"Name": deployment.role}
    return data


def launch_configuration(
    deployment: Deployment, image: Image, groups: Sequence[str]
) -> dict[str, Any]:
    """The arguments of `create_launch_configuration`, which encodes user data itself.

    A configuration is never changed, so its name tells what is in it.
    """
    request: dict[str, Any] = {
        "ImageId": image.id,
        "InstanceType": deployment.instance_type,
        "SecurityGroups": list(groups),
        "InstanceMonitoring": {"Enabled": True},
        "MetadataOptions": METADATA,
        "UserData": deployment.user_data,
        "BlockDeviceMappings": disks_of(image, deployment.disk_gib),
    }
    if deployment.key:
        request["KeyName"] = deployment.key
    if deployment.role:
        request["IamInstanceProfile"] = deployment.role
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return {"LaunchConfigurationName": f"{deployment.name}-{digest[:8]}", **request}


def is_configuration_of(name: str, configuration: str) -> bool:
    """Whether a launch configuration is one of a deployment, by its name."""
    return re.fullmatch(re.escape(name) + "-[0-9a-f]{8}", configuration) is not None


def group(deployment: Deployment, subnets: Sequence[str]) -> dict[str, Any]:
    """The group, without what its machines start from."""
    request: dict[str, Any] = {
        "AutoScalingGroupName": deployment.name,
        "MinSize": deployment.min_size,
        "MaxSize": deployment.max_size,
        "DesiredCapacity": deployment.at_first,
        "VPCZoneIdentifier": ",".join(subnets),
        "HealthCheckType": "ELB" if deployment.target_groups else "EC2",
        "HealthCheckGracePeriod": GRACE_S,
        "DefaultInstanceWarmup": WARM_UP_S,
        "Tags": group_tags(deployment),
    }
    if deployment.target_groups:
        request["TargetGroupARNs"] = list(deployment.target_groups)
    return request


def group_tags(deployment: Deployment) -> list[dict[str, Any]]:
    """Tags of the group, which its machines get as well."""
    return [
        {"Key": "Name", "Value": deployment.name, "PropagateAtLaunch": True},
        {**APP_TAG, "PropagateAtLaunch": True},
    ]


def policies(deployment: Deployment) -> list[dict[str, Any]]:
    """The group's policies."""
    if deployment.policies == BOOK:
        return [simple_policy(deployment.name, policy) for policy in BOOK_POLICIES]
    return [target_policy(deployment)]


def simple_policy(name: str, policy: Policy) -> dict[str, Any]:
    """One of the chapter's policies."""
    return {
        "AutoScalingGroupName": name,
        "PolicyName": policy.name,
        "PolicyType": "SimpleScaling",
        "AdjustmentType": "ChangeInCapacity",
        "ScalingAdjustment": policy.change,
        "Cooldown": policy.cooldown_s,
    }


def target_policy(deployment: Deployment) -> dict[str, Any]:
    """Target tracking; AWS makes its alarms."""
    return {
        "AutoScalingGroupName": deployment.name,
        "PolicyName": TARGET_POLICY,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": float(deployment.target_percent),
        },
    }


def alarm(name: str, policy: Policy, action: Any) -> dict[str, Any]:
    """The alarm that starts one of the chapter's policies.

    Args:
        action: the policy's ARN.
    """
    return {
        "AlarmName": alarm_name(name, policy),
        "AlarmDescription": f"Processors of {name}: {policy.name}",
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Statistic": "Average",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": name}],
        "Period": PERIOD_S,
        "EvaluationPeriods": PERIODS,
        "Threshold": float(policy.threshold_percent),
        "ComparisonOperator": policy.comparison,
        "TreatMissingData": policy.missing,
        "AlarmActions": [action],
    }


def alarm_name(name: str, policy: Policy) -> str:
    """An alarm's name, which is one of the whole region."""
    return f"{name}-{policy.name}"


def own_alarm_names(name: str) -> set[str]:
    """Which alarms are made for a group."""
    return {alarm_name(name, policy) for policy in BOOK_POLICIES}

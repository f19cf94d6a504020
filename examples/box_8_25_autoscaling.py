"""Box 8.25 in Python 3: an Auto Scaling group with two policies, and the alarms that start them.

    python box_8_25_autoscaling.py --group My-Group
    python box_8_25_autoscaling.py --group My-Group --delete

A machine more when the processors are above 70 % for two minutes, one less when they are below
50 %. AWS gives newer accounts no launch configurations, so this makes a launch template; it also
asks for the load by the minute, without which an alarm of 60 seconds has no data. The book leaves
all of it there: `--delete` ends it, with its machines.
"""

import argparse
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

NEWEST_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
ATTEMPTS_MAX = 60
# name, machines, name of the alarm, how the load compares with which percentage
POLICIES = (
    ("scale_up", 1, "scale_up_on_cpu", "GreaterThanThreshold", 70),
    ("scale_down", -1, "scale_down_on_cpu", "LessThanThreshold", 50),
)


def create_launch_template(ec2, args):
    """What each machine of the group starts from."""
    image_id = args.image
    if not image_id:
        image_id = boto3.client("ssm").get_parameter(Name=NEWEST_IMAGE)["Parameter"]["Value"]
    data = {
        "ImageId": image_id,
        "InstanceType": args.type,
        "Monitoring": {"Enabled": True},
        "MetadataOptions": {"HttpTokens": "required"},
    }
    if args.key:
        data["KeyName"] = args.key
    if args.security_group:
        data["SecurityGroupIds"] = [args.security_group]
    ec2.create_launch_template(LaunchTemplateName=args.group, LaunchTemplateData=data)


def create_group(autoscaling, ec2, args):
    """One machine at least, two at most, in any zone of the default network."""
    default = [{"Name": "default-for-az", "Values": ["true"]}]
    subnets = [each["SubnetId"] for each in ec2.describe_subnets(Filters=default)["Subnets"]]
    if not subnets:
        sys.exit("This region has no default network: aws ec2 create-default-vpc makes one")
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=args.group,
        LaunchTemplate={"LaunchTemplateName": args.group, "Version": "$Latest"},
        MinSize=1,
        MaxSize=2,
        VPCZoneIdentifier=",".join(subnets),
    )


def create_policies(autoscaling, args):
    """The ARN of each policy, by its name."""
    for name, change, *_ in POLICIES:
        autoscaling.put_scaling_policy(
            AutoScalingGroupName=args.group,
            PolicyName=name,
            PolicyType="SimpleScaling",
            AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=change,
            Cooldown=180,
        )
    made = autoscaling.describe_policies(AutoScalingGroupName=args.group)["ScalingPolicies"]
    return {policy["PolicyName"]: policy["PolicyARN"] for policy in made}


def create_alarms(cloudwatch, args, arns):
    """An alarm for each policy. Names of alarms are of the whole region, so the group's is in."""
    for policy, _, alarm, comparison, threshold in POLICIES:
        cloudwatch.put_metric_alarm(
            AlarmName=f"{args.group}-{alarm}",
            Namespace="AWS/EC2",
            MetricName="CPUUtilization",
            Statistic="Average",
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": args.group}],
            ComparisonOperator=comparison,
            Threshold=threshold,
            Period=60,
            EvaluationPeriods=2,
            AlarmActions=[arns[policy]],
        )


def group_of(autoscaling, name):
    """The group, None where there is none."""
    answer = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    groups = answer["AutoScalingGroups"]
    return groups[0] if groups else None


def wait_for(is_done, args):
    """Auto Scaling has no waiters in boto3."""
    for _ in range(ATTEMPTS_MAX):
        if is_done():
            return
        time.sleep(args.pause)
    sys.exit("It takes longer than usual; the console shows how it goes on")


def delete(autoscaling, ec2, cloudwatch, args):
    """The group with its machines and policies first, then what nothing uses any more."""
    print("Deleting auto-scaling group with its instances")
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=args.group, ForceDelete=True)
    wait_for(lambda: group_of(autoscaling, args.group) is None, args)
    cloudwatch.delete_alarms(AlarmNames=[f"{args.group}-{policy[2]}" for policy in POLICIES])
    ec2.delete_launch_template(LaunchTemplateName=args.group)
    print("Deleted")


def main():
    """Make the group, or end it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--group", default="My-Group")
    parser.add_argument("--image", help="such as ami-0123456789abcdef0; default: the newest")
    parser.add_argument("--type", default="t3.micro")
    parser.add_argument("--key", help="the name of a key pair")
    parser.add_argument("--security-group", help="the id of one, sg-…")
    parser.add_argument("--pause", type=float, default=10, help="seconds between two questions")
    parser.add_argument("--delete", action="store_true", help="end the group instead")
    args = parser.parse_args()

    print("Connecting to Autoscaling Service, EC2 and CloudWatch")
    autoscaling, ec2 = boto3.client("autoscaling"), boto3.client("ec2")
    cloudwatch = boto3.client("cloudwatch")
    if args.delete:
        delete(autoscaling, ec2, cloudwatch, args)
        return

    print("Creating launch template")
    create_launch_template(ec2, args)
    print("Creating auto-scaling group")
    create_group(autoscaling, ec2, args)
    print("Creating auto-scaling policies")
    arns = create_policies(autoscaling, args)
    print("Creating scale-up and scale-down alarms")
    create_alarms(cloudwatch, args, arns)

    print("Waiting for the first instance")
    wait_for(
        lambda: any(
            instance["LifecycleState"] == "InService"
            for instance in group_of(autoscaling, args.group)["Instances"]
        ),
        args,
    )
    print("Done!")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")

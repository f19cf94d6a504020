"""The network of a stack: where its machines are, who may come to them, and what stands in front.

Source: AWS, the CloudFormation template reference.
"""

from collections.abc import Sequence
from typing import Any

from thingtank.aws.tags import APP_TAG

VPC_CIDR = "10.80.0.0/16"
_SUBNETS = {"SubnetA": "10.80.0.0/20", "SubnetB": "10.80.16.0/20"}
SUBNETS = tuple(_SUBNETS)
WEB_PORT, MQTT_PORT, MQTT_TLS_PORT = 8000, 1883, 8883


def ref(name: str) -> dict[str, Any]:
    """A resource or parameter."""
    return {"Ref": name}


def attribute(name: str, of: str) -> dict[str, Any]:
    """An attribute of a resource; moto takes its name in one word only in this long form."""
    return {"Fn::GetAtt": [of, name]}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """A resource of the template."""
    return {"Type": f"AWS::{kind}"} | ({"Properties": properties} if properties else {})


def tags(part: str) -> list[dict[str, Any]]:
    """Tags that tell parts of a stack apart."""
    name = {"Fn::Sub": f"${{AWS::StackName}}-{part}"}
    return [{"Key": "Name", "Value": name}, APP_TAG]


def network() -> dict[str, Any]:
    """A VPC with two public subnets in different zones."""
    found = {
        "Vpc": resource(
            "EC2::VPC", CidrBlock=VPC_CIDR, EnableDnsSupport=True, EnableDnsHostnames=True,
            Tags=tags("vpc"),
        ),
        "Gateway": resource("EC2::InternetGateway", Tags=tags("gateway")),
        "GatewayAttachment": resource(
            "EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")
        ),
        "Routes": resource("EC2::RouteTable", VpcId=ref("Vpc"), Tags=tags("routes")),
        "WayOut": resource(
            "EC2::Route", RouteTableId=ref("Routes"), DestinationCidrBlock="0.0.0.0/0",
            GatewayId=ref("Gateway"),
        )
        | {"DependsOn": "GatewayAttachment"},
    }  # fmt: skip
    for number, (name, cidr) in enumerate(_SUBNETS.items()):
        zone = {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
        found[name] = resource(
            "EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, AvailabilityZone=zone,
            MapPublicIpOnLaunch=True, Tags=tags(name.lower()),
        )  # fmt: skip
        found[f"{name}Routes"] = resource(
            "EC2::SubnetRouteTableAssociation", SubnetId=ref(name), RouteTableId=ref("Routes")
        )
    return found


def security_groups(allowed: Sequence[str], ports: Sequence[int]) -> dict[str, Any]:
    """Who may come: to the load balancer, to the machines' other doors, to the database.

    Args:
        allowed: the names of parameters, each with a network.
        ports: of the machines. The web port is reached by the load balancer only.
    """
    to_web = [rule for port in (80, 443) for rule in _rules(allowed, port)]
    to_machines = [
        {"IpProtocol": "tcp", "FromPort": WEB_PORT, "ToPort": WEB_PORT,
         "SourceSecurityGroupId": attribute("GroupId", "LoadBalancerGroup")},
        # The network load balancer asks from within whether a machine is well.
        {"IpProtocol": "tcp", "FromPort": MQTT_PORT, "ToPort": MQTT_PORT, "CidrIp": VPC_CIDR},
        *(rule for port in ports if port != WEB_PORT for rule in _rules(allowed, port)),
    ]  # fmt: skip
    to_database = [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
         "SourceSecurityGroupId": attribute("GroupId", "MachineGroup")}
        for port in (3306, 5432)
    ]  # fmt: skip
    return {
        "LoadBalancerGroup": _security_group("who may come by the web", to_web),
        "MachineGroup": _security_group("who may come to the doors", to_machines),
        "DatabaseGroup": _security_group("only the machines", to_database)
        | {"Condition": "HasDatabase"},
    }


def _rules(allowed: Sequence[str], port: int) -> list[dict[str, Any]]:
    return [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": ref(name)}
        for name in allowed
    ]


def _security_group(who: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return resource(
        "EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription=f"Thing Tank: {who}",
        SecurityGroupIngress=rules, Tags=tags("doors"),
    )  # fmt: skip


def load_balancers() -> dict[str, Any]:
    """One for the web with its WebSockets, and one for MQTT, with TLS where there is a certificate.

    Each machine has a tank of its own, so a browser stays with the one it came to.
    """
    certificates = [{"CertificateArn": ref("Certificate")}]
    to_web = [{"Type": "forward", "TargetGroupArn": ref("WebTargets")}]
    to_mqtt = [{"Type": "forward", "TargetGroupArn": ref("MqttTargets")}]
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    to_https = [{"Type": "redirect", "RedirectConfig": redirect}]
    subnets = [ref(name) for name in SUBNETS]
    sticky = [
        {"Key": "stickiness.enabled", "Value": "true"},
        {"Key": "stickiness.type", "Value": "lb_cookie"},
        {"Key": "deregistration_delay.timeout_seconds", "Value": "30"},
    ]
    quick = [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    # By the web a socket that is silent is closed: longer than WAMP's and MQTT's own questions.
    silence = [{"Key": "idle_timeout.timeout_seconds", "Value": "300"}]
    balancer, targets, listener = (
        f"ElasticLoadBalancingV2::{kind}" for kind in ("LoadBalancer", "TargetGroup", "Listener")
    )
    after_gateway = {"DependsOn": "GatewayAttachment"}
    with_certificate = {"Condition": "HasCertificate"}
    return {
        "WebBalancer": resource(
            balancer, Type="application", Scheme="internet-facing", Subnets=subnets,
            SecurityGroups=[attribute("GroupId", "LoadBalancerGroup")],
            LoadBalancerAttributes=silence, Tags=tags("web"),
        ) | after_gateway,
        "WebTargets": resource(
            targets, Protocol="HTTP", Port=WEB_PORT, VpcId=ref("Vpc"), TargetType="instance",
            HealthCheckPath="/readyz", HealthCheckIntervalSeconds=15, HealthyThresholdCount=2,
            TargetGroupAttributes=sticky,
        ),
        "WebListener": resource(
            listener, LoadBalancerArn=ref("WebBalancer"), Protocol="HTTP", Port=80,
            DefaultActions={"Fn::If": ["HasCertificate", to_https, to_web]},
        ),
        "WebTlsListener": resource(
            listener, LoadBalancerArn=ref("WebBalancer"), Protocol="HTTPS", Port=443,
            Certificates=certificates, DefaultActions=to_web,
        ) | with_certificate,
        "MqttBalancer": resource(
            balancer, Type="network", Scheme="internet-facing", Subnets=subnets, Tags=tags("mqtt")
        ) | after_gateway,
        "MqttTargets": resource(
            targets, Protocol="TCP", Port=MQTT_PORT, VpcId=ref("Vpc"), TargetType="instance",
            HealthCheckProtocol="TCP", TargetGroupAttributes=quick,
        ),
        "MqttListener": resource(
            listener, LoadBalancerArn=ref("MqttBalancer"), Protocol="TCP", Port=MQTT_PORT,
            DefaultActions=to_mqtt,
        ),
        "MqttTlsListener": resource(
            listener, LoadBalancerArn=ref("MqttBalancer"), Protocol="TLS", Port=MQTT_TLS_PORT,
            Certificates=certificates, DefaultActions=to_mqtt,
        ) | with_certificate,
    }  # fmt: skip

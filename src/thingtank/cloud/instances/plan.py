"""What a machine is to be, alone or in a group."""

from pathlib import Path

import msgspec

from thingtank.cloud.defaults import AMAZON_LINUX, DISK_GIB, MACHINE_TYPE
from thingtank.cloud.instances.access import SSH_PORT

NAME = "thingtank"
PORTS = (SSH_PORT, 8000, 8080, 1883, 3000)  # those of the doors, as they are without settings


class MachinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What machines start from, and who may come to them.

    Attributes:
        name: the tag Name.
        image: see `images.image_of`.
        key: the name of a key pair; of one that AWS does not know, `key_file` gets the private
            half. Blank for none.
        groups: ids of security groups; none for one of its own.
        cidrs, ports: who may come to which ports of its own group.
        subnets: none for those of the default VPC.
        role: of an instance profile; blank for none.
    """

    name: str = NAME
    instance_type: str = MACHINE_TYPE
    image: str = AMAZON_LINUX
    key: str = ""
    key_file: Path = Path()
    groups: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()
    ports: tuple[int, ...] = PORTS
    subnets: tuple[str, ...] = ()
    disk_gib: int = DISK_GIB
    role: str = ""
    user_data: str = ""

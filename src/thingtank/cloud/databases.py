"""Databases of RDS: MySQL and PostgreSQL that AWS keeps, for the directory or for readings."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from thingtank.aws.clients import AwsClients, is_stand_in
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.defaults import DATABASE_GB, DATABASE_MACHINE
from thingtank.cloud.errors import NotDone, NotTaken
from thingtank.cloud.patience import patiently
from thingtank.cloud.progress import Progress
from thingtank.cloud.stand_in_gaps import is_lacking
from thingtank.cloud.waiting import WaitFailed, turns, wait
from thingtank.tank.failures import FailureKind

PAUSE_S = 30
LOOKS_MAX = 60  # half an hour

_IDENTIFIER = re.compile(r"(?!.*--)[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_GONE = ("DBInstanceNotFound", "DBInstanceNotFoundFault")


class DatabaseEngine(NamedTuple):
    """A kind of database.

    Attributes:
        name: as RDS calls it.
        line: releases that are asked for: of MySQL the one that is kept up for long.
        usual: a version of it, for stand-ins that cannot tell which there are.
        scheme: of the setting `database`.
        options: of the URL, so that nothing is sent in the clear; PyMySQL sees to that itself.
        ca_options: of the URL, so that it is surely RDS that is spoken to.
    """

    name: str
    line: str
    usual: str
    port: int
    scheme: str
    options: str
    ca_options: str


ENGINES: Mapping[str, DatabaseEngine] = {
    "mysql": DatabaseEngine(
        "mysql", "8.4.", "8.4.7", 3306, "mysql", "", "?ssl_ca={}&ssl_verify_identity=true"
    ),
    "postgresql": DatabaseEngine(
        "postgres",
        "17.",
        "17.6",
        5432,
        "postgres",
        "?sslmode=require",
        "?sslmode=verify-full&sslrootcert={}",
    ),
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A database that is to be made.

    Attributes:
        identifier: of the machine; `name` is that of the database on it.
        version: of the engine; blank for the newest of its line.
        security_groups, subnet_group: who reaches it, and where it is; none for the VPC's own.
        is_public: whether it has an address in the internet.
        is_protected: whether it must be told twice before it can be deleted.
    """

    identifier: str
    engine: str
    version: str = ""
    machine: str = DATABASE_MACHINE
    storage_gb: int = DATABASE_GB
    user: str = "tank"
    name: str = "tank"
    security_groups: Sequence[str] = ()
    subnet_group: str = ""
    is_public: bool = False
    is_protected: bool = True
    backup_days: int = 7


class Database(msgspec.Struct, frozen=True):
    """A database as RDS tells of it; blank or 0 where it does not say yet.

    Attributes:
        secret_arn: where Secrets Manager has user and password.
    """

    identifier: str
    status: str
    engine: str
    version: str
    machine: str
    storage_gb: int
    host: str
    port: int
    user: str
    name: str
    created_at: str
    secret_arn: str
    is_encrypted: bool
    is_public: bool
    is_protected: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Database":
        """One of `describe_db_instances`."""
        endpoint = found.get("Endpoint") or {}
        created = found.get("InstanceCreateTime")
        return cls(
            identifier=found["DBInstanceIdentifier"],
            status=found.get("DBInstanceStatus", ""),
            engine=found.get("Engine", ""),
            version=found.get("EngineVersion", ""),
            machine=found.get("DBInstanceClass", ""),
            storage_gb=found.get("AllocatedStorage", 0),
            host=endpoint.get("Address", ""),
            port=endpoint.get("Port", 0),
            user=found.get("MasterUsername", ""),
            name=found.get("DBName", ""),
            created_at=created.isoformat() if created else "",
            secret_arn=(found.get("MasterUserSecret") or {}).get("SecretArn", ""),
            is_encrypted=bool(found.get("StorageEncrypted")),
            is_public=bool(found.get("PubliclyAccessible")),
            is_protected=bool(found.get("DeletionProtection")),
        )


def create_database(clients: AwsClients, wanted: Wanted, told: Progress) -> Database:
    """Make a database, encrypted, whose password AWS makes and keeps; it is not ready yet.

    One of that name that is there already is taken, if it is of the same engine.

    Raises:
        NotDone: AWS would not take a name, or another engine's is there.
        botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`.
    """
    check_names(wanted)
    rds = clients.client("rds")
    engine = ENGINES[wanted.engine]
    version = wanted.version or _newest(rds, engine)
    try:
        made = rds.create_db_instance(**arguments_of(wanted, engine, version))
    except Exception as error:
        if not is_aws_failure(error) or classify(error).kind is not FailureKind.EXISTS:
            raise
        return _taken(rds, wanted, engine, told)
    told.did(f"Making the database {wanted.identifier}: {engine.name} {version}".rstrip())
    return Database.of(made["DBInstance"])


def check_names(wanted: Wanted) -> None:
    """Refuse what AWS would refuse. Raise NotTaken.

    Source: AWS, RDS, `CreateDBInstance`.
    """
    if not _IDENTIFIER.fullmatch(wanted.identifier):
        raise NotTaken(
            f"{wanted.identifier!r} cannot be the name of a database: it has 1 to 63 letters,"
            " digits and hyphens, begins with a letter, and no two hyphens stand side by side or"
            " at its end"
        )
    for what, name in (("user", wanted.user), ("database", wanted.name)):
        if not _NAME.fullmatch(name):
            raise NotTaken(f"{name!r} cannot be a {what}: letters, digits and _, a letter first")


def arguments_of(wanted: Wanted, engine: DatabaseEngine, version: str) -> dict[str, Any]:
    """What RDS is asked for."""
    asked: dict[str, Any] = {
        "DBInstanceIdentifier": wanted.identifier,
        "Engine": engine.name,
        "DBInstanceClass": wanted.machine,
        "AllocatedStorage": wanted.storage_gb,
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "MasterUsername": wanted.user,
        "ManageMasterUserPassword": True,
        "DBName": wanted.name,
        "Port": engine.port,
        "PubliclyAccessible": wanted.is_public,
        "BackupRetentionPeriod": wanted.backup_days,
        "DeletionProtection": wanted.is_protected,
        "CopyTagsToSnapshot": True,
        "Tags": [APP_TAG],
    }
    if version:
        asked["EngineVersion"] = version
    if wanted.security_groups:
        asked["VpcSecurityGroupIds"] = list(wanted.security_groups)
    if wanted.subnet_group:
        asked["DBSubnetGroupName"] = wanted.subnet_group
    return asked


def _newest(rds: Any, engine: DatabaseEngine) -> str:
    """The newest version of an engine's line; blank, which is AWS's own choice, if it has none."""
    try:
        found = [
            each["EngineVersion"]
            for page in rds.get_paginator("describe_db_engine_versions").paginate(
                Engine=engine.name
            )
            for each in page.get("DBEngineVersions", ())
        ]
    except Exception as error:
        if not is_lacking(rds, error):
            raise
        found = []
    fitting = [version for version in found if version.startswith(engine.line)]
    usual = engine.usual if is_stand_in(rds.meta.endpoint_url) else ""
    return max(fitting, key=_numbers, default=usual)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _taken(rds: Any, wanted: Wanted, engine: DatabaseEngine, told: Progress) -> Database:
    found = find_database(rds, wanted.identifier)
    if found is None:
        raise NotDone(f"AWS has a database {wanted.identifier}, but tells nothing of it")
    if found.engine != engine.name:
        raise NotDone(
            f"there is a database {wanted.identifier} already, of {found.engine}: choose another"
            " name"
        )
    told.did(f"There is a database {wanted.identifier} already; it is taken as it is")
    return found


def list_databases(clients: AwsClients) -> Iterator[Database]:
    """All of the account and region."""
    for page in clients.client("rds").get_paginator("describe_db_instances").paginate():
        for each in page["DBInstances"]:
            yield Database.of(each)


def find_database(rds: Any, identifier: str) -> Database | None:
    """One, by its name."""
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    except Exception as error:
        if not is_aws_failure(error) or classify(error).code not in _GONE:
            raise
        return None
    return Database.of(found[0]) if found else None


def get_database(clients: AwsClients, identifier: str) -> Database:
    """One, by its name. Raise NotDone if there is none."""
    found = find_database(clients.client("rds"), identifier)
    if found is None:
        raise NotDone(f"there is no database {identifier} in this account and region")
    return found


def wait_until_available(clients: AwsClients, identifier: str, told: Progress) -> Database:
    """Until it takes connections, which lasts some minutes.

    Raises:
        WaitFailed: it never will, or has not within half an hour.
    """
    rds = clients.client("rds")

    def look(response: dict[str, Any]) -> None:
        told.waits(f"{identifier} is {response['DBInstances'][0]['DBInstanceStatus']}")

    try:
        answer = wait(rds, "db_instance_available", look, DBInstanceIdentifier=identifier)
    except WaitFailed as error:
        states = error.response.get("DBInstances") or [{}]
        state = states[0].get("DBInstanceStatus", "away")
        raise WaitFailed(
            f"the database {identifier} is {state}, and not available. It costs while it is there;"
            f" look: thingtank cloud database show {identifier}",
            error.response,
        ) from error
    return Database.of(answer["DBInstances"][0])


def delete_database(clients: AwsClients, identifier: str, snapshot: str, told: Progress) -> None:
    """Delete one; its protection is switched off first, and on again if it is not deleted then.

    Args:
        snapshot: what its last copy is called; blank for none.

    Raises:
        NotDone: there is none.
        botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`.
    """
    rds = clients.client("rds")
    found = get_database(clients, identifier)
    if found.is_protected:
        rds.modify_db_instance(
            DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True
        )
        told.did("Switched its protection from deletion off")
    last = {"FinalDBSnapshotIdentifier": snapshot} if snapshot else {}
    try:
        rds.delete_db_instance(
            DBInstanceIdentifier=identifier, SkipFinalSnapshot=not snapshot, **last
        )
    except BaseException:
        if found.is_protected:
            _protect(rds, identifier, told)
        raise
    told.did(f"Deleting the database {identifier}")


def _protect(rds: Any, identifier: str, told: Progress) -> None:
    try:
        rds.modify_db_instance(
            DBInstanceIdentifier=identifier, DeletionProtection=True, ApplyImmediately=True
        )
    except Exception as error:
        if not is_aws_failure(error):
            raise
        told.did(f"{identifier} stays without protection from deletion: {classify(error)}")
    else:
        told.did("Switched its protection from deletion on again")


def wait_until_deleted(clients: AwsClients, identifier: str, told: Progress) -> None:
    """Until it is gone. Raise NotDone if it is not within half an hour."""
    rds = clients.client("rds")
    for _ in turns(rds, PAUSE_S, LOOKS_MAX):
        found = patiently(partial(find_database, rds, identifier), PAUSE_S, time.sleep)
        if found is None:
            return
        told.waits(f"{identifier} is {found.status}")
    raise NotDone(f"the database {identifier} is still there; AWS may yet delete it")


def database_url(clients: AwsClients, instance: Database, ca: str = "") -> str:
    """The URL for the setting `database`, with the password that Secrets Manager has.

    Args:
        ca: path of the certificates of RDS; blank to believe whoever answers.

    Raises:
        NotDone: RDS tells of no secret, or of no address yet.
        botocore.exceptions.BotoCoreError, ClientError: see `aws.failures.classify`.
    """
    if not instance.secret_arn:
        raise NotDone(f"AWS tells of no secret that has the password of {instance.identifier}")
    answer = clients.client("secretsmanager").get_secret_value(SecretId=instance.secret_arn)
    secret = json.loads(answer["SecretString"])
    return url_of(instance, str(secret["username"]), str(secret["password"]), ca)


def url_of(instance: Database, user: str, password: str, ca: str = "") -> str:
    """The URL for the setting `database`. Raise NotDone if there is no address yet."""
    if not instance.host:
        raise NotDone(f"the database {instance.identifier} has no address yet: wait for it")
    engine = next(each for each in ENGINES.values() if each.name == instance.engine)
    place = f"{instance.host}:{instance.port or engine.port}/{instance.name}"
    options = engine.ca_options.format(quote(ca)) if ca else engine.options
    return f"{engine.scheme}://{quote(user, '')}:{quote(password, '')}@{place}{options}"

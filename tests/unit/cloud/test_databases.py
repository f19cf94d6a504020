"""Databases of RDS as AWS tells of them, where stand-ins are ready at once and keep no secret."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from click.testing import CliRunner
from tests.stubbed_aws import Told

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cloud.databases import (
    Wanted,
    check_names,
    create_database,
    database_url,
    delete_database,
    find_database,
    url_of,
    wait_until_available,
    wait_until_deleted,
)
from thingtank.cloud.errors import NotDone
from thingtank.web.database.url import DatabaseSource, database_of

SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1"
GONE = "DBInstanceNotFound"


@pytest.fixture
def clients() -> Iterator[AwsClients]:
    made = AwsClients(AwsSettings(region="eu-central-1", endpoint_url="http://127.0.0.1:1"))
    yield made
    made.close()


@pytest.fixture
def rds(clients: AwsClients) -> Iterator[Stubber]:
    with Stubber(clients.client("rds")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def told_of(status: str, **more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": "tank", "DBInstanceStatus": status, "Engine": "mysql",
        "EngineVersion": "8.4.7", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20,
        "MasterUsername": "tank", "DBName": "tank", **more,
    }  # fmt: skip


READY = told_of(
    "available",
    Endpoint={"Address": "tank.abc.eu-central-1.rds.amazonaws.com", "Port": 3306},
    InstanceCreateTime=datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC),
    MasterUserSecret={"SecretArn": SECRET, "SecretStatus": "active"},
    StorageEncrypted=True, DeletionProtection=True,
)  # fmt: skip


def looks(rds: Stubber, *answers: dict[str, Any]) -> None:
    for answer in answers:
        rds.add_response(
            "describe_db_instances", {"DBInstances": [answer]}, {"DBInstanceIdentifier": "tank"}
        )


def test_what_is_asked_for_is_encrypted_private_protected_and_has_no_password(
    clients: AwsClients, rds: Stubber
) -> None:
    versions = [{"EngineVersion": each} for each in ("8.0.44", "8.4.10", "8.4.9", "9.7.0")]
    rds.add_response(
        "describe_db_engine_versions", {"DBEngineVersions": versions}, {"Engine": "mysql"}
    )
    rds.add_response(
        "create_db_instance",
        {"DBInstance": told_of("creating")},
        {
            "DBInstanceIdentifier": "tank", "Engine": "mysql", "EngineVersion": "8.4.10",
            "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20, "StorageType": "gp3",
            "StorageEncrypted": True, "MasterUsername": "tank", "ManageMasterUserPassword": True,
            "DBName": "tank", "Port": 3306, "PubliclyAccessible": False,
            "BackupRetentionPeriod": 7, "DeletionProtection": True, "CopyTagsToSnapshot": True,
            "Tags": ANY, "VpcSecurityGroupIds": ["sg-1"], "DBSubnetGroupName": "inside",
        },
    )  # fmt: skip
    wanted = Wanted(
        identifier="tank", engine="mysql", security_groups=["sg-1"], subnet_group="inside"
    )
    assert create_database(clients, wanted, Told()).status == "creating"


def test_one_that_is_there_is_taken_unless_it_is_of_another_engine(
    clients: AwsClients, rds: Stubber
) -> None:
    for _ in range(2):
        rds.add_client_error("create_db_instance", "DBInstanceAlreadyExists")
        looks(rds, READY)
    wanted = Wanted(identifier="tank", engine="mysql", version="8.4.7")
    assert create_database(clients, wanted, Told()).status == "available"
    with pytest.raises(NotDone, match="of mysql"):
        create_database(
            clients, Wanted(identifier="tank", engine="postgresql", version="17.2"), Told()
        )


def test_each_state_is_told_until_it_is_available(clients: AwsClients, rds: Stubber) -> None:
    looks(rds, told_of("creating"), told_of("backing-up"), READY)
    told = Told()
    found = wait_until_available(clients, "tank", told)
    assert (found.host, found.port, found.is_encrypted) == (
        "tank.abc.eu-central-1.rds.amazonaws.com", 3306, True,
    )  # fmt: skip
    assert told.waited == ["tank is creating", "tank is backing-up", "tank is available"]


@pytest.mark.parametrize("state", ["failed", "incompatible-parameters", "deleting"])
def test_one_that_never_will_be_available_ends_the_waiting(
    state: str, clients: AwsClients, rds: Stubber
) -> None:
    looks(rds, told_of("creating"), told_of(state))
    with pytest.raises(NotDone, match=f"tank is {state}.* costs"):
        wait_until_available(clients, "tank", Told())


def test_protection_goes_first_then_the_database_with_a_last_copy(
    clients: AwsClients, rds: Stubber
) -> None:
    looks(rds, READY)
    rds.add_response(
        "modify_db_instance", {},
        {"DBInstanceIdentifier": "tank", "DeletionProtection": False, "ApplyImmediately": True},
    )  # fmt: skip
    rds.add_response(
        "delete_db_instance", {},
        {"DBInstanceIdentifier": "tank", "SkipFinalSnapshot": False,
         "FinalDBSnapshotIdentifier": "tank-last"},
    )  # fmt: skip
    delete_database(clients, "tank", "tank-last", Told())
    looks(rds, told_of("deleting"))
    rds.add_client_error("describe_db_instances", GONE, http_status_code=404)
    wait_until_deleted(clients, "tank", Told())


@pytest.mark.parametrize(
    ("is_back", "said"),
    [
        (True, "Switched its protection from deletion on again"),
        (False, "tank stays without protection from deletion: "),
    ],
)
def test_one_that_is_not_deleted_is_protected_again(
    is_back: bool, said: str, clients: AwsClients, rds: Stubber
) -> None:
    looks(rds, READY)
    rds.add_response("modify_db_instance", {})
    rds.add_client_error("delete_db_instance", "DBSnapshotAlreadyExists", http_status_code=400)
    if is_back:
        rds.add_response(
            "modify_db_instance", {},
            {"DBInstanceIdentifier": "tank", "DeletionProtection": True, "ApplyImmediately": True},
        )  # fmt: skip
    else:
        rds.add_client_error("modify_db_instance", "AccessDenied", http_status_code=403)
    told = Told()
    with pytest.raises(ClientError, match="DBSnapshotAlreadyExists"):
        delete_database(clients, "tank", "tank-last", told)
    assert told.lines[-1].startswith(said)


def test_a_refusal_to_tell_versions_is_not_passed_over(clients: AwsClients, rds: Stubber) -> None:
    rds.add_client_error("describe_db_engine_versions", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        create_database(clients, Wanted(identifier="tank", engine="mysql"), Told())


def test_a_stand_in_that_knows_no_versions_chooses_one(clients: AwsClients, rds: Stubber) -> None:
    rds.add_client_error("describe_db_engine_versions", "NotImplemented", http_status_code=501)
    rds.add_response("create_db_instance", {"DBInstance": told_of("creating")})
    wanted = Wanted(identifier="tank", engine="mysql")
    assert create_database(clients, wanted, Told()).status == "creating"


def test_one_that_is_not_there_is_none(clients: AwsClients, rds: Stubber) -> None:
    rds.add_client_error("describe_db_instances", GONE, http_status_code=404)
    assert find_database(clients.client("rds"), "tank") is None
    rds.add_client_error("describe_db_instances", "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError):
        find_database(clients.client("rds"), "tank")


@pytest.mark.parametrize(
    "identifier", ["", "1tank", "tank-", "ta--nk", "ta_nk", "a" * 64, "tank\n"]
)
def test_names_that_rds_refuses_are_refused_before_it_is_asked(identifier: str) -> None:
    with pytest.raises(NotDone, match="cannot be the name"):
        check_names(Wanted(identifier=identifier, engine="mysql"))


@pytest.mark.parametrize("engine", ["mysql", "postgres"])
def test_the_url_is_one_that_the_tank_reads_whatever_the_password(
    engine: str, clients: AwsClients, rds: Stubber
) -> None:
    looks(rds, {**READY, "Engine": engine})
    found = find_database(clients.client("rds"), "tank")
    assert found is not None
    with Stubber(clients.client("secretsmanager")) as secrets:
        secrets.add_response(
            "get_secret_value",
            {"SecretString": '{"username": "tank", "password": "a@b:c/d?e#f%g!<>["}'},
            {"SecretId": SECRET},
        )
        url = database_url(clients, found)
    settings = database_of(DatabaseSource(url), Path()).settings
    assert (settings["USER"], settings["PASSWORD"]) == ("tank", "a@b:c/d?e#f%g!<>[")
    assert (settings["HOST"], settings["NAME"]) == (found.host, "tank")
    with_ca = url_of(found, "tank", "x", "/etc/rds bundle.pem")
    options = database_of(DatabaseSource(with_ca), Path()).settings["OPTIONS"]
    assert "/etc/rds bundle.pem" in options.values()


def test_without_a_secret_there_is_no_url(clients: AwsClients, rds: Stubber) -> None:
    looks(rds, told_of("available"))
    found = find_database(clients.client("rds"), "tank")
    assert found is not None
    with pytest.raises(NotDone, match="no secret"):
        database_url(clients, found)


def test_the_command_writes_the_url_for_this_user_only_and_prints_no_password(
    clients: AwsClients, rds: Stubber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thingtank.cli.main import main

    monkeypatch.setattr("thingtank.aws.clients.AwsClients", lambda *_: clients)
    monkeypatch.setattr(clients, "close", lambda: None)
    looks(rds, READY)
    file = tmp_path / "url"
    with Stubber(clients.client("secretsmanager")) as secrets:
        secrets.add_response(
            "get_secret_value", {"SecretString": '{"username": "tank", "password": "hidden"}'}
        )
        ran = CliRunner().invoke(
            main,
            ["cloud", "database", "show", "tank", "--url-file", str(file), "--data", str(tmp_path)],
        )
    assert ran.exit_code == 0, ran.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("mysql://tank:hidden@tank.abc.")
    assert "hidden" not in ran.output
    assert f'database = {{file = "{file}"}}' in ran.output

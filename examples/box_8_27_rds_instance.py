"""Box 8.27 in Python 3: launch an instance of RDS with MySQL, wait for it, and print what it is.

Uses boto3, today's SDK, where the book uses boto. Mended here: the state is asked for again in
each turn, where the book's loop never ends; it ends when the instance cannot be had any more; the
password does not stand in the program, AWS makes one and keeps it in its Secrets Manager; the disk
is encrypted; and MySQL is one of today.

    pip install boto3
    python box_8_27_rds_instance.py [--id MySQL-db-instance]

**It costs while it is there.** `thingtank cloud database delete ID` deletes it. To try it without
an account, run `thingtank cloud local` and set what it prints.
"""

import argparse
import sys
from time import monotonic, sleep

import boto3
from botocore.exceptions import BotoCoreError, ClientError

INSTANCE_TYPE = "db.t4g.micro"
USERNAME = "tank"
DB_PORT = 3306
DB_SIZE = 20  # GB, the least of today
DB_ENGINE = "mysql"
DB_NAME = "mytestdb"
WAIT_S_MAX = 30 * 60
NEVER = ("failed", "deleting", "deleted", "storage-full", "restore-error")


def launch(rds, identifier):
    """Ask for an instance; one of this name that is there already is taken."""
    try:
        rds.create_db_instance(
            DBInstanceIdentifier=identifier,
            AllocatedStorage=DB_SIZE,
            DBInstanceClass=INSTANCE_TYPE,
            Engine=DB_ENGINE,
            MasterUsername=USERNAME,
            ManageMasterUserPassword=True,
            DBName=DB_NAME,
            Port=DB_PORT,
            StorageEncrypted=True,
            PubliclyAccessible=False,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBInstanceAlreadyExists":
            raise
        print("There is one of this name already")


def wait_until_available(rds, identifier, pause_s):
    """Look again and again until it is available."""
    deadline = monotonic() + WAIT_S_MAX
    status = None
    while True:
        found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        if found["DBInstanceStatus"] != status:
            status = found["DBInstanceStatus"]
            print("Status:", status)
        if status == "available":
            return found
        if status in NEVER or status.startswith("incompatible-"):
            sys.exit(f"{identifier} is {status} and will not be available; delete it, as it costs")
        if monotonic() > deadline:
            sys.exit(f"{identifier} is still {status}; look again later")
        sleep(pause_s)


def main():
    """Launch one and print what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--id", default="MySQL-db-instance")
    parser.add_argument("--wait", type=float, default=10, help="seconds between two looks")
    words = parser.parse_args()
    try:
        print("Connecting to RDS")
        rds = boto3.client("rds")
        print("Creating an RDS instance")
        launch(rds, words.id)
        print("Waiting for instance to be up and running")
        db = wait_until_available(rds, words.id, words.wait)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"No instance: {error}")
    print("RDS Instance is now running. Instance details are:")
    print("Instance ID:", db["DBInstanceIdentifier"])
    print("Instance State:", db["DBInstanceStatus"])
    print("Create Time:", db["InstanceCreateTime"])
    print("Engine:", db["Engine"], db["EngineVersion"])
    print("Allocated Storage:", db["AllocatedStorage"], "GB")
    print("Endpoint:", db["Endpoint"]["Address"], db["Endpoint"]["Port"])
    print("Password is in:", db.get("MasterUserSecret", {}).get("SecretArn", "no secret"))


if __name__ == "__main__":
    main()

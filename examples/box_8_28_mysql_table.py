"""Box 8.28 in Python 3: make a table in MySQL (or MariaDB, on RDS or not), write and read it.

    MYSQL_PASSWORD=… python box_8_28_mysql_table.py --host mysql-db-instance-3.….rds.amazonaws.com

The book's program never commits, so that what it writes is gone when it ends; it has the password
in its source, and fails when it is run again, as the table is there. This one commits, takes the
password from the environment, and may be run again: a row that is there is replaced. Times and
values are columns of their kind rather than text, so that they can be compared and averaged.

On RDS use TLS: download Amazon's certificates and name the file by `--ca`.
"""

import argparse
import datetime
import os
import sys

import pymysql

CREATE = """
CREATE TABLE IF NOT EXISTS TemperatureData (
    Id INT PRIMARY KEY,
    Timestamp DATETIME NOT NULL,
    Data DECIMAL(6, 2) NOT NULL)
"""
# Values are handed over beside the statement, never within its text.
WRITE = """
INSERT INTO TemperatureData VALUES (%s, %s, %s)
ON DUPLICATE KEY UPDATE Timestamp = VALUES(Timestamp), Data = VALUES(Data)
"""
READINGS = [(1, 1393926310, "20"), (2, 1393926457, "25")]  # as in the book: id, seconds, °C


def main():
    """Connect; make the table; write two readings; read them back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--user", default="root")
    parser.add_argument("--database", default="mytestdb")
    parser.add_argument("--ca", help="certificates to believe; demands TLS")
    args = parser.parse_args()

    print("Connecting to", args.host)
    connection = pymysql.connect(
        host=args.host,
        port=args.port,
        user=args.user,
        password=os.environ.get("MYSQL_PASSWORD", ""),
        database=args.database,
        charset="utf8mb4",
        connect_timeout=10,
        ssl={"ca": args.ca} if args.ca else None,
    )
    with connection, connection.cursor() as cursor:
        print("Connected")
        cursor.execute("SELECT VERSION()")
        print("server version:", cursor.fetchone()[0])
        cursor.execute(CREATE)
        cursor.executemany(WRITE, [(number, utc(at_s), data) for number, at_s, data in READINGS])
        connection.commit()
        cursor.execute("SELECT Id, Timestamp, Data FROM TemperatureData ORDER BY Id")
        for number, at, data in cursor.fetchall():
            print(number, f"{at:%Y-%m-%d %H:%M:%S} UTC", data)
        cursor.execute("SELECT AVG(Data) FROM TemperatureData")
        print("average:", cursor.fetchone()[0])


def utc(at_s):
    """Seconds since the epoch as a time without a zone, in UTC."""
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC).replace(tzinfo=None)


if __name__ == "__main__":
    try:
        main()
    except pymysql.MySQLError as error:
        sys.exit(f"MySQL: {error.args[-1]}")

"""What is taken where nobody says it; only constants, so that the command line's help has them."""

AMAZON_LINUX = "amazon-linux"
MACHINE_TYPE = "t3.micro"
DISK_GIB = 16
PACKAGE = "thingtank[aws]"

DATABASE_MACHINE = "db.t4g.micro"
DATABASE_GB = 20

EMR_RELEASE = "emr-7.14.0"
EMR_INSTANCE_TYPE = "m5.xlarge"
EMR_INSTANCE_COUNT = 3

"""What a machine does at its first start: install Thing Tank, and start it as a service.

Source: AWS, EC2 user guide, "Run commands when you launch an EC2 instance".
"""

import shlex
from importlib import resources

from thingtank.cloud.defaults import PACKAGE

BYTES_MAX = 16 * 1024  # of user data, by EC2
SETTINGS = '[server]\nhost = "0.0.0.0"\n'

# The names by which browsers come change with each start, so they are asked for at each.
_OWN_NAMES = """\
#!/bin/sh
# The names and addresses of this machine, which browsers may ask for, from its metadata.
set -eu
rm -f /run/thingtank/own-names
grep -q allowed_hosts /var/lib/thingtank/thingtank.toml && exit  # names are given there
at=http://169.254.169.254/latest
token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $at/api/token)
names=
for name in public-hostname public-ipv4 local-hostname local-ipv4; do
  value=$(curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" $at/meta-data/$name) || continue
  [ -z "$value" ] || names="$names${names:+, }\\"$value\\""
done
mkdir -p /run/thingtank
printf "THINGTANK_WEB_ALLOWED_HOSTS='[%s]'\\n" "$names" > /run/thingtank/own-names
"""
_DROP_IN = """\
[Service]
EnvironmentFile=-/run/thingtank/own-names
ExecStartPre=-+/opt/thingtank/own-names
"""
_SCRIPT = """\
#!/bin/sh
# Install Thing Tank and start it; what this says is in /var/log/cloud-init-output.log.
set -eu
if command -v dnf > /dev/null; then
  for python in python3.13 python3.12 python3.11; do
    dnf install -y $python && break
  done
else
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install -y python3-venv curl
  python=python3
fi
id thingtank > /dev/null 2>&1 ||
  useradd --system --home-dir /var/lib/thingtank --shell /usr/sbin/nologin thingtank
$python -m venv /opt/thingtank
/opt/thingtank/bin/pip install --disable-pip-version-check {package}
install -d -m 0700 -o thingtank -g thingtank /var/lib/thingtank
{files}
chown thingtank:thingtank /var/lib/thingtank/thingtank.toml
chmod 0600 /var/lib/thingtank/thingtank.toml
chmod 0755 /opt/thingtank/own-names
systemctl daemon-reload
systemctl enable --now thingtank
"""


def user_data(package: str = PACKAGE, settings: str = SETTINGS) -> str:
    """The script.

    Args:
        package: what pip is to install; a name, a version (`thingtank[aws]==1.2`), a URL.
        settings: the text of `thingtank.toml`. It is no place for a secret: whoever may describe
            the machine can read it, and so can every program on it.

    Raises:
        ValueError: it would be longer than EC2 takes, or cannot be written so.
    """
    unit = resources.files("thingtank.cloud.instances").joinpath("thingtank.service").read_text()
    files = (
        ("/etc/systemd/system/thingtank.service", unit),
        ("/etc/systemd/system/thingtank.service.d/own-names.conf", _DROP_IN),
        ("/opt/thingtank/own-names", _OWN_NAMES),
        ("/var/lib/thingtank/thingtank.toml", settings),
    )
    script = _SCRIPT.format(
        package=shlex.quote(package),
        files="\n".join(_written(path, text) for path, text in files),
    )
    if len(script.encode()) > BYTES_MAX:
        raise ValueError(
            f"with these settings the user data has {len(script.encode())} bytes; EC2 takes"
            f" {BYTES_MAX}"
        )
    return script


def _written(path: str, text: str) -> str:
    """The lines of the script that write a file."""
    end = "END_OF_FILE"
    if end in text.splitlines():
        raise ValueError(f"a line of the settings is {end}, which ends their place in the script")
    lines = text if text.endswith("\n") else f"{text}\n"
    folder = path.rpartition("/")[0]
    return f"mkdir -p {folder}\ncat > {path} <<'{end}'\n{lines}{end}"

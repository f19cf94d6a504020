#!/bin/sh
# Make the virtual environment .venv hold exactly what a lock file names, and the project itself.
#
#   tools/setup.sh requirements.lock        what the server needs
#   tools/setup.sh requirements-dev.lock    that, and what the tests need: Debian packages, and
#                                           old clients from npm and PyPI beside the environment
#
# Does nothing when that was done already for the same lock file.
set -eu
cd "$(dirname "$0")/.."
lock=$1
python=${PYTHON:-python3}
stamp=.venv/.installed-$lock

say() { printf '%s\n' "$*" >&2; }

as_root_install() {
    # $@: Debian packages. Installs them as root, else says the command to run.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing Debian packages: $*"
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        say "Missing Debian packages. As root, run: apt-get install $*"
        return 1
    fi
}

install_node_clients() {
    # Clients from npm that the tests run, exactly as the lock file names them. What the old ones
    # would compile as they are installed no longer compiles; they do without.
    clients=tests/interop/node
    cmp -s $clients/package-lock.json $clients/node_modules/.installed-lock && return
    say "Installing npm packages from $clients/package-lock.json"
    (cd $clients && npm ci --ignore-scripts --silent --no-audit --no-fund) || return 1
    cp $clients/package-lock.json $clients/node_modules/.installed-lock
}

install_eeml_client() {
    # An XML client of 2013, in an environment of its own: it needs tools as old as itself.
    clients=tests/interop/eeml
    .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || return 0
    cmp -s $clients/requirements.txt .venv-eeml/.installed && return
    say "Installing Python packages from $clients/requirements.txt"
    .venv/bin/python -m venv --clear .venv-eeml || return 1
    install=".venv-eeml/bin/pip install --quiet --disable-pip-version-check --require-hashes"
    $install -r $clients/build.txt || return 1
    $install --no-deps --no-build-isolation -r $clients/requirements.txt || return 1
    cp $clients/requirements.txt .venv-eeml/.installed
}

install_socketio_clients() {
    # Two versions of one client, each in a folder of its own beside the environment.
    clients=tests/interop/skynet
    for version in 0.5 0.7; do
        folder=.venv-socketio/$version
        cmp -s $clients/socketio-client-$version.txt $folder/.installed && continue
        say "Installing Python packages from $clients/socketio-client-$version.txt"
        rm -rf "$folder"
        .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --no-build-isolation --target "$folder" -r $clients/socketio-client-$version.txt || return 1
        cp $clients/socketio-client-$version.txt "$folder/.installed"
    done
}

install_ministack() {
    # A stand-in for AWS, in an environment of its own: it holds botocore to one version.
    stand_in=tests/interop/aws/ministack.txt
    cmp -s $stand_in .venv-ministack/.installed && return
    say "Installing Python packages from $stand_in"
    .venv/bin/python -m venv --clear .venv-ministack || return 1
    .venv-ministack/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes \
        -r $stand_in || return 1
    cp $stand_in .venv-ministack/.installed
}

install_database_servers() {
    # PostgreSQL and MariaDB, of which the tests start servers of their own: what Debian would start
    # with them is not started, nor enabled.
    servers=
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || servers="$servers postgresql"
    PATH="$PATH:/usr/sbin" command -v mariadbd >/dev/null || servers="$servers mariadb-server"
    [ -n "$servers" ] || return 0
    policy=/usr/sbin/policy-rc.d
    if [ "$(id -u)" = 0 ] && ! [ -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy # says no to whoever wants to start a service
        chmod 755 $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    if [ "$(id -u)" = 0 ] && ! [ -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    # shellcheck disable=SC2086 # a list of words on purpose
    as_root_install $servers
}

install_debian_packages() {
    missing=
    # Chromium without its windows: the browser tests take half the time that they take with them.
    command -v chromium-headless-shell >/dev/null ||
        missing="$missing chromium-headless-shell fonts-dejavu-core"
    command -v curl >/dev/null || missing="$missing curl"
    command -v g++ >/dev/null || missing="$missing g++"
    command -v node >/dev/null || missing="$missing nodejs"
    command -v npm >/dev/null || missing="$missing npm"
    # Debian has mosquitto where only root's PATH goes.
    PATH="$PATH:/usr/sbin" command -v mosquitto >/dev/null || missing="$missing mosquitto"
    command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
    command -v redis-server >/dev/null || missing="$missing redis-server"
    command -v zbarimg >/dev/null || missing="$missing zbar-tools"
    command -v pdftoppm >/dev/null || missing="$missing poppler-utils"
    # shellcheck disable=SC2086 # a list of words on purpose
    [ -z "$missing" ] || as_root_install $missing
}

install_what_is_not_python() {
    install_database_servers || [ "${CI:-}" != true ] || return 1
    install_debian_packages || [ "${CI:-}" != true ] || return 1
    install_node_clients || [ "${CI:-}" != true ]
}

if ! [ -x .venv/bin/pip ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        say "Thing Tank needs Python 3.11 or newer; set PYTHON to one."
        exit 1
    }
    # Debian's python3 comes without the venv module's ensurepip.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || as_root_install python3-venv
    say "Making the virtual environment .venv"
    "$python" -m venv .venv
fi

if [ "$lock" = requirements-dev.lock ]; then
    install_what_is_not_python & # beside the Python packages, which take one core's time
    elsewhere=$!
fi

if ! cmp -s "$lock" "$stamp" || ! cmp -s pyproject.toml .venv/.installed-pyproject; then
    say "Installing Python packages from $lock"
    # Of what the tests need much is never imported: what is, Python compiles then.
    compile=--compile
    [ "$lock" = requirements.lock ] || compile=--no-compile
    .venv/bin/pip install --quiet --disable-pip-version-check $compile --require-hashes -r "$lock"
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    cp "$lock" "$stamp"
    cp pyproject.toml .venv/.installed-pyproject
fi

if [ "$lock" = requirements-dev.lock ]; then
    install_ministack || [ "${CI:-}" != true ]
    wait "$elsewhere"
    install_eeml_client || [ "${CI:-}" != true ]
    install_socketio_clients || [ "${CI:-}" != true ]
fi

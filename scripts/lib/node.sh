# shellcheck shell=bash
# What every node of the Swarm gets, manager and worker alike: the checks before, the name and CA of our registry, the
# firewall rules. Everything here may be repeated. Needs only docker, iptables, openssl and coreutils.
# Source lib/steps.sh first.

VIBE_ETC=/etc/vibeswarm
REGISTRY_URL=${REGISTRY_URL:-registry:5000}
VIBE_NODE_LIB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

# Ends the script when this machine cannot become a node. Changes nothing.
check_node_tools() {
  local tool
  ((EUID == 0)) || die 'this must be run as root: sudo it'
  for tool in docker iptables iptables-restore openssl; do
    command -v "$tool" >/dev/null || die "the program $tool is missing: apt-get install ${tool/iptables-restore/iptables}"
  done
  docker version -f '{{.Server.Version}}' >/dev/null 2>&1 ||
    die 'no Docker Engine answers on /var/run/docker.sock: start it (systemctl start docker)'
  [[ $(docker info -f '{{.LiveRestoreEnabled}}') != true ]] ||
    die 'the Engine has live-restore on, which Swarm refuses: remove "live-restore" from /etc/docker/daemon.json and restart docker'
  iptables -w -L INPUT -n >/dev/null 2>&1 || die 'iptables cannot read the firewall: load the kernel modules ip_tables or nf_tables'
}

# "inactive", "pending", "active", "error" or "locked".
swarm_state() { docker info -f '{{.Swarm.LocalNodeState}}'; }

# An Engine from 29 on may keep images in containerd, where a commit walks and compresses the whole tree while the
# session is frozen. Such an Engine is told to use overlay2; images it had before are not seen any more.
pin_overlay2() {
  local conf=/etc/docker/daemon.json pin='"features": {"containerd-snapshotter": false}'
  docker info -f '{{.DriverStatus}}' | grep -q 'io.containerd.snapshotter' || return 0
  mkdir -p /etc/docker
  if [[ ! -s $conf ]]; then
    printf '{\n  %s\n}\n' "$pin" >"$conf"
  elif grep -q '"features"' "$conf"; then
    die "the Engine keeps images in containerd: add \"containerd-snapshotter\": false to \"features\" in $conf and restart docker"
  else
    cp -p "$conf" "$conf.before-vibeswarm"
    sed -i "0,/{/s//{\n  $pin,/" "$conf"
  fi
  [[ -d /run/systemd/system ]] || die "$conf now pins overlay2: restart dockerd, then run this again"
  note "pinned overlay2 in $conf (images from before are not seen any more); restarting the Engine"
  systemctl restart docker || die "the Engine does not start with $conf: see journalctl -u docker"
  wait_until 60 docker version || die 'the Engine did not come back within 60 s: see journalctl -u docker'
}

# Makes the name of our registry known to this machine. The file is written in place: in a container it is a mount.
write_registry_host() {
  local address=$1 name=${REGISTRY_URL%%:*} known others
  known=$(awk -v name="$name" '!/^[[:space:]]*#/ { sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i == name) print $1 }' /etc/hosts | head -n1)
  [[ $known != "$address" ]] || return 0
  if [[ -n $known ]] && ! grep -qE "[[:space:]]${name}[[:space:]]+# vibeswarm\$" /etc/hosts; then
    die "/etc/hosts already says that $name is $known, and our registry is at $address: remove that line, or set REGISTRY_URL"
  fi
  others=$(grep -vE "[[:space:]]${name}[[:space:]]+# vibeswarm\$" /etc/hosts || true)
  printf '%s\n%s %s # vibeswarm\n' "$others" "$address" "$name" >/etc/hosts
  note "/etc/hosts: $name is $address"
}

# The Engine trusts our registry's CA; no restart is needed.
install_registry_ca() {
  local dir=/etc/docker/certs.d/$REGISTRY_URL
  mkdir -p "$dir"
  cmp -s "$1" "$dir/ca.crt" && return 0
  install -m 0644 "$1" "$dir/ca.crt"
  note "$dir/ca.crt: the CA of our registry"
}

# The firewall rules now, and after every boot where systemd runs.
install_firewall() {
  local manager=$1 allow=$2 unit=/etc/systemd/system/vibeswarm-firewall.service
  local range
  for range in ${allow//,/ }; do
    [[ $range =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$ || $range =~ ^[0-9a-fA-F:]*:[0-9a-fA-F:.]*/[0-9]{1,3}$ ]] ||
      die "SESSION_EGRESS_ALLOW has \"$range\", which is no network: write it like 10.1.2.0/24"
  done
  mkdir -p "$VIBE_ETC"
  chmod 0700 "$VIBE_ETC"
  install -m 0755 "$VIBE_NODE_LIB/node-firewall" "$VIBE_ETC/node-firewall"
  printf "MANAGER='%s'\nALLOW='%s'\n" "$manager" "$allow" >"$VIBE_ETC/node-firewall.conf"
  "$VIBE_ETC/node-firewall" || die 'the firewall rules could not be set: see the line above, and that iptables works'
  [[ -d /run/systemd/system ]] || { note "no systemd here: run $VIBE_ETC/node-firewall after every boot"; return 0; }
  cat >"$unit" <<UNIT
[Unit]
Description=Vibeswarm: keep session containers away from this node and from private networks
Wants=network-online.target
After=network-online.target
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$VIBE_ETC/node-firewall

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable --quiet vibeswarm-firewall.service
}

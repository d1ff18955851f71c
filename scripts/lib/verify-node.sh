# shellcheck shell=bash
# What must be true of the machine that swarm-verify runs on, manager or worker. Only looks.
# Source lib/steps.sh, lib/node.sh and lib/verify-report.sh first.

verify_engine() {
  local version api major minor
  version=$(docker version -f '{{.Server.Version}}')
  api=$(docker version -f '{{.Server.APIVersion}}')
  IFS=. read -r major minor _ <<<"$version"
  if ((major > 20 || (major == 20 && ${minor:-0} >= 10))); then ok "the Engine is $version (API $api)"
  else wrong "the Engine is $version" 'upgrade it to 20.10 or newer'; fi
  IFS=. read -r major minor _ <<<"$api"
  ((minor >= 44)) || said "API $api takes no NoNewPrivileges from a service (1.44 would): the session's launcher sets it by itself"
  if docker info -f '{{.DriverStatus}}' | grep 'io.containerd.snapshotter' >/dev/null; then
    wrong 'images are kept in containerd, where a commit compresses while the session is frozen' \
      "put \"features\": {\"containerd-snapshotter\": false} into /etc/docker/daemon.json and restart the Engine"
  else
    check 'images are kept in overlay2' "the storage driver is $(docker info -f '{{.Driver}}')" \
      'put "storage-driver": "overlay2" into /etc/docker/daemon.json and restart the Engine' \
      test "$(docker info -f '{{.Driver}}')" = overlay2
  fi
  check 'live-restore is off' 'the Engine has live-restore, which Swarm refuses' \
    'take "live-restore" out of /etc/docker/daemon.json and restart the Engine' test "$(docker info -f '{{.LiveRestoreEnabled}}')" != true
}

verify_disk() {
  local root used
  root=$(docker info -f '{{.DockerRootDir}}')
  used=$(df -P "$root" | awk 'NR == 2 { sub("%", "", $5); print $5 }')
  check "$root has room ($used % used)" "$root is $used % full: hibernations are refused when it is full" \
    "make room on that disk, or give $root a larger one" test "$used" -lt 80
}

# Prints the address that /etc/hosts gives a name.
address_in_hosts() {
  awk -v name="$1" '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i == name) { print $1; exit } }' /etc/hosts
}

verify_registry_name() {
  local name=${REGISTRY_URL%%:*} address manager ca=/etc/docker/certs.d/$REGISTRY_URL/ca.crt again=$1
  address=$(address_in_hosts "$name")
  manager=$(sed -n "s/^MANAGER='\(.*\)'/\1/p" "$VIBE_ETC/node-firewall.conf" 2>/dev/null || true)
  if [[ -z $address ]]; then wrong "/etc/hosts does not know $name" "run $again again"
  elif [[ -n $manager && $address != "$manager" ]]; then wrong "/etc/hosts says $name is $address, and the manager is $manager" "run $again again"
  else ok "/etc/hosts: $name is $address"; fi
  if [[ ! -s $ca ]]; then wrong "$ca is missing: the Engine does not trust our registry" "run $again again"
  elif ! openssl x509 -in "$ca" -noout -checkend 2592000 >/dev/null; then
    wrong "our registry's CA ends within 30 days" "on the manager: remove $VIBE_ETC/registry-ca.*, run scripts/down --keep-data and scripts/up; then swarm-join on every worker"
  else ok "the Engine trusts our registry's CA"; fi
}

# How the Engine of this machine finds the registry: name, TLS and login in one call, as a pull would.
# ask_registry USER PASSWORD → the Engine's answer
ask_registry() {
  local config answer status=0
  config=$(mktemp -d "${TMPDIR:-/tmp}/vibe-login.XXXXXX")
  answer=$(printf '%s' "$2" | DOCKER_CONFIG=$config timeout 15 docker login --username "$1" --password-stdin "$REGISTRY_URL" 2>&1) || status=$?
  rm -rf "$config"
  printf '%s' "$answer" | tail -n1
  return "$status"
}

verify_registry_answers() {
  local answer password again=$1
  if [[ $(docker info -f '{{.Swarm.ControlAvailable}}') == true ]] && ! docker service inspect vibe-state_registry >/dev/null 2>&1; then
    said 'the registry is not deployed yet'
    return 0
  fi
  answer=$(ask_registry nobody wrong-on-purpose) && {
    wrong 'the registry lets anybody in' "run $again again, then deploy stacks/state.yml again"
    return 0
  }
  case $answer in
    *unauthorized* | *'authentication required'* | *401*) ok "the registry answers over TLS, and refuses a wrong login" ;;
    *x509*) wrong "the registry's certificate is not the one this Engine trusts ($answer)" "run $again again"; return 0 ;;
    *)
      wrong "the Engine does not reach $REGISTRY_URL ($answer)" "see that vibe-state_registry runs, and that 5000/tcp is open between this machine and the manager"
      return 0
      ;;
  esac
  [[ -r $VIBE_ETC/registry-login ]] || return 0
  password=$(sed -n 's/.*"password":"\([^"]*\)".*/\1/p' "$VIBE_ETC/registry-login")
  if answer=$(ask_registry vibe "$password"); then ok 'the registry takes our login'
  else wrong "the registry refuses our login ($answer)" 'run swarm-init again, then deploy stacks/state.yml again'; fi
}

# The chains must be called, for every packet of a container, and end in a drop.
firewall_stands() {
  iptables -w -C INPUT -i docker_gwbridge -j VIBE-NODE && iptables -w -C DOCKER-USER -i docker_gwbridge -j VIBE-PRIVATE &&
    iptables -w -C VIBE-NODE -j DROP && iptables -w -C VIBE-PRIVATE -d 169.254.0.0/16 -j DROP && iptables -w -C VIBE-PRIVATE -d 10.0.0.0/8 -j DROP
}

verify_firewall() {
  check 'the firewall keeps sessions away from this node and from private networks' \
    'the firewall rules that keep sessions away from this node are not in place' "run $VIBE_ETC/node-firewall (and after every boot where no systemd runs)" \
    firewall_stands
  ! command -v systemctl >/dev/null || [[ ! -d /run/systemd/system ]] ||
    check 'the firewall rules come back after a boot' 'the firewall rules will not come back after a boot' "run $1 again" \
      systemctl is-enabled vibeswarm-firewall.service
}

# verify_this_node SCRIPT   (the script that prepares such a node: swarm-init or swarm-join)
verify_this_node() {
  verify_engine
  verify_disk
  verify_registry_name "$1"
  verify_registry_answers "$1"
  verify_firewall "$1"
}

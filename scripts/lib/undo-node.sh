# shellcheck shell=bash
# Takes away what swarm-init or swarm-join left on a machine. Every function may be repeated, and says what it removed.
# Source lib/steps.sh and lib/node.sh first.

# Removes a rule as often as it is there.
drop_rule() {
  local command=$1
  shift
  while "$command" -w -D "$@" 2>/dev/null; do :; done
}

remove_firewall() {
  local chain
  if [[ -e /etc/systemd/system/vibeswarm-firewall.service ]]; then
    systemctl disable --quiet vibeswarm-firewall.service 2>/dev/null || true
    rm -f /etc/systemd/system/vibeswarm-firewall.service
    systemctl daemon-reload 2>/dev/null || true
    note 'removed the unit vibeswarm-firewall.service'
  fi
  command -v iptables >/dev/null || return 0
  if iptables -w -S VIBE-NODE >/dev/null 2>&1 || iptables -w -S VIBE-PRIVATE >/dev/null 2>&1; then
    note 'removed the firewall chains VIBE-NODE and VIBE-PRIVATE'
  fi
  drop_rule iptables INPUT -i docker_gwbridge -j VIBE-NODE
  drop_rule iptables DOCKER-USER -i docker_gwbridge -j VIBE-PRIVATE
  drop_rule ip6tables INPUT -i docker_gwbridge -m conntrack --ctstate NEW -j DROP
  for chain in VIBE-NODE VIBE-PRIVATE; do
    iptables -w -F "$chain" 2>/dev/null && iptables -w -X "$chain" 2>/dev/null
  done
  return 0
}

remove_registry_trust() {
  local others name=${REGISTRY_URL%%:*}
  if grep -qE "[[:space:]]${name}[[:space:]]+# vibeswarm\$" /etc/hosts; then
    others=$(grep -vE "[[:space:]]${name}[[:space:]]+# vibeswarm\$" /etc/hosts || true)
    printf '%s\n' "$others" >/etc/hosts
    note "removed $name from /etc/hosts"
  fi
  if [[ -d /etc/docker/certs.d/$REGISTRY_URL ]]; then
    rm -rf "/etc/docker/certs.d/$REGISTRY_URL"
    rmdir /etc/docker/certs.d 2>/dev/null || true
    note "removed /etc/docker/certs.d/$REGISTRY_URL"
  fi
  if grep -qF "\"$REGISTRY_URL\"" "${DOCKER_CONFIG:-$HOME/.docker}/config.json" 2>/dev/null; then
    docker logout "$REGISTRY_URL" >/dev/null 2>&1 && note "removed the docker client's login for $REGISTRY_URL"
  fi
  return 0
}

# The settings file is the person's own, and stays.
remove_etc() {
  local file removed=''
  for file in "$VIBE_ETC"/* "$VIBE_ETC"/.[!.]*; do
    [[ -e $file && $file != "$VIBE_ETC/settings.env" ]] || continue
    rm -rf "$file"
    removed=yes
  done
  rmdir "$VIBE_ETC" 2>/dev/null || true
  [[ -z $removed ]] || note "removed what was in $VIBE_ETC"
  [[ ! -e $VIBE_ETC/settings.env ]] || note "kept $VIBE_ETC/settings.env: it is yours"
}

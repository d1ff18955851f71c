# shellcheck shell=bash
# The Swarm on the lab's nodes, made by the same scripts as on servers. Source lib/lab-nodes.sh, lib/images.sh and
# lib/service-images.sh first.

# Settings of the stacks that would break a lab when they leak in from the caller's environment.
LAB_OWN_SETTINGS=' REDIS_URL REGISTRY_URL OVERLAY_NETWORK VIBE_PUBLIC_HOST BASE_IMAGE VIBE_VERSION '

manager_docker() { in_node manager docker "$@"; }

make_manager() {
  in_node manager env VIBE_STEPS_DEPTH=1 "SESSION_EGRESS_ALLOW=${SESSION_EGRESS_ALLOW:-}" \
    "$LAB_HOME/scripts/swarm-init" --advertise-addr "$(node_address manager)"
}

# A node that was made anew leaves its old self in the Swarm's list: taken out of it.
forget_dead_node() {
  local id
  for id in $(manager_docker node ls --filter "name=$1" --format '{{.ID}} {{.Hostname}} {{.Status}}' |
    awk -v name="$1" '$2 == name && $3 == "Down" { print $1 }'); do
    manager_docker node rm --force "$id" >/dev/null
  done
}

make_worker() {
  local node=$1
  in_node manager cat /etc/vibeswarm/join | in_node "$node" sh -c 'umask 077; cat >/root/join'
  in_node "$node" "$LAB_HOME/scripts/swarm-join" /root/join --advertise-addr "$(node_address "$node")"
  forget_dead_node "$node"
}

is_ready_node() {
  manager_docker node ls --filter "name=$1" --format '{{.Hostname}} {{.Status}}' | grep -qx "$1 Ready"
}

# The lab's settings for the stacks as docker-exec options: its own defaults, then what the caller's environment names.
lab_settings() {
  local name
  local AUTH_MODE=${AUTH_MODE:-dev} HEALTH_INTERVAL_S=${HEALTH_INTERVAL_S:-2}
  # Tests move the clock by days: no collection of the registry may begin in the middle of them.
  local SESSION_MEMORY_RESERVED_MIB=${SESSION_MEMORY_RESERVED_MIB:-8} REGISTRY_COLLECT_HOURS=${REGISTRY_COLLECT_HOURS:-0}
  printf '%s\n' -e "VIBE_PUBLIC_HOST=localhost:$(lab_port)"
  for name in $("$VIBE_ROOT/scripts/stacks" names) VIBE_TLS VIBE_STACKS_LIMIT_S; do
    [[ $LAB_OWN_SETTINGS != *" $name "* && -n ${!name+set} ]] || continue
    printf '%s\n' -e "$name=${!name}"
  done
}

# Deploys stacks with the lab's settings: lab_deploy state edge …
lab_deploy() {
  local settings
  mapfile -t settings < <(lab_settings)
  docker exec -i -e VIBE_STEPS_DEPTH=1 "${settings[@]}" "$(lab_node manager)" "$LAB_HOME/scripts/stacks" deploy "$@"
}

# Brings upstream images into the manager's Engine, those that it lacks in one stream.
load_upstream_images() {
  local image id missing=() here
  here=$(manager_docker image ls -q --no-trunc)
  for image in "$@"; do
    id=$(docker image inspect -f '{{.Id}}' "$image")
    grep -qx "$id" <<<"$here" || missing+=("$image")
  done
  ((${#missing[@]})) || return 0
  docker save "${missing[@]}" | manager_docker load -q >/dev/null
}

log_in_to_registry() {
  in_node manager bash -c "cd $LAB_HOME/scripts; . lib/steps.sh; . lib/node.sh; . lib/cluster.sh; login_to_registry 30" ||
    die "the lab's registry does not answer: see \"scripts/lab exec manager docker service logs vibe-state_registry\""
}

# Builds and pushes our images on the manager, and leaves their digests where `stacks deploy` finds them.
# publish_our_images [NAME …]   services' names, `terminal` among them
publish_our_images() {
  local name services=()
  for name in "$@"; do
    if [[ $name == terminal ]]; then
      quietly 'building vibe-terminal' build_terminal_image || return 1
      carry_image "$(service_image terminal)" >/dev/null
    else
      services+=("$name")
    fi
  done
  each_at_once 'building' build_service_image "${services[@]}" && push_images "$@" || return 1
  image_settings terminal "${VIBE_SERVICES[@]}" | in_node manager sh -c 'cat >/etc/vibeswarm/images.env'
}

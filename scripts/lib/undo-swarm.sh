# shellcheck shell=bash
# Takes Vibeswarm out of the Swarm that this machine manages: only what carries our names or labels. Every function may
# be repeated, and says what it removed. Source lib/steps.sh first.

# Counts lines of stdin that are not empty.
count() { grep -c . || true; }

remove_stacks() {
  local stack stacks=()
  # Hands and clock first, so that nobody starts anew what is taken away; the registry and Redis last.
  for stack in vibe-control vibe-edge vibe-state; do
    [[ -z $(docker service ls -q --filter "label=com.docker.stack.namespace=$stack") ]] || stacks+=("$stack")
  done
  for stack in "${stacks[@]}"; do
    docker stack rm "$stack" >/dev/null 2>&1 || true
    note "removed the stack $stack"
  done
}

remove_sessions() {
  local ids secrets
  ids=$(docker service ls -q --filter label=vibe.session)
  if [[ -n $ids ]]; then
    # shellcheck disable=SC2086  # a list of ids
    docker service rm $ids >/dev/null 2>&1 || true
    note "removed $(count <<<"$ids") services of sessions"
  fi
  secrets=$(docker secret ls --format '{{.Name}}' | grep -E '^ttyd-[a-z0-9]{26}-g[0-9]+$' || true)
  [[ -z $secrets ]] || { xargs -r docker secret rm >/dev/null 2>&1 <<<"$secrets" || true; note "removed $(count <<<"$secrets") secrets of sessions"; }
}

our_containers_are_gone() {
  [[ -z $(docker ps -aq --filter label=com.docker.stack.namespace=vibe-control --filter status=running) &&
    -z $(docker ps -aq --filter label=com.docker.stack.namespace=vibe-edge) &&
    -z $(docker ps -aq --filter label=com.docker.stack.namespace=vibe-state) &&
    -z $(docker ps -aq --filter label=vibe.session) ]]
}

# Ended containers of our services keep their disk, and their volumes, until they are removed.
remove_containers() {
  local filter ids
  wait_until 75 our_containers_are_gone || true
  for filter in com.docker.stack.namespace=vibe-control com.docker.stack.namespace=vibe-edge com.docker.stack.namespace=vibe-state vibe.session; do
    ids=$(docker ps -aq --filter "label=$filter")
    [[ -z $ids ]] || { xargs -r docker rm -f >/dev/null 2>&1 <<<"$ids" || true; note "removed $(count <<<"$ids") containers ($filter)"; }
  done
}

# remove_labelled secret|config
remove_labelled() {
  local names
  names=$(docker "$1" ls --filter label=vibe.swarm=1 --format '{{.Name}}')
  [[ -z $names ]] || { xargs -r docker "$1" rm >/dev/null 2>&1 <<<"$names" || true; note "removed the ${1}s $(tr '\n' ' ' <<<"$names")"; }
}

network_is_gone() { ! docker network inspect "$1" >/dev/null 2>&1; }

remove_network() {
  docker network rm "$1" >/dev/null 2>&1 || true
  network_is_gone "$1"
}

# A network can be removed a moment after its last container went.
remove_networks() {
  local name
  for name in $({ docker network ls --filter label=vibe.swarm=1 --format '{{.Name}}'; docker network ls --filter name='^vibe-docker$' --format '{{.Name}}'; } | sort -u); do
    if wait_until 30 remove_network "$name"; then note "removed the network $name"
    else warn "the network $name is still in use: remove it with \"docker network rm $name\" when nothing needs it"; fi
  done
}

remove_node_labels() {
  local id
  for id in $(docker node ls -q --filter node.label=vibe.state); do
    docker node update --label-rm vibe.state "$id" >/dev/null 2>&1 || true
  done
}

# shellcheck shell=bash
# The machines of the lab: node containers, their network and disks. Everything carries the label vibe.lab=1 and the
# lab's name, and nothing else is ever touched. Source lib/steps.sh first.
#
# VIBE_LAB names the lab (default "lab"): another name makes another lab beside it.

VIBE_LAB=${VIBE_LAB:-lab}
LAB_PREFIX=vibe-$VIBE_LAB
LAB_IMAGE=vibe-lab-node:latest
LAB_LABELS=(--label vibe.lab=1 --label "vibe.lab.name=$VIBE_LAB")
LAB_HOME=/opt/vibeswarm

lab_node() { printf '%s-%s' "$LAB_PREFIX" "$1"; }

# Runs a command in a node, with this script's standard input: in_node manager docker info
in_node() {
  local node=$1
  shift
  docker exec -i "$(lab_node "$node")" "$@"
}

# The names of this lab's nodes that exist, in order: manager worker1 worker2 …
lab_nodes() {
  docker ps -a --filter "label=vibe.lab.name=$VIBE_LAB" --format '{{.Names}}' |
    sed -n "s/^$LAB_PREFIX-\(manager\|worker[0-9]*\)$/\1/p" | sort -V
}

is_node_running() { [[ $(docker inspect -f '{{.State.Running}}' "$(lab_node "$1")" 2>/dev/null) == true ]]; }

# What a node is made from: when it differs, the lab is made anew.
lab_spec() {
  printf '%s %s' "$(docker image inspect -f '{{.Id}}' "$LAB_IMAGE")" 2 | sha256sum | cut -c1-12
}

# The first three numbers of the lab's own network, empty when there is none.
lab_subnet() {
  docker network inspect -f '{{range .IPAM.Config}}{{.Subnet}}{{end}}' "$LAB_PREFIX" 2>/dev/null | sed -n 's|\.0/24$||p'
}

# Makes the lab's network on the first range that nothing on this machine uses.
ensure_lab_network() {
  local i
  [[ -z $(lab_subnet) ]] || return 0
  for i in {77..97}; do
    docker network create --subnet "10.$i.0.0/24" "${LAB_LABELS[@]}" "$LAB_PREFIX" >/dev/null 2>&1 && return 0
  done
  die "no network from 10.77.0.0/24 to 10.97.0.0/24 is free for the lab: remove one (docker network ls)"
}

node_address() {
  if [[ $1 == manager ]]; then printf '%s.2' "$(lab_subnet)"; else printf '%s.%d' "$(lab_subnet)" $((${1#worker} + 2)); fi
}

is_port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The loopback port that leads to the manager's 443; chosen once, when the manager is made. LAB_PORT asks for one.
choose_port() {
  local port
  if [[ -n ${LAB_PORT:-} ]]; then
    is_port_free "$LAB_PORT" || die "port $LAB_PORT on this machine is taken: set LAB_PORT to a free one, or unset it"
    printf '%s' "$LAB_PORT"
    return 0
  fi
  for port in {8443..8543}; do
    is_port_free "$port" && printf '%s' "$port" && return 0
  done
  die 'no port from 8443 to 8543 is free on this machine: set LAB_PORT to a free one'
}

lab_port() { docker port "$(lab_node manager)" 443/tcp 2>/dev/null | sed -n 's/^127\.0\.0\.1://p' | head -n1 || true; }

# Takes away one node with its disk. Fine when half of it, or nothing, is there.
remove_node() {
  docker rm -f "$(lab_node "$1")" >/dev/null 2>&1 || true
  docker volume rm -f "$(lab_node "$1")" >/dev/null 2>&1 || true
}

# ensure_node NODE SEED: starts a node container that was made before, or makes it, its disk filled from the seed where
# there is one. A disk without its node is of an earlier lab: removed.
# Capabilities: all that this machine can give; a node cannot be --privileged where the machine itself lacks one.
ensure_node() {
  local node=$1 name options=()
  name=$(lab_node "$node")
  if docker inspect "$name" >/dev/null 2>&1; then
    is_node_running "$node" || { docker start "$name" >/dev/null && note "started $node, which had been stopped"; }
    return 0
  fi
  docker volume rm -f "$name" >/dev/null 2>&1 || true
  docker volume create "${LAB_LABELS[@]}" "$name" >/dev/null
  plant_seed "$node" "$2"
  [[ $node != manager ]] || options=(--publish "127.0.0.1:$(choose_port):443")
  docker run -d --name "$name" --hostname "$node" "${LAB_LABELS[@]}" --label "vibe.lab.spec=$(lab_spec)" \
    --network "$LAB_PREFIX" --ip "$(node_address "$node")" --add-host "registry:$(node_address manager)" \
    --cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
    --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm' --cgroupns host \
    -v /sys/fs/cgroup:/sys/fs/cgroup:rw -v /dev:/dev -v "$name:/var/lib/docker" \
    --stop-timeout 20 --log-opt max-size=20m "${options[@]}" "$LAB_IMAGE" >/dev/null
}

node_engine_answers() { in_node "$1" engine status; }

# Waits until a node's Engine answers; asks it to start when it had been killed.
await_engine() {
  wait_until 5 node_engine_answers "$1" && return 0
  in_node "$1" engine start >/dev/null 2>&1 || true
  wait_until 60 node_engine_answers "$1" ||
    die "the Engine of $1 does not answer: see \"docker logs $(lab_node "$1")\", or make the lab anew with \"scripts/lab down\""
}

# Lays the scripts and stacks of this checkout into a node, as one would copy them to a server.
copy_scripts_to() {
  in_node "$1" sh -c "rm -rf $LAB_HOME && mkdir -p $LAB_HOME && tar -x -C $LAB_HOME"  < <(tar -C "$VIBE_ROOT" -c --exclude=scripts/images scripts stacks)
}

# Takes away what does not fit the lab that is asked for, and says so: nodes of another make, workers without their
# manager, surplus workers. Prints nothing when all fits.
clean_lab_leftovers() {
  local workers=$1 node spec anew=no
  spec=$(lab_spec)
  for node in $(lab_nodes); do
    [[ $(docker inspect -f '{{index .Config.Labels "vibe.lab.spec"}}' "$(lab_node "$node")") == "$spec" ]] || anew=yes
  done
  if [[ -n $(lab_nodes) ]] && ! docker inspect "$(lab_node manager)" >/dev/null 2>&1; then anew=yes; fi
  for node in $(lab_nodes); do
    if [[ $anew == yes ]]; then
      note "removed $node, left by another lab"
    elif [[ $node == worker* ]] && ((${node#worker} > workers)); then
      note "removed $node: this lab has $workers workers"
    else
      continue
    fi
    remove_node "$node"
  done
}

# Takes the whole lab away. Prints what was removed.
remove_lab() {
  local node name
  for node in $(lab_nodes); do
    remove_node "$node" &
    note "removed $node"
  done
  wait
  for name in $(docker volume ls -q --filter "label=vibe.lab.name=$VIBE_LAB"); do
    docker volume rm -f "$name" >/dev/null && note "removed the disk $name"
  done
  for name in $(docker network ls -q --filter "label=vibe.lab.name=$VIBE_LAB"); do
    docker network rm "$name" >/dev/null && note 'removed the network'
  done
  # The Engines of the nodes made their control groups on this machine; empty ones are taken away, deepest first.
  find /sys/fs/cgroup -depth -path '*/vibe-lab-nodes*' -type d -exec rmdir {} + 2>/dev/null || true
}

# shellcheck shell=bash
# The part of the preflight that asks the Engine, where one answers: its version and image store, the Swarm it is in, and
# whether an installation of ours is here. Only looks. Source lib/preflight.sh first.

# Whether an Engine answered at the beginning of the preflight: a hung one is asked once, not twenty times.
VIBE_ENGINE_SEEN=''

sees_engine() { [[ -n $VIBE_ENGINE_SEEN ]]; }

# A field of `docker info`, or nothing.
asked() { ! sees_engine || engine_info "$1"; }

look_for_engine() {
  local living
  VIBE_ENGINE_SEEN=''
  if engine_answers; then VIBE_ENGINE_SEEN=yes; return 0; fi
  living=$(own_pids_of dockerd | tr '\n' ' ')
  # One that is only just starting gets its time.
  if [[ -n $living ]] && wait_until 30 engine_answers; then VIBE_ENGINE_SEEN=yes; return 0; fi
  [[ -z $living ]] || problem "a dockerd runs (pid ${living% }) and does not answer: look at its log and restart it"
}

# 0 when this machine already has an installation of ours.
is_installed() {
  sees_engine && [[ $(asked '{{.Swarm.ControlAvailable}}') == true ]] &&
    docker service inspect vibe-edge_traefik >/dev/null 2>&1
}

# 0 when this machine's Swarm was made, or taken over, by swarm-init.
is_our_swarm() {
  local id
  id=$(asked '{{.Swarm.Cluster.ID}}')
  [[ -n $id ]] || return 1
  [[ $(cat /etc/vibeswarm/cluster 2>/dev/null) == "$id" || (-e /etc/vibeswarm/made-swarm && ! -s /etc/vibeswarm/made-swarm) ]]
}

check_swarm_membership() {
  sees_engine || return 0
  case "$(asked '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')" in
    inactive*) ;;
    'active true')
      is_our_swarm || [[ ${VIBE_ADOPT:-no} == yes ]] ||
        problem 'this machine manages a Swarm that is not ours: use another machine, or install into this Swarm with --adopt (its heartbeat and task history are then changed)'
      ;;
    'active false') problem 'this machine is a worker of another Swarm: run this on a manager, or take the machine out with "docker swarm leave" first' ;;
    locked*) problem "this machine's Swarm is locked: unlock it with \"docker swarm unlock\"" ;;
    *) problem "this machine's Swarm is in the state \"$(asked '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}')\": mend it, or leave it with \"docker swarm leave --force\"" ;;
  esac
}

# Another image store is changed for the right one where nothing is in it; where something is, that is its owner's decision.
check_image_store() {
  local is cure
  is="$(asked '{{.Driver}}') $(asked '{{.DriverStatus}}')"
  cure='put "storage-driver": "overlay2", "features": {"containerd-snapshotter": false} into /etc/docker/daemon.json and restart the Engine (its present images and containers are then out of sight)'
  case $is in
    *io.containerd.snapshotter*)
      [[ -z $(docker ps -aq) && -z $(docker image ls -q) ]] || problem "the Engine keeps its images in containerd, where a commit compresses while a session is frozen: $cure"
      ;;
    overlay2\ *) ;;
    *) problem "the Engine's storage driver is ${is%% *}: $cure" ;;
  esac
}

check_engine() {
  if [[ -n ${DOCKER_HOST:-} && $DOCKER_HOST != unix:///var/run/docker.sock ]]; then
    problem "DOCKER_HOST=$DOCKER_HOST points to another Engine: unset it (this installs on the machine it runs on)"
  fi
  sees_engine || return 0
  local version major minor
  version=$(asked '{{.ServerVersion}}')
  IFS=. read -r major minor _ <<<"$version"
  ((major > 20 || (major == 20 && ${minor:-0} >= 10))) || problem "the Engine is $version: upgrade it to 20.10 or newer"
  [[ $(asked '{{.LiveRestoreEnabled}}') == false ]] ||
    problem 'the Engine has live-restore, which Swarm refuses: take "live-restore" out of /etc/docker/daemon.json and restart the Engine'
  check_image_store
  [[ $(asked '{{.SecurityOptions}}') != *rootless* ]] || problem 'the Engine is rootless, and Swarm networks need a root one: install the ordinary Docker Engine'
}

# shellcheck shell=bash
# What must be true of the Swarm as a whole, seen from a manager. Only looks.
# Source lib/steps.sh and lib/verify-report.sh first.

VIBE_STACK_SERVICES=(vibe-state_redis vibe-state_registry vibe-edge_traefik vibe-edge_gateway vibe-edge_docker-view
  vibe-control_session-api vibe-control_hibernator-worker vibe-control_reaper)

verify_cluster_settings() {
  local beat history
  beat=$(docker info -f '{{json .Swarm.Cluster.Spec.Dispatcher.HeartbeatPeriod}}')
  history=$(docker info -f '{{json .Swarm.Cluster.Spec.Orchestration.TaskHistoryRetentionLimit}}')
  check 'a worker may be silent for three heartbeats of 60 s' "the heartbeat is $((beat / 1000000000)) s: a short cut ends a worker's sessions" \
    'docker swarm update --dispatcher-heartbeat 60s' test "$beat" = 60000000000
  check 'a service keeps five ended tasks' "a service keeps $history ended tasks, and each keeps its disk" \
    'docker swarm update --task-history-limit 5' test "$history" = 5
  check 'one node holds the state (label vibe.state)' 'not exactly one node has the label vibe.state=true' \
    'docker node update --label-add vibe.state=true NODE for the manager that has the volumes, --label-rm vibe.state for others' \
    test "$(docker node ls -q --filter node.label=vibe.state=true | wc -l)" = 1
}

# verify_network NAME SUBNET ATTACHABLE
verify_network() {
  local name=$1 subnet=$2 attachable=$3 is
  is=$(docker network inspect -f '{{.Driver}} {{range .IPAM.Config}}{{.Subnet}}{{end}} {{.Attachable}} {{index .Options "encrypted"}}' "$name" 2>/dev/null || true)
  case $is in
    "overlay $subnet $attachable ") ok "network $name: overlay, $subnet" ;;
    '') wrong "the network $name does not exist" 'run swarm-init' ;;
    *) wrong "the network $name is \"${is% }\", not \"overlay $subnet $attachable\" (driver, subnet, attachable)" \
      "scripts/down --keep-data, docker network rm $name, then run swarm-init" ;;
  esac
}

verify_networks() {
  verify_network "$OVERLAY_NETWORK" "$OVERLAY_SUBNET" true
  verify_network vibe-control "$CONTROL_SUBNET" false
}

verify_secrets() {
  local name missing=()
  for name in vibe-auth-key vibe-ttyd-key vibe-registry-login vibe-registry-htpasswd vibe-registry-cert vibe-registry-key; do
    docker secret inspect "$name" >/dev/null 2>&1 || missing+=("secret $name")
  done
  docker config inspect vibe-registry-ca >/dev/null 2>&1 || missing+=('config vibe-registry-ca')
  check 'all secrets and the CA are there' "missing: ${missing[*]}" 'run swarm-init' test ${#missing[@]} = 0
  check "the registry's certificate holds for more than 30 days" "the registry's certificate is missing from $VIBE_ETC, or ends within 30 days" \
    'run scripts/down --keep-data, then scripts/up' openssl x509 -in "$VIBE_ETC/registry.crt" -noout -checkend 2592000
}

# What the newest task of a service that does not run as wanted says.
task_error_of() {
  docker service ps --no-trunc --format '{{.CurrentState}}{{with .Error}}: {{.}}{{end}}' "$1" 2>/dev/null | sed -n 1p
}

verify_services() {
  local name replicas mode stack
  if [[ -z $(docker service ls -q --filter name=vibe-state_ --filter name=vibe-edge_ --filter name=vibe-control_) ]]; then
    said 'the stacks are not deployed yet'
    return 0
  fi
  for name in "${VIBE_STACK_SERVICES[@]}"; do
    replicas=$(docker service ls --filter "name=$name" --format '{{.Name}} {{.Replicas}}' | sed -n "s/^$name \([0-9/]*\).*/\1/p")
    if [[ -z $replicas ]]; then
      stack=${name#vibe-}
      wrong "$name is not deployed" "deploy its stack: scripts/stacks deploy ${stack%%_*}"
    elif [[ ${replicas%/*} != "${replicas#*/}" || ${replicas#*/} == 0 ]]; then
      wrong "$name runs $replicas ($(task_error_of "$name"))" "docker service ps --no-trunc $name; docker service logs $name"
    else
      mode=$(docker service inspect -f '{{.Spec.EndpointSpec.Mode}}' "$name")
      check "$name runs $replicas" "$name has the endpoint mode $mode, which needs IPVS" 'deploy its stack again from the file as it is' test "$mode" = dnsrr
    fi
  done
}

# The container here of a stack's service, or nothing.
container_of() {
  docker ps -q --filter "label=com.docker.swarm.service.name=$1" --filter status=running | sed -n 1p
}

verify_redis() {
  local redis offset
  redis=$(container_of vibe-state_redis)
  [[ -n $redis ]] || return 0
  if offset=$(docker exec "$redis" redis-cli --raw get vibe:clock-offset-ms 2>/dev/null) && [[ -z $offset ]]; then
    ok 'the clock of the sessions is not moved'
  else
    wrong "the clock of the sessions is moved by ${offset:-an unknown number of} ms (vibe:clock-offset-ms)" "docker exec $redis redis-cli del vibe:clock-offset-ms"
  fi
  check 'Redis writes every move to disk' 'Redis does not write every move to disk, or may evict' 'start it as its stack file says: docker service update --force vibe-state_redis' \
    test "$(docker exec "$redis" redis-cli --raw config get appendfsync | tail -n1) $(docker exec "$redis" redis-cli --raw config get maxmemory-policy | tail -n1)" = 'always noeviction'
}

# Where sessions may run, as the deployed API understands it.
verify_places() {
  local constraint workers
  docker service inspect vibe-control_session-api >/dev/null 2>&1 || return 0
  constraint=$(docker service inspect -f '{{range .Spec.TaskTemplate.ContainerSpec.Env}}{{println .}}{{end}}' vibe-control_session-api | sed -n 's/^SESSION_CONSTRAINT=//p')
  workers=$(docker node ls -q --filter role=worker | wc -l)
  if [[ $constraint == *role*worker* ]] && ((workers == 0)); then
    wrong 'sessions run on worker nodes only, and there is none' 'join one (swarm-join), or deploy with SESSION_CONSTRAINT= (empty) on a one-machine Swarm'
  else
    ok "sessions run on ${constraint:-any node} ($workers worker nodes)"
  fi
}

# What the node's agent reported: disk, base image, problems; one "right" or "wrong" a line.
# (Redis itself takes the JSON apart: this script must work where only docker is.)
agent_report_of() {
  docker exec "$1" redis-cli --raw eval "
    local text = redis.call('GET', 'node:' .. ARGV[1])
    if not text then return {'silent'} end
    local node, lines = cjson.decode(text), {}
    lines[1] = string.format('%d containers of sessions, %d %% of the disk used', #node.containers, 100 - node.disk_free_bytes * 100 / math.max(node.disk_total_bytes, 1))
    lines[2] = node.has_base_image and 'base' or 'no-base'
    for _, problem in ipairs(node.problems) do lines[#lines + 1] = problem end
    return lines" 0 "$2" 2>/dev/null
}

# verify_node_of_swarm ID HOSTNAME
verify_node_of_swarm() {
  local id=$1 name=$2 state availability engine redis report line
  read -r state availability engine < <(docker node inspect -f '{{.Status.State}} {{.Spec.Availability}} {{.Description.Engine.EngineVersion}}' "$id")
  check "ready, Engine $engine" "Swarm says it is $state" "on $name: see that the Engine runs, and that 2377/tcp, 7946/tcp+udp and 4789/udp are open to the manager" test "$state" = ready
  check 'takes work' "it is set to $availability: no session starts there" "docker node update --availability active $name" test "$availability" = active
  docker service inspect vibe-control_hibernator-worker >/dev/null 2>&1 || return 0
  redis=$(container_of vibe-state_redis)
  [[ -n $redis ]] || { said 'Redis is on another manager: run swarm-verify there for what this node reports'; return 0; }
  report=$(agent_report_of "$redis" "$id")
  if [[ -z $report || $report == silent ]]; then
    wrong 'its agent has reported nothing for 35 s' "docker service ps --no-trunc vibe-control_hibernator-worker; docker service logs vibe-control_hibernator-worker"
    return 0
  fi
  ok "its agent reports: $(head -n1 <<<"$report")"
  check 'it has the base image of sessions' 'it has not pulled the base image yet: a first session waits for it' \
    'wait a minute; else see the log of its agent (docker service logs vibe-control_hibernator-worker)' test "$(sed -n 2p <<<"$report")" = base
  while IFS= read -r line; do [[ -z $line ]] || wrong "its agent says: $line" 'run swarm-verify on that node'; done < <(tail -n +3 <<<"$report")
}

verify_swarm() {
  verify_cluster_settings
  verify_networks
  verify_secrets
  verify_services
  verify_redis
  verify_places
}

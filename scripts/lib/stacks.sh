# shellcheck shell=bash
# Deploying the stacks on the manager this runs on, with plain `docker stack deploy`. Source lib/steps.sh first.
# Settings come from the environment; images.env (digests of our pushed images) fills what the environment lacks.

VIBE_STACKS_DIR=${VIBE_STACKS_DIR:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../stacks}
VIBE_IMAGES_ENV=${VIBE_IMAGES_ENV:-/etc/vibeswarm/images.env}

# Sessions run on worker nodes where there are any, else here. What a person set stays.
settle_session_constraint() {
  [[ -z ${SESSION_CONSTRAINT+set} ]] || return 0
  (($(docker node ls -q --filter role=worker | wc -l) == 0)) || return 0
  export SESSION_CONSTRAINT=''
  note 'there is no worker node: sessions run on managers'
}

content_hash() { sha256sum "$VIBE_STACKS_DIR/$1" | cut -c1-12; }

# A Swarm config cannot be changed, so its name carries a hash of its content.
export_config_hashes() {
  REGISTRY_CONFIG_HASH=$(content_hash registry/config.yml)
  TRAEFIK_ROUTES_HASH=$(content_hash traefik/routes.yml)
  TRAEFIK_OWN_CERTIFICATE_HASH=$(content_hash traefik/own-certificate.yml)
  DOCKER_VIEW_HASH=$(content_hash docker-view.cfg)
  export REGISTRY_CONFIG_HASH TRAEFIK_ROUTES_HASH TRAEFIK_OWN_CERTIFICATE_HASH DOCKER_VIEW_HASH
}

export_image_settings() {
  local line
  [[ -r $VIBE_IMAGES_ENV ]] || return 0
  while IFS= read -r line; do
    [[ $line =~ ^([A-Z_]+)=(.*)$ && -z ${!BASH_REMATCH[1]:-} ]] || continue
    export "${BASH_REMATCH[1]}=${BASH_REMATCH[2]}"
  done <"$VIBE_IMAGES_ENV"
}

# Which files a stack is made of: edge takes an overlay by VIBE_TLS=self-signed|own|acme.
stack_files() {
  printf '%s\n' "$1.yml"
  [[ $1 == edge ]] || return 0
  case ${VIBE_TLS:-self-signed} in
    self-signed) ;;
    own) printf 'edge-own-certificate.yml\n' ;;
    acme) printf 'edge-acme.yml\n' ;;
    *) die "VIBE_TLS is \"$VIBE_TLS\": choose self-signed, own or acme" ;;
  esac
}

# Deploys one stack: deploy_stack state|edge|control. Safe to repeat: what did not change is left alone. Images are not
# looked up: ours are pinned by digest, the upstream ones may be on this machine only.
deploy_stack() {
  local stack=$1 file options=() files
  files=$(stack_files "$stack")
  for file in $files; do
    options+=(-c "$VIBE_STACKS_DIR/$file")
  done
  ! docker stack deploy --help | grep -e --detach >/dev/null || options+=(--detach=true)
  quietly "docker stack deploy vibe-$stack" docker stack deploy --with-registry-auth --resolve-image never --prune \
    "${options[@]}" "vibe-$stack" || die "the stack vibe-$stack cannot be deployed: see the lines above"
}

# Prints the services of a stack that do not yet run as asked, one a line with its numbers.
unsettled_services() {
  local name replicas
  while read -r name replicas; do
    [[ ${replicas%%/*} == "${replicas##*/}" && ${replicas%%/*} != 0 ]] || { printf '%s %s\n' "$name" "$replicas"; continue; }
    case $(docker service inspect -f '{{with .UpdateStatus}}{{.State}}{{end}}' "$name") in
      updating | rollback_started) printf '%s updating\n' "$name" ;;
      paused | rollback_paused) printf '%s update-paused\n' "$name" ;;
    esac
  done < <(docker stack services --format '{{.Name}} {{.Replicas}}' "vibe-$1")
}

# Waits until every task of the stacks runs and is healthy; names what does not, with its last words.
# wait_for_stacks LIMIT_S STACK …
wait_for_stacks() {
  local end=$((SECONDS + $1)) stack left name
  shift
  for stack in "$@"; do
    while left=$(unsettled_services "$stack"); [[ -n $left ]]; do
      if ((SECONDS >= end)); then
        while read -r name _; do explain_service "$name"; done <<<"$left"
        die "these services do not run: $(tr '\n' ' ' <<<"$left")(their last words are above)"
      fi
      sleep 0.5
    done
  done
}

# What Swarm and the container itself say of a service that does not run.
explain_service() {
  warn "$1:"
  { docker service ps --no-trunc --format '{{.Node}} {{.CurrentState}} {{.Error}}' "$1" | sed -n 1,4p
    timeout 10 docker service logs --raw --tail 8 "$1" 2>&1 | cut -c1-300; } | sed 's/^/    | /' >&2
}

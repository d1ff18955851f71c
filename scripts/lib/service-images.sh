# shellcheck shell=bash
# Our own images: built from the services' bundles, pushed to our registry, and remembered by digest, so that a service
# is updated exactly when its image changed. Source lib/steps.sh first.
#
# VIBE_DOCKER says how the manager's docker is called: (docker) on the manager itself, (docker exec -i NODE docker) in
# the lab. Everything is sent to it as a stream; the manager needs no checkout.

declare -p VIBE_DOCKER >/dev/null 2>&1 || VIBE_DOCKER=(docker)
REGISTRY_URL=${REGISTRY_URL:-registry:5000}
VIBE_VERSION=${VIBE_VERSION:-latest}
VIBE_SERVICES_DIR=${VIBE_SERVICES_DIR:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../services}
VIBE_SERVICES=(gateway session-api hibernator-worker reaper)

# The full name of one of our images: service_image gateway → registry:5000/vibe-gateway:latest
service_image() {
  printf '%s/vibe-%s:%s' "$REGISTRY_URL" "$1" "$VIBE_VERSION"
}

# The services that have a bundle; the others are named on stderr.
built_services() {
  local name
  for name in "${VIBE_SERVICES[@]}"; do
    if [[ -s $VIBE_SERVICES_DIR/$name/dist/main.cjs ]]; then
      printf '%s\n' "$name"
    else
      warn "services/$name has no bundle: run pnpm build"
    fi
  done
}

# A hash of all that a service's image is made from: its Dockerfile, its bundle, and the image below it.
service_inputs() {
  { "${VIBE_DOCKER[@]}" image inspect -f '{{.Id}}' "$(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$1/Dockerfile" | head -n1)" 2>/dev/null || true
    cd "$1" && find Dockerfile dist -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-16
}

# Builds one service's image in the manager's Engine. The pages belong into the gateway's image. An image whose inputs
# are the same is kept: the build cache alone may miss where several builds ran at once, and the service would restart.
build_service_image() {
  local name=$1 dir=$VIBE_SERVICES_DIR/$1 pages=$VIBE_SERVICES_DIR/../packages/web/dist inputs
  if [[ $name == gateway && -d $pages ]]; then
    rm -rf "$dir/dist/web"
    cp -a "$pages" "$dir/dist/web"
  fi
  inputs=$(service_inputs "$dir")
  [[ $("${VIBE_DOCKER[@]}" image inspect -f '{{index .Config.Labels "vibe.inputs"}}' "$(service_image "$name")" 2>/dev/null) != "$inputs" ]] || return 0
  tar -C "$dir" -c Dockerfile dist | "${VIBE_DOCKER[@]}" build -q --label "vibe.inputs=$inputs" -t "$(service_image "$name")" -
}

# Builds the session image in this machine's Engine (it takes Debian packages, and its layers are worth keeping here).
build_terminal_image() {
  docker build -q --force-rm -t "$(service_image terminal)" "$VIBE_SERVICES_DIR/terminal"
}

# Brings an image of this machine's Engine into the manager's, where that is another one and has it not yet.
carry_image() {
  local image=$1 id
  [[ ${VIBE_DOCKER[*]} != docker ]] || return 0
  id=$(docker image inspect -f '{{.Id}}' "$image")
  [[ $("${VIBE_DOCKER[@]}" image inspect -f '{{.Id}}' "$image" 2>/dev/null) == "$id" ]] && return 0
  docker save "$image" | "${VIBE_DOCKER[@]}" load -q
}

push_image() {
  "${VIBE_DOCKER[@]}" push -q "$(service_image "$1")"
}

# Pushes several images at once, but the first one alone: its layers are then known to the registry, and the others do
# not compress them again.
push_images() {
  (($#)) || return 0
  quietly "pushing $1" push_image "$1" || return 1
  shift
  each_at_once 'pushing' push_image "$@"
}

# Prints "@sha256:…" of a pushed image.
pushed_digest() {
  "${VIBE_DOCKER[@]}" image inspect -f '{{range .RepoDigests}}{{println .}}{{end}}' "$(service_image "$1")" |
    sed -n "s|^$REGISTRY_URL/vibe-$1\(@sha256:[0-9a-f]*\)$|\1|p" | head -n1
}

# Runs a function for several names at once; fails when one of them does, with its output.
# each_at_once LABEL FUNCTION NAME …
each_at_once() {
  local label=$1 run=$2 name pids=() failed=0
  shift 2
  for name in "$@"; do
    quietly "$label $name" "$run" "$name" &
    pids+=($!)
  done
  for name in "${pids[@]}"; do wait "$name" || failed=1; done
  return "$failed"
}

# Prints NAME=value lines that pin our images in the stack files, for every image that was pushed.
# image_settings NAME …
image_settings() {
  local name digest upper
  printf 'VIBE_VERSION=%s\n' "$VIBE_VERSION"
  for name in "$@"; do
    digest=$(pushed_digest "$name")
    [[ -n $digest ]] || continue
    upper=${name^^}
    if [[ $name == terminal ]]; then
      printf 'BASE_IMAGE=%s%s\n' "$(service_image terminal)" "$digest"
    else
      printf '%s_DIGEST=%s\n' "${upper//-/_}" "$digest"
    fi
  done
}

# shellcheck shell=bash
# Upstream images: every image that we take from others, brought into an Engine. A pull is tried first; where no public
# registry answers, a stand-in of the same name is made from Debian packages (images/NAME). Source lib/steps.sh first.
#
# Settings: VIBE_CACHE (folder for what took long to make), VIBE_IMAGES=auto|pull|standin.

VIBE_CACHE=${VIBE_CACHE:-/var/cache/vibeswarm}
VIBE_IMAGES=${VIBE_IMAGES:-auto}
VIBE_IMAGES_DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../images
VIBE_REGISTRY_ANSWERS=''

# The upstream images by the folder of their stand-in. debian comes first: the others are made from it.
UPSTREAM_NAMES=(debian node redis registry haproxy traefik)
declare -A UPSTREAM_IMAGE=(
  [debian]=debian:trixie-slim [node]=node:24-trixie-slim [redis]=redis:8 [registry]=registry:2
  [haproxy]=haproxy:3.0 [traefik]=traefik:v3.6
)

# A label of a local image, empty when the image or the label is absent.
image_label() {
  docker image inspect -f "{{with .Config.Labels}}{{index . \"$2\"}}{{end}}" "$1" 2>/dev/null || true
}

# A hash of all that a locally made image is made from: the files of its folder, the base's hash, the architecture.
inputs_hash() {
  local name=$1 base=''
  [[ $name == debian ]] || base=$(inputs_hash debian)
  { printf '%s %s\n' "$base" "$(uname -m)"
    find "$VIBE_IMAGES_DIR/$name" -type f -print0 | sort -z | xargs -0 cat; } | sha256sum | cut -c1-16
}

# Pulls an image. The registry gets 10 s to say that it has it, the transfer up to 10 minutes.
# The first refusal decides for the rest of the run that no registry answers.
pull_image() {
  local image=$1 log pid end
  [[ $VIBE_IMAGES != standin && $VIBE_REGISTRY_ANSWERS != no ]] || return 1
  log=$(mktemp "${TMPDIR:-/tmp}/vibe-pull.XXXXXX")
  timeout 600 docker pull "$image" >"$log" 2>&1 &
  pid=$!
  end=$((SECONDS + 10))
  while kill -0 "$pid" 2>/dev/null && ! grep -qE 'Pulling from|Digest:' "$log" && ((SECONDS < end)); do sleep 0.1; done
  grep -qE 'Pulling from|Digest:' "$log" || kill "$pid" 2>/dev/null || true
  if wait "$pid" 2>/dev/null; then
    VIBE_REGISTRY_ANSWERS=yes
    rm -f "$log"
    return 0
  fi
  if [[ $VIBE_IMAGES == pull ]]; then
    die "$image could not be pulled ($(tail -n1 "$log")): check this machine's way to the registry, or set VIBE_IMAGES=standin"
  fi
  [[ $VIBE_REGISTRY_ANSWERS == yes ]] || VIBE_REGISTRY_ANSWERS=no
  note "no public registry gives $image: stand-ins are made from Debian packages ($(tail -n1 "$log" | cut -c1-100))"
  rm -f "$log"
  return 1
}

# The tar in the cache that holds a locally made image.
image_tar() {
  printf '%s/images/%s-%s.tar' "$VIBE_CACHE" "$1" "$2"
}

# Keeps an image as a tar; older tars of the same name are removed. A tar is never seen half written.
save_image() {
  local name=$1 image=$2 hash=$3 tar old
  tar=$(image_tar "$name" "$hash")
  mkdir -p "$VIBE_CACHE/images"
  docker save -o "$tar.part.$$" "$image"
  for old in "$VIBE_CACHE/images/$name"-????????????????.tar; do
    [[ ! -e $old || $old == "$tar" ]] || rm -f "$old"
  done
  mv "$tar.part.$$" "$tar"
}

# Makes an image from images/NAME: `build TAG HASH` where the folder has one, else its Dockerfile, with `prepare CONTEXT`
# before it where the folder has that. The image is labelled with its inputs and extra labels.
make_image() {
  local name=$1 image=$2 hash=$3 from=$VIBE_IMAGES_DIR/$1 context proxy args=()
  shift 3
  if [[ -x $from/build ]]; then
    "$from/build" "$image" "$hash"
    return
  fi
  context=$(mktemp -d "${TMPDIR:-/tmp}/vibe-image.XXXXXX")
  # shellcheck disable=SC2064  # the folder's name is known now
  trap "rm -rf '$context'" RETURN
  cp -a "$from/." "$context/"
  [[ ! -x $from/prepare ]] || "$from/prepare" "$context" || return 1
  proxy=$(apt_proxy)
  [[ -z $proxy ]] || args+=(--build-arg "http_proxy=$proxy")
  docker build -q --force-rm "${args[@]}" --label "vibe.inputs=$hash" "$@" -t "$image" "$context"
}

# Brings one locally made image into the Engine: already there, from the cache, or made now.
# ensure_made_image NAME IMAGE [docker build option …]
ensure_made_image() {
  local name=$1 image=$2 hash tar
  shift 2
  hash=$(inputs_hash "$name")
  [[ $(image_label "$image" vibe.inputs) != "$hash" ]] || return 0
  tar=$(image_tar "$name" "$hash")
  if [[ -f $tar ]] && docker load -q -i "$tar" >/dev/null 2>&1; then
    note "$image: from the cache"
    return 0
  fi
  quietly "making $image" make_image "$name" "$image" "$hash" "$@" || return 1
  save_image "$name" "$image" "$hash"
  note "$image: made from Debian packages"
}

# True when an image of that name is here that is not a stand-in of ours: it is used as it is.
is_official_here() {
  docker image inspect "$1" >/dev/null 2>&1 && [[ $(image_label "$1" vibe.standin) != 1 ]]
}

# Brings upstream images (all, or those named by their folder) into the local Engine. Safe to repeat; a second run
# takes a second. Ends the script with the failing image's log when one cannot be had.
ensure_upstream_images() {
  local name image pids=() todo=() failed=0
  (($#)) || set -- "${UPSTREAM_NAMES[@]}"
  for name in "$@"; do
    image=${UPSTREAM_IMAGE[$name]}
    is_official_here "$image" && continue
    [[ $(image_label "$image" vibe.inputs) == "$(inputs_hash "$name")" ]] && continue
    pull_image "$image" && continue
    todo+=("$name")
  done
  ((${#todo[@]})) || return 0
  # The base of the others; made even when only another one was asked for.
  is_official_here debian:trixie-slim || ensure_made_image debian debian:trixie-slim || die_image debian:trixie-slim
  for name in "${todo[@]}"; do
    [[ $name != debian ]] || continue
    ensure_made_image "$name" "${UPSTREAM_IMAGE[$name]}" --label vibe.standin=1 \
      --label "vibe.standin-for=${UPSTREAM_IMAGE[$name]}" &
    pids+=("$!:${UPSTREAM_IMAGE[$name]}")
  done
  for name in "${pids[@]}"; do
    wait "${name%%:*}" || { warn "${name#*:} could not be made"; failed=1; }
  done
  ((failed == 0)) || die_image 'one or more upstream images'
}

die_image() {
  die "$1 could neither be pulled nor made (see above): give this machine a way to an image registry or to a Debian" \
    'mirror, then run the same command again'
}

# shellcheck shell=bash
# Takes our images and volumes off this machine's Engine. Source lib/steps.sh first.

# A lab on this machine builds from the same images.
has_lab() { [[ -n $(docker ps -aq --filter label=vibe.lab=1) ]]; }

# Images of our registry: the services', the session image, snapshots.
remove_our_images() {
  local ids
  if has_lab; then
    note 'kept our images and the stand-ins for upstream images: a lab is on this machine'
    return 0
  fi
  ids=$(docker image ls --format '{{.Repository}} {{.ID}}' | awk -v registry="$REGISTRY_URL/vibe-" 'index($1, registry) == 1 { print $2 }' | sort -u)
  [[ -n $ids ]] || return 0
  xargs -r docker image rm -f >/dev/null 2>&1 <<<"$ids" || true
  note "removed $(wc -l <<<"$ids") images of $REGISTRY_URL"
}

# Stand-ins go with the installation, unless a lab on this machine needs them; images that were pulled are not ours.
remove_standins() {
  local names
  names=$(docker image ls --filter label=vibe.standin=1 --format '{{.Repository}}:{{.Tag}}' | grep -v '<none>' || true)
  [[ -n $names ]] || return 0
  ! has_lab || return 0
  xargs -r docker image rm >/dev/null 2>&1 <<<"$names" || true
  note "removed the stand-ins $(tr '\n' ' ' <<<"$names")"
}

# remove_volumes yes|no (keep the data)
remove_volumes() {
  local names
  names=$({ docker volume ls -q --filter label=vibe.swarm=1; docker volume ls -q | grep -xE 'vibe-(redis|registry|acme)' || true; } | sort -u)
  [[ -n $names ]] || return 0
  if [[ $1 == yes ]]; then
    note "kept the volumes $(tr '\n' ' ' <<<"$names")"
  else
    xargs -r docker volume rm >/dev/null 2>&1 <<<"$names" || warn "not every volume could be removed: $(tr '\n' ' ' <<<"$names")"
    note "removed the volumes $(tr '\n' ' ' <<<"$names")"
  fi
}

# shellcheck shell=bash
# What makes a second `lab up` quick: the first one of its kind keeps the manager's images and the registry's content,
# and the nodes of the next lab begin with them instead of loading, compressing and pulling all that again. A node then
# looks like one that pulled these images earlier. Source lib/lab-nodes.sh first.
#
# Layers are hard links: an Engine never writes into a layer, it only removes it. All else is copied. The seed is a
# cache beside the nodes' disks (the volume vibe-lab-seed: links do not cross file systems); `lab down` leaves it.

# The folder of the seed for the images that are on this machine now; empty when volumes cannot be seen from here.
# seed_folder IMAGE …
seed_folder() {
  local key cache
  docker volume inspect vibe-lab-seed >/dev/null 2>&1 || docker volume create --label vibe.cache=1 vibe-lab-seed >/dev/null
  cache=$(docker volume inspect -f '{{.Mountpoint}}' vibe-lab-seed)
  key=$(docker image inspect -f '{{.Id}}' "$LAB_IMAGE" "$@" 2>/dev/null | sha256sum | cut -c1-16)
  [[ ! -d $cache ]] || printf '%s/%s' "$cache" "$key"
}

# Where a node's disk is on this machine; empty when it cannot be seen.
node_disk() {
  local disk
  disk=$(docker volume inspect -f '{{.Mountpoint}}' "$(lab_node "$1")" 2>/dev/null || true)
  [[ ! -d $disk ]] || printf '%s' "$disk"
}

# Fills the empty disk of a node that does not run yet: plant_seed NODE FOLDER. Without a seed it does nothing.
plant_seed() {
  local disk
  disk=$(node_disk "$1")
  [[ -n $disk && -n $2 && -d $2/overlay2 ]] || return 0
  if ! { cp -al "$2/overlay2" "$disk/" && cp -a "$2/image" "$disk/"; }; then
    rm -rf "${disk:?}/overlay2" "${disk:?}/image"
    return 0
  fi
  [[ $1 == manager ]] || return 0
  mkdir -p "$disk/volumes/vibe-registry/_data"
  cp -a "$2/registry/." "$disk/volumes/vibe-registry/_data/"
}

# Keeps a seed of a manager whose images are all pushed, if there is none yet and nobody's session is in its registry.
# Older seeds are removed. Fails softly: a lab works without.
harvest_seed() {
  local folder=$1 disk part mount file old
  disk=$(node_disk manager)
  [[ -n $disk && -n $folder && ! -d $folder ]] || return 0
  # A session's id has 26 characters.
  ! compgen -G "$disk/volumes/vibe-registry/_data/docker/registry/v2/repositories/vibe-session-??????????????????????????" \
    >/dev/null || return 0
  part=$folder.part.$$
  mkdir -p "$part"
  if cp -al "$disk/overlay2" "$part/" 2>/dev/null && cp -a "$disk/image" "$part/" &&
    cp -a "$disk/volumes/vibe-registry/_data" "$part/registry"; then
    # The layers of running containers are theirs alone.
    for mount in "$part"/image/overlay2/layerdb/mounts/*; do
      for file in mount-id init-id; do
        [[ ! -s $mount/$file ]] || rm -rf "${part:?}/overlay2/$(cat "$mount/$file")"
      done
      rm -rf "$mount"
    done
    for old in "$(dirname "$folder")"/*; do
      [[ $old == "$part" ]] || rm -rf "$old"
    done
    mv "$part" "$folder"
    note 'kept the images for the next lab'
  else
    rm -rf "$part"
  fi
}

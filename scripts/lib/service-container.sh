# shellcheck shell=bash
# Finds the container of one of our services on the manager, for scripts that run something in it.

# container_of SERVICE [COMMAND…] → its id on stdout; COMMAND runs docker elsewhere (`scripts/lab exec manager`).
# Dies with the cure when nothing of that service runs there.
container_of() {
  local service=$1 found where='this machine' cure='run scripts/up, or run this on the manager'
  shift
  if (($#)); then
    where='the lab' cure='make it with "scripts/lab up"'
  else
    command -v docker >/dev/null || die "docker is not here: $cure"
    docker version -f '{{.Server.Version}}' >/dev/null 2>&1 || die 'no Docker Engine answers here (or this user may not talk to it): start it, run this as root'
  fi
  found=$("$@" docker ps -q --filter "label=com.docker.swarm.service.name=$service" --filter status=running </dev/null | sed -n 1p)
  [[ -n $found ]] || die "no ${service#*_} of Vibeswarm runs on $where: $cure"
  printf '%s\n' "$found"
}

# shellcheck shell=bash
# The machine's Docker Engine: installed when there is none, started when it does not run. Source lib/packages.sh first.

VIBE_ENGINE_LOG=${VIBE_ENGINE_LOG:-/var/log/vibeswarm-dockerd.log}
VIBE_ENGINE_CHANGES=()

# 0 when an Engine answers within 10 s on this machine's own socket.
engine_answers() {
  command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Prints a field of `docker info`, or nothing when no Engine answers.
engine_info() {
  timeout 20 docker info --format "$1" 2>/dev/null || true
}

# 0 when this machine was booted with systemd (its packages may be there without it running).
runs_systemd() {
  [[ -d /run/systemd/system ]]
}

# 0 when a process lives in this script's own process-id namespace: a container's processes are seen from the host too.
is_of_this_machine() {
  [[ "$(readlink "/proc/$1/ns/pid" 2>/dev/null)" == "$(readlink /proc/self/ns/pid)" ]]
}

# Prints the pids of this machine's own processes of a name.
own_pids_of() {
  local comm pid
  for comm in /proc/[0-9]*/comm; do
    pid=${comm#/proc/}
    pid=${pid%/comm}
    [[ "$(cat "$comm" 2>/dev/null)" == "$1" ]] && is_of_this_machine "$pid" && printf '%s\n' "$pid"
  done
  return 0
}

# Takes away what a crash or a reboot left in the way of a dockerd: a pid file that names nobody, and a containerd
# that outlived its dockerd. Called only when no Engine answers and no dockerd lives.
clean_after_crash() {
  local file pid
  for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    [[ -e "$file" ]] || continue
    pid=$(cat "$file" 2>/dev/null)
    if [[ ! -d "/proc/${pid:-none}" ]] || ! grep -qE '^(dockerd|containerd)$' "/proc/$pid/comm" 2>/dev/null; then
      note "removing $file, left by a dockerd that ended without saying so"
      rm -f "$file"
    fi
  done
  for pid in $(own_pids_of containerd); do
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q '/docker/containerd/containerd.toml' || continue
    note "ending an orphaned containerd (pid $pid), left by a dockerd that died"
    kill "$pid" 2>/dev/null || true
    wait_until 10 test ! -d "/proc/$pid" || kill -9 "$pid" 2>/dev/null || true
  done
}

# Starts dockerd by hand in a session of its own, so that it outlives this script and its terminal.
start_engine_by_hand() {
  note "starting dockerd by hand (no systemd runs here); its log is $VIBE_ENGINE_LOG, and it does not come back by itself after a reboot"
  setsid dockerd >>"$VIBE_ENGINE_LOG" 2>&1 </dev/null 9>&- &
  disown
}

# Starts the Engine that is installed, with the machine's own service manager where one runs.
start_engine() {
  local living
  living=$(own_pids_of dockerd | tr '\n' ' ')
  if [[ -n "$living" ]]; then
    note "a dockerd runs (pid ${living% }) but does not answer yet: waiting for it"
    wait_until 60 engine_answers && return 0
    die "a dockerd runs (pid ${living% }) but has not answered for a minute: look at its log, restart it, then run this again"
  fi
  clean_after_crash
  if runs_systemd; then
    note 'starting the Engine: systemctl enable --now docker'
    quietly 'systemctl enable --now docker' systemctl enable --now docker ||
      die 'the Engine does not start: read "journalctl -u docker", mend it, then run this again'
  elif command -v rc-service >/dev/null; then
    quietly 'rc-service docker start' rc-service docker start || true
  else
    start_engine_by_hand
  fi
  wait_until 90 engine_answers && return 0
  if [[ -s "$VIBE_ENGINE_LOG" ]]; then tail -n 15 "$VIBE_ENGINE_LOG" | sed 's/^/    | /' >&2; fi
  die 'the Engine was started but does not answer: read its log (above, or "journalctl -u docker"), mend it, then run this again'
}

# An Engine that we install keeps the overlay2 store: with the containerd store, the default of newer fresh
# installations, a commit compresses while the session is frozen. An existing daemon.json is left as it is.
write_engine_settings() {
  [[ ! -e /etc/docker/daemon.json ]] || return 0
  install -d -m 0755 /etc/docker
  printf '%s\n' '{ "storage-driver": "overlay2", "features": { "containerd-snapshotter": false } }' >/etc/docker/daemon.json
  note 'wrote /etc/docker/daemon.json: overlay2, containerd image store off'
  VIBE_ENGINE_CHANGES+=('wrote /etc/docker/daemon.json')
}

# Makes sure that an Engine answers on this machine. Safe to repeat; touches nothing when one does.
ensure_engine() {
  engine_answers && return 0
  if ! command -v dockerd >/dev/null; then
    has_apt || die 'no Docker Engine is here and this machine has no apt: install Docker Engine 20.10 or newer, start it, then run this again'
    freshen_apt
    write_engine_settings
    local packages=(docker.io iptables ca-certificates)
    # Newer Debian releases ship the command line in a package of its own.
    package_exists docker-cli && packages+=(docker-cli)
    install_packages "${packages[@]}"
    hash -r
    # A package's own start at installation may be under way.
    wait_until 15 engine_answers && return 0
  fi
  start_engine
}

# shellcheck shell=bash
# The installation's settings: from the environment, else from a file, else the defaults that the stack files name.
# Source lib/steps.sh first.

VIBE_SETTINGS_FILE=${VIBE_SETTINGS_FILE:-/etc/vibeswarm/settings.env}
VIBE_SETTINGS_LIB=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

# Settings of the scripts themselves; the stack files name all others.
VIBE_SCRIPT_SETTINGS=(VIBE_PUBLIC_HOST OVERLAY_NETWORK OVERLAY_SUBNET CONTROL_SUBNET VIBE_ADVERTISE_ADDR VIBE_TLS VIBE_STACKS_LIMIT_S
  VIBE_CACHE VIBE_IMAGES VIBE_DEBIAN_MIRROR VIBE_DEBIAN_SECURITY_MIRROR)

# Prints every setting's name: those that the stack files take, and the scripts' own.
setting_names() {
  "$VIBE_SETTINGS_LIB/../stacks" names
  printf '%s\n' "${VIBE_SCRIPT_SETTINGS[@]}"
}

# Prints what is wrong with the settings file, one problem a line (nothing when all is well or there is no file).
settings_file_problems() {
  [[ -e $VIBE_SETTINGS_FILE ]] || return 0
  local line number=0 names
  names=$(setting_names)
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
    if [[ ! $line =~ ^([A-Z][A-Z0-9_]*)=(.*)$ ]]; then
      echo "line $number of $VIBE_SETTINGS_FILE is no NAME=value: write one setting a line, without spaces around ="
    elif ! grep -qx "${BASH_REMATCH[1]}" <<<"$names"; then
      echo "${BASH_REMATCH[1]} in $VIBE_SETTINGS_FILE is no setting: the README's table has their names"
    fi
  done <"$VIBE_SETTINGS_FILE"
}

# Exports what the file says and the environment does not. Values are taken as they stand: nothing is evaluated. Call it
# before the libraries that have defaults are sourced.
read_settings_file() {
  [[ -r $VIBE_SETTINGS_FILE ]] || return 0
  local line name
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^([A-Z][A-Z0-9_]*)=(.*)$ ]] || continue
    name=${BASH_REMATCH[1]}
    [[ -n ${!name+set} ]] || export "$name=${BASH_REMATCH[2]}"
  done <"$VIBE_SETTINGS_FILE"
}

# 0 when a host[:port] means this machine only: localhost, *.localhost, a loopback address.
is_local_host() {
  local host=$1
  if [[ $host == \[* ]]; then host=${host#\[} host=${host%%\]*}; else host=${host%:*}; fi
  [[ $host == localhost || $host == *.localhost || $host =~ ^127(\.[0-9]{1,3}){3}$ || $host == ::1 ]]
}

# Sets what follows from other settings: who may sign in how.
settle_settings() {
  export VIBE_PUBLIC_HOST=${VIBE_PUBLIC_HOST:-localhost}
  if [[ -z ${AUTH_MODE:-} ]]; then
    if is_local_host "$VIBE_PUBLIC_HOST"; then AUTH_MODE=dev; else AUTH_MODE=token; fi
  fi
  export AUTH_MODE
}

# Prints every value that a service would refuse at its start, one problem a line.
settings_problems() {
  local name
  settings_file_problems
  case ${AUTH_MODE:-} in
    token) ;;
    dev)
      is_local_host "$VIBE_PUBLIC_HOST" ||
        echo "AUTH_MODE=dev lets anybody be anybody, and VIBE_PUBLIC_HOST=$VIBE_PUBLIC_HOST is not local: set AUTH_MODE=token"
      ;;
    *) echo "AUTH_MODE=$AUTH_MODE is neither dev nor token: set one of them" ;;
  esac
  [[ $VIBE_PUBLIC_HOST =~ ^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?$ ]] ||
    echo "VIBE_PUBLIC_HOST=$VIBE_PUBLIC_HOST is no host name: set it to host or host:port, without https:// and without a path"
  for name in MAX_SESSIONS_PER_USER SESSION_MEMORY_LIMIT_MIB SESSION_MEMORY_RESERVED_MIB SESSION_PIDS_LIMIT SESSIONS_PER_NODE_MAX \
    STARTS_IN_FLIGHT_PER_NODE HIBERNATIONS_PER_NODE; do
    [[ -z ${!name:-} || ${!name} =~ ^[1-9][0-9]*$ ]] || echo "$name=${!name} is no whole number above 0: set one"
  done
  for name in IDLE_TIMEOUT_MINUTES HIBERNATED_TTL_DAYS SESSION_CPU_LIMIT IDLE_CPU_PERCENT; do
    [[ -z ${!name:-} ]] || awk -v n="${!name}" 'BEGIN { exit !(n ~ /^[0-9]+(\.[0-9]+)?$/ && n + 0 > 0) }' ||
      echo "$name=${!name} is no number above 0: set one"
  done
}

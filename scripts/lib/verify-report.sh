# shellcheck shell=bash
# How swarm-verify says what it found: one line a check under the heading of its node, on stdout.
#
#   heading 'Node worker-1'
#   ok 'the Engine is 26.1.5'
#   wrong 'the storage driver is vfs' 'put "storage-driver": "overlay2" into /etc/docker/daemon.json'
#   said 'its API is 1.41'                      worth knowing, neither right nor wrong

VIBE_CHECKS_OK=0
VIBE_CHECKS_WRONG=0

heading() {
  printf '%s%s%s\n' "$VIBE_BOLD" "$*" "$VIBE_PLAIN"
}

ok() {
  VIBE_CHECKS_OK=$((VIBE_CHECKS_OK + 1))
  printf '  %sok%s     %s\n' "$VIBE_GREEN" "$VIBE_PLAIN" "$*"
}

# wrong 'what is wrong' 'the cure'
wrong() {
  VIBE_CHECKS_WRONG=$((VIBE_CHECKS_WRONG + 1))
  printf '  %swrong  %s%s\n         cure: %s\n' "$VIBE_RED" "$1" "$VIBE_PLAIN" "$2"
}

said() {
  printf '  %snote   %s%s\n' "$VIBE_DIM" "$*" "$VIBE_PLAIN"
}

# check 'what is right' 'what is wrong' 'the cure' COMMAND…   → ok when the command succeeds
check() {
  local right=$1 amiss=$2 cure=$3
  shift 3
  if "$@" >/dev/null 2>&1; then ok "$right"; else wrong "$amiss" "$cure"; fi
}

# Prints the closing line; 1 when anything was wrong.
report_end() {
  if ((VIBE_CHECKS_WRONG)); then
    printf '%s%d of %d checks are wrong%s\n' "$VIBE_RED" "$VIBE_CHECKS_WRONG" $((VIBE_CHECKS_OK + VIBE_CHECKS_WRONG)) "$VIBE_PLAIN"
    return 1
  fi
  printf '%sall %d checks are right%s\n' "$VIBE_GREEN" "$VIBE_CHECKS_OK" "$VIBE_PLAIN"
}

# shellcheck shell=bash
# What a person sees while a script works: steps with their times, notes, and errors that name the cure.
# Everything goes to stderr; stdout belongs to the command's own result.
#
#   step 'Make the networks'      begins a step (and ends the one before, with its seconds)
#   note 'made vibe-overlay'      one detail inside a step
#   done_steps 'The lab is up'    ends the last step and says how long all of them took
#   warn 'port 80 is taken: ...'  goes on
#   die 'dockerd is not running: start it with "systemctl start docker"'   stops; one sentence that names the cure
#
# A script that is run by another one (VIBE_STEPS_DEPTH is exported) indents, so that one progress tree is read.

[[ -n "${VIBE_STEPS_LOADED:-}" ]] && return 0
VIBE_STEPS_LOADED=1

VIBE_STEPS_PREFIX=$(printf '%*s' $((2 * ${VIBE_STEPS_DEPTH:-0})) '')
export VIBE_STEPS_DEPTH=$((${VIBE_STEPS_DEPTH:-0} + 1))
VIBE_STEPS_T0=$(date +%s%N)
VIBE_STEP_NAME=''
VIBE_STEP_T0=0
VIBE_STEPS_DIED=''

if [[ -t 2 && -z "${NO_COLOR:-}" ]]; then
  VIBE_BOLD=$'\e[1m' VIBE_DIM=$'\e[2m' VIBE_RED=$'\e[31m' VIBE_YELLOW=$'\e[33m' VIBE_GREEN=$'\e[32m' VIBE_PLAIN=$'\e[0m'
else
  VIBE_BOLD='' VIBE_DIM='' VIBE_RED='' VIBE_YELLOW='' VIBE_GREEN='' VIBE_PLAIN=''
fi

# Seconds since a `date +%s%N` stamp, with one decimal.
seconds_since() {
  local tenths=$((($(date +%s%N) - $1) / 100000000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# Ends the running step, if there is one, and prints its seconds.
step_end() {
  [[ -n "$VIBE_STEP_NAME" ]] || return 0
  printf '%s%s✓%s %s %s(%s s)%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_GREEN" "$VIBE_PLAIN" "$VIBE_STEP_NAME" \
    "$VIBE_DIM" "$(seconds_since "$VIBE_STEP_T0")" "$VIBE_PLAIN" >&2
  VIBE_STEP_NAME=''
}

# Ends the running step as failed; the script goes on.
step_failed() {
  printf '%s%s✗ %s%s %s(%s s)%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_RED" "$VIBE_STEP_NAME" "$VIBE_PLAIN" \
    "$VIBE_DIM" "$(seconds_since "$VIBE_STEP_T0")" "$VIBE_PLAIN" >&2
  VIBE_STEP_NAME=''
}

# Begins a step; the one before it is ended first.
step() {
  step_end
  VIBE_STEP_NAME=$*
  VIBE_STEP_T0=$(date +%s%N)
  printf '%s%s▸ %s%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_BOLD" "$*" "$VIBE_PLAIN" >&2
}

# One line of detail inside a step.
note() {
  printf '%s    %s\n' "$VIBE_STEPS_PREFIX" "$*" >&2
}

# Something that deserves the reader's eye but stops nothing.
warn() {
  printf '%s%s! %s%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_YELLOW" "$*" "$VIBE_PLAIN" >&2
}

# Ends the last step and prints a closing line with the total time.
done_steps() {
  step_end
  printf '%s%s%s%s %s(%s s in all)%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_BOLD" "$*" "$VIBE_PLAIN" \
    "$VIBE_DIM" "$(seconds_since "$VIBE_STEPS_T0")" "$VIBE_PLAIN" >&2
}

# Stops the script with status 1. The text is one sentence: what is wrong, and what to do about it.
die() {
  VIBE_STEPS_DIED=yes
  printf '%s%serror: %s%s\n' "$VIBE_STEPS_PREFIX" "$VIBE_RED" "$*" "$VIBE_PLAIN" >&2
  exit 1
}

# For `trap 'say_unexpected_end $?' EXIT`: a script never ends without a word.
say_unexpected_end() {
  [[ $1 == 0 || -n $VIBE_STEPS_DIED ]] ||
    printf '%s%serror: this ended unexpectedly (status %d) while it was to "%s": run it again with "bash -x %s", and report the last lines%s\n' \
      "$VIBE_STEPS_PREFIX" "$VIBE_RED" "$1" "${VIBE_STEP_NAME:-start}" "$0" "$VIBE_PLAIN" >&2
}

# Runs a command with its output kept in a log; prints the log's end when the command fails.
# quietly LABEL COMMAND [ARG…] → the command's status; never exits by itself
quietly() {
  local label=$1 log status=0
  shift
  log=$(mktemp "${TMPDIR:-/tmp}/vibe-log.XXXXXX")
  "$@" >"$log" 2>&1 || status=$?
  if ((status != 0)); then
    warn "$label failed (status $status); the end of its output:"
    tail -n 25 "$log" | sed "s/^/$VIBE_STEPS_PREFIX    | /" >&2
  fi
  rm -f "$log"
  return "$status"
}

# Asks again every 0.3 s until the command succeeds; fails after LIMIT seconds.
# wait_until LIMIT COMMAND [ARG…] → 0 when it became true, 1 when time ran out
wait_until() {
  local limit=$1 end
  shift
  end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.3
  done
}

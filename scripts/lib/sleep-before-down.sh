# shellcheck shell=bash
# Before the stacks go and the volumes stay: what runs is put to sleep, because a running session's data is in its
# container alone. Source lib/steps.sh first.

# "ID USER" of every session that has a service, one a line.
running_sessions() {
  local id
  for id in $(docker service ls -q --filter label=vibe.session); do
    docker service inspect -f '{{index .Spec.Labels "vibe.session"}} {{index .Spec.Labels "vibe.user"}}' "$id" 2>/dev/null || true
  done
}

# Asks the API, in the user's name, to let a session sleep; 0 when it will. A 503 is waited out: while the registry's garbage
# is collected nothing can fall asleep.
ask_to_sleep() {
  local id=$1 token
  token=$("$VIBE_ROOT/scripts/token" "$2" 2>/dev/null) || return 1
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -sS --fail --insecure --max-time 15 --retry 20 --retry-max-time 600 --config - -X POST -H 'Content-Type: application/json' -d '{}' \
      "https://localhost/api/sessions/$id/hibernate" >/dev/null 2>&1
}

no_session_runs() {
  [[ -z $(docker service ls -q --filter label=vibe.session) ]]
}

# Lets every running session sleep and waits until their services are gone, at most LIMIT seconds. Says what could not.
# let_sessions_sleep LIMIT_S
let_sessions_sleep() {
  local limit=$1 sessions id user asked=0
  sessions=$(running_sessions)
  [[ -n $sessions ]] || return 0
  while read -r id user; do
    if ask_to_sleep "$id" "$user"; then asked=$((asked + 1)); else warn "session $id of $user could not be asked to sleep"; fi
  done <<<"$sessions"
  note "asked $asked of $(wc -l <<<"$sessions") running sessions to sleep; waiting until they do"
  ((asked == 0)) || wait_until "$limit" no_session_runs || true
  no_session_runs && return 0
  warn "these sessions run still, and what is in them will be lost: $(running_sessions | tr '\n' ',' | sed 's/,$//; s/,/, /g')"
  return 1
}

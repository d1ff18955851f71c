#!/usr/bin/env bash
# What the scripts' own functions promise, those that can be asked without changing the machine. Run by scripts/test.
# shellcheck disable=SC2016,SC2034,SC2163,SC2317  # promises are evaluated later, by name
set -euo pipefail
lib=$(dirname "$(readlink -f "$0")")
VIBE_SETTINGS_FILE=$(mktemp "${TMPDIR:-/tmp}/vibe-settings.XXXXXX")
trap 'rm -f "$VIBE_SETTINGS_FILE"' EXIT
. "$lib/steps.sh"
. "$lib/settings.sh"
. "$lib/bootstrap.sh"
. "$lib/preflight.sh"
. "$lib/preflight-engine.sh"
. "$lib/debian-mirror.sh"

failed=0

# it 'does something' COMMAND…      right when the command succeeds (put `not` before it for one that must fail)
it() {
  local promise=$1
  shift
  if ("$@") >/dev/null 2>&1; then printf '  ok    %s\n' "$promise"
  else
    printf '  WRONG %s\n' "$promise"
    failed=1
  fi
}
not() { ! "$@"; }

# says TEXT COMMAND…   right when the command prints exactly that
says() {
  local expected=$1
  shift
  [[ "$("$@")" == "$expected" ]]
}

it 'localhost, its subdomains and loopback addresses are local, with a port too' eval \
  'is_local_host localhost && is_local_host localhost:8443 && is_local_host a.localhost && is_local_host 127.1.2.3:443 && is_local_host "[::1]:443"'
it 'a name that only looks like localhost is not local' eval \
  'not is_local_host localhost.example.org && not is_local_host mylocalhost && not is_local_host 127.0.0.1.example.org && not is_local_host 192.168.1.5'

sign_in_of() { (unset AUTH_MODE; VIBE_PUBLIC_HOST=$1; settle_settings; echo "$AUTH_MODE"); }
it 'people sign in by name where the host is local' says dev sign_in_of localhost
it 'people sign in by token elsewhere' says token sign_in_of vibe.example.org
problems_of() { (export "$@"; settle_settings; settings_problems); }
it 'dev sign-in on a public host is refused' eval '[[ "$(problems_of AUTH_MODE=dev VIBE_PUBLIC_HOST=vibe.example.org)" == *"set AUTH_MODE=token"* ]]'
it 'fractions are fine where time is meant' says '' problems_of IDLE_TIMEOUT_MINUTES=0.5 HIBERNATED_TTL_DAYS=0.01
it 'every wrong value is named' eval '[[ $(problems_of IDLE_TIMEOUT_MINUTES=soon MAX_SESSIONS_PER_USER=0 SESSION_CPU_LIMIT=-1 | wc -l) == 3 ]]'
it 'an address is no host' eval '[[ "$(problems_of VIBE_PUBLIC_HOST=https://vibe.example.org AUTH_MODE=token)" == *"without https://"* ]]'

printf '%s\n' '# mine' 'IDLE_TIMEOUT_MINUTES=30' 'SESSION_CONSTRAINT=node.labels.big==$(id)' '' >"$VIBE_SETTINGS_FILE"
it 'a settings file with comments and empty lines is fine' says '' settings_file_problems
from_file() { (unset "$1"; read_settings_file; echo "${!1}"); }
it 'the settings file is read' says 30 from_file IDLE_TIMEOUT_MINUTES
it 'nothing in the settings file is evaluated' says 'node.labels.big==$(id)' from_file SESSION_CONSTRAINT
environment_wins() { (export IDLE_TIMEOUT_MINUTES=5; read_settings_file; echo "$IDLE_TIMEOUT_MINUTES"); }
it 'the environment goes before the settings file' says 5 environment_wins
printf '%s\n' 'IDLE_TIMEOUT=30' 'AUTH_MODE = dev' >"$VIBE_SETTINGS_FILE"
it 'an unknown name and a malformed line are both named' eval '[[ $(settings_file_problems | wc -l) == 2 ]]'

it 'Node.js 20.19, 22.12 and 24 are new enough' eval 'node_version_is_fine v20.19.2 && node_version_is_fine v22.12.0 && node_version_is_fine v24.0.0 && node_version_is_fine v26.1.0'
it 'older ones, odd ones and nonsense are not' eval \
  'not node_version_is_fine v18.20.4 && not node_version_is_fine v20.18.3 && not node_version_is_fine v21.7.0 && not node_version_is_fine v22.11.0 && not node_version_is_fine ""'

it 'networks overlap when one holds the other' eval 'nets_overlap 10.128.0.0/16 10.128.4.0/24 && nets_overlap 10.128.4.0/24 10.0.0.0/8 && nets_overlap 10.128.0.0/16 10.128.0.7'
it 'neighbouring networks do not' eval 'not nets_overlap 10.128.0.0/16 10.129.0.0/16 && not nets_overlap 10.128.0.0/16 10.127.255.0/24'

sources=$'Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\n\nTypes: deb\nURIs: http://mirror.example/security\nSuites: trixie-security\n'
it 'a mirror is read from deb822 sources' says http://mirror.example/debian uris_of_suites '(^| )trixie( |$)' <(printf '%s' "$sources")
it 'a mirror is read from one-line sources with options' says http://m.example/debian uris_of_suites '(^| )trixie( |$)' <(echo 'deb [signed-by=/k] http://m.example/debian trixie main')
it 'a disabled source is not read' says '' uris_of_suites 'trixie' <(printf 'Enabled: no\n%s' 'Types: deb
URIs: http://m.example/debian
Suites: trixie')

it 'a port that nobody listens on is free' says '' holder_of_port tcp 1
exit "$failed"

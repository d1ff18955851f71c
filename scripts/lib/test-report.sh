# shellcheck shell=bash
# Runs the suites of scripts/test one after the other and keeps count; a failed one does not stop those after it.
# Source lib/steps.sh first.

VIBE_TEST_LINES=()
VIBE_TEST_PASSED=0
VIBE_TEST_FAILED=0
VIBE_TEST_SKIPPED=0

# record NAME PASSED FAILED SKIPPED SECONDS
record() {
  VIBE_TEST_PASSED=$((VIBE_TEST_PASSED + $2))
  VIBE_TEST_FAILED=$((VIBE_TEST_FAILED + $3))
  VIBE_TEST_SKIPPED=$((VIBE_TEST_SKIPPED + $4))
  VIBE_TEST_LINES+=("$(printf '%-28s %4d passed %4d failed %4d skipped %8s s' "$@")")
}

# A command that is right or wrong as a whole, with a limit of its own in seconds: counts as one test.
# run_check NAME LIMIT_S COMMAND…
run_check() {
  local name=$1 limit=$2 t0 status=0
  shift 2
  step "$name"
  t0=$(date +%s%N)
  timeout --kill-after=20 "$limit" "$@" </dev/null || status=$?
  ((status != 124)) || warn "$name was ended after $limit s"
  if ((status == 0)); then record "$name" 1 0 0 "$(seconds_since "$t0")"
  else
    step_failed
    record "$name" 0 1 0 "$(seconds_since "$t0")"
  fi
  return "$status"
}

# Prints "PASSED FAILED SKIPPED" of jest's JSON; a file that could not run at all is one failure. Names what was skipped
# on stderr.
read_jest_json() {
  # shellcheck disable=SC2016  # the script is JavaScript
  node -e '
    const r = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    const skipped = r.testResults.flatMap((file) => file.assertionResults.filter((t) => t.status === "pending" || t.status === "todo").map((t) => t.fullName));
    for (const name of skipped) console.error(`    skipped: ${name}`);
    console.log(r.numPassedTests, r.numFailedTests + r.numRuntimeErrorTestSuites, r.numPendingTests + r.numTodoTests);
  ' "$1"
}

# Runs jest with a limit in seconds and counts its tests. What tests print of themselves (the figures they measured) goes to
# stderr, to jest's own report.
# run_jest NAME LIMIT_S ROOT [jest argument …]
run_jest() {
  local name=$1 limit=$2 root=$3 t0 status=0 json counts passed failed skipped
  shift 3
  step "$name"
  t0=$(date +%s%N)
  json=$(mktemp "${TMPDIR:-/tmp}/vibe-jest.XXXXXX")
  (cd "$root" && timeout --kill-after=30 "$limit" pnpm --silent exec jest --ci --json --outputFile="$json" "$@" </dev/null >&2) || status=$?
  if [[ -s $json ]] && counts=$(read_jest_json "$json"); then
    read -r passed failed skipped <<<"$counts"
    # jest may fail as a whole although every test passed (an open handle, a broken set-up).
    ((status == 0 || failed > 0)) || failed=1
  else
    passed=0 failed=1 skipped=0
    if ((status == 124)); then warn "$name was ended after $limit s, before it could say what it ran"
    else warn "$name could not run (status $status): see above"; fi
  fi
  rm -f "$json"
  record "$name" "$passed" "$failed" "$skipped" "$(seconds_since "$t0")"
  ((failed == 0)) || { step_failed; return 1; }
}

# Prints what ran, and the sums alone on the last line of stdout. 1 when anything failed, or nothing ran.
print_test_report() {
  local line
  printf '\nWhat was run, in %s s:\n' "$(seconds_since "$VIBE_STEPS_T0")"
  for line in "${VIBE_TEST_LINES[@]}"; do printf '  %s\n' "$line"; done
  printf '\n%d passed, %d failed, %d skipped\n' "$VIBE_TEST_PASSED" "$VIBE_TEST_FAILED" "$VIBE_TEST_SKIPPED"
  ((VIBE_TEST_FAILED == 0 && VIBE_TEST_PASSED > 0))
}

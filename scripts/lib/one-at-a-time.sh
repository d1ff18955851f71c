# shellcheck shell=bash
# Two runs at once of scripts that change the machine would undo each other's work. Source lib/steps.sh first.

# Ends the script when another one holds the lock of that name; the lock ends with this process. Descriptor 9 is the
# lock's: what outlives the script must be started with 9>&-.
# one_at_a_time NAME WHAT   (WHAT: who may hold it, for the sentence)
one_at_a_time() {
  ((EUID == 0)) || return 0
  exec 9>"/run/vibeswarm-$1.lock"
  flock --nonblock 9 || die "another $2 runs on this machine: wait for it to end, then run this again"
}

# shellcheck shell=bash
# Programs that a script needs, from the distribution's packages: only what is missing, and nothing is ever removed.
# Source lib/steps.sh first.

VIBE_APT_IS_FRESH=''
VIBE_INSTALLED_PACKAGES=()

# Debian's root shell under `su` lacks the sbin folders, and half of what is asked for lives there.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export PATH

has_apt() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null
}

# A fresh machine often upgrades itself in the background: waits for its lock instead of failing. Asks no questions,
# keeps configuration files that somebody edited.
apt_get() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
    apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-confdef -y -qq "$@" </dev/null
}

# Reads the package lists once a run; what an interrupted installation left half-done is finished first.
freshen_apt() {
  [[ -z "$VIBE_APT_IS_FRESH" ]] || return 0
  if [[ -n "$(dpkg --audit 2>/dev/null)" ]]; then
    note 'an earlier installation of packages was interrupted: finishing it (dpkg --configure -a)'
    quietly 'dpkg --configure -a' env DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confold || true
  fi
  quietly 'apt-get update' apt_get update ||
    warn 'the package lists could not be read anew (apt-get update): going on with the ones this machine has'
  VIBE_APT_IS_FRESH=yes
}

# 0 when apt knows a version of the package that it could install. (Where pipefail is set, grep must read to the end: with
# -q it leaves early, and apt-cache, cut off, would make the whole false.)
package_exists() {
  apt-cache policy "$1" 2>/dev/null | grep -E '^  Candidate: [^(]' >/dev/null
}

# Installs packages by name, without their recommendations. Safe to repeat.
install_packages() {
  freshen_apt
  note "installing with apt: $*"
  quietly "apt-get install $*" apt_get install --no-install-recommends "$@" ||
    die "packages could not be installed: run \"apt-get update && apt-get install $*\" and read what it says, then run this again"
  VIBE_INSTALLED_PACKAGES+=("$@")
}

# Makes sure programs are there, all missing ones by one installation.
# need_programs PROGRAM[=PACKAGE[,PACKAGE…]] …   → returns when every program is on the path, dies otherwise
need_programs() {
  local wanted program packages missing_programs=() missing_packages=()
  for wanted in "$@"; do
    program=${wanted%%=*}
    command -v "$program" >/dev/null && continue
    missing_programs+=("$program")
    packages=${wanted#*=}
    missing_packages+=("${packages//,/ }")
  done
  ((${#missing_programs[@]})) || return 0
  has_apt || die "these programs are missing and this machine has no apt to install them: ${missing_programs[*]};" \
    'install them with your distribution'"'"'s own tool, then run this again'
  # shellcheck disable=SC2068,SC2086 # one wanted entry may name several packages
  install_packages ${missing_packages[@]}
  hash -r
  for program in "${missing_programs[@]}"; do
    command -v "$program" >/dev/null || die "$program is still missing after its package was installed: install it by hand, then run this again"
  done
}

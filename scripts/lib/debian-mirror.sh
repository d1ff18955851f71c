# shellcheck shell=bash
# Where this machine gets its Debian packages from. The air-gapped stand-ins are made from the same place, so that
# a company's own mirror is used for them as well. Source lib/steps.sh first.

# Prints the URIs of a sources file that serve suites matching an extended regular expression, one a line.
# Reads both forms: "deb [options] URI SUITE …" and deb822 blocks.
uris_of_suites() {
  local suites=$1
  shift
  awk -v want="$suites" '
    function flush() { if (enabled && types ~ /(^| )deb( |$)/ && suites ~ want) print uri; uri = suites = types = ""; enabled = 1 }
    BEGIN { enabled = 1 }
    FNR == 1 { flush() }
    /^[[:space:]]*#/ { next }
    /^deb[[:space:]]/ {
      line = $0; sub(/\[[^]]*\]/, "", line); n = split(line, f, /[[:space:]]+/)
      if (f[3] ~ want) print f[2]
      next
    }
    /^Types:/   { types = $0; sub(/^Types:[[:space:]]*/, "", types) }
    /^URIs:/    { uri = $2 }
    /^Suites:/  { suites = $0; sub(/^Suites:[[:space:]]*/, "", suites) }
    /^Enabled:[[:space:]]*no/ { enabled = 0 }
    /^[[:space:]]*$/ { flush() }
    END { flush() }
  ' "$@"
}

# Prints "MAIN_URI SECURITY_URI" of this machine's Debian mirror (the second may be empty).
# VIBE_DEBIAN_MIRROR and VIBE_DEBIAN_SECURITY_MIRROR override what apt's sources say.
debian_mirror() {
  local id codename files main security
  id=$(. /etc/os-release && printf '%s' "${ID:-}")
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  main=${VIBE_DEBIAN_MIRROR:-}
  security=${VIBE_DEBIAN_SECURITY_MIRROR:-}
  if [[ -z "$main" && "$id" == debian ]]; then
    shopt -s nullglob
    files=(/etc/apt/sources.lis[t] /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
    shopt -u nullglob
    main=$(uris_of_suites "(^| )(${codename:-none}|stable)( |\$)" "${files[@]}" 2>/dev/null | grep -m1 '/debian/*$' || true)
    security=$(uris_of_suites "(${codename:-none}|stable)-security" "${files[@]}" 2>/dev/null | head -n1)
  fi
  [[ -n "$main" ]] || die 'no Debian mirror is known on this machine, and base images are made from one:' \
    'set VIBE_DEBIAN_MIRROR to the address of a Debian mirror, or give the machine a way to a public image registry'
  printf '%s %s\n' "${main%/}" "${security%/}"
}

# Prints the HTTP proxy that apt uses on this machine, or nothing.
apt_proxy() {
  local http_proxy_of_apt=''
  command -v apt-config >/dev/null || return 0
  eval "$(apt-config shell http_proxy_of_apt Acquire::http::Proxy)"
  [[ "$http_proxy_of_apt" == DIRECT ]] || printf '%s' "$http_proxy_of_apt"
}

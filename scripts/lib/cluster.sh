# shellcheck shell=bash
# What the Swarm as a whole gets once, from its manager: networks, secrets, the registry's CA and login, the join file.
# Everything here may be repeated. What was made is kept in /etc/vibeswarm, readable by root alone.
# Source lib/steps.sh and lib/node.sh first.

OVERLAY_NETWORK=${OVERLAY_NETWORK:-vibe-overlay}
OVERLAY_SUBNET=${OVERLAY_SUBNET:-10.128.0.0/16}
CONTROL_SUBNET=${CONTROL_SUBNET:-10.129.0.0/24}
VIBE_LABEL=vibe.swarm=1

random_hex() { openssl rand -hex "$1"; }

# An overlay packet carries 50 bytes more than its content: on links below 1500 (many clouds) the default would split.
overlay_mtu() {
  local address=$1 mtu=''
  ! command -v ip >/dev/null || mtu=$(ip -o addr show to "$address/32" 2>/dev/null | awk '{ print $2; exit }' |
    xargs -r -I{} cat /sys/class/net/{}/mtu)
  ((${mtu:-1500} >= 1500)) && mtu=1500
  printf '%d' $((mtu - 50))
}

# Makes an overlay network, or checks that the one that exists is of the wished kind.
# ensure_network NAME SUBNET ADDRESS [docker option …]
ensure_network() {
  local name=$1 subnet=$2 address=$3 found
  shift 3
  found=$(docker network inspect -f '{{.Driver}} {{range .IPAM.Config}}{{.Subnet}}{{end}}' "$name" 2>/dev/null || true)
  case $found in
    "overlay $subnet") return 0 ;;
    '') ;;
    *) die "the network $name exists as \"$found\" and not as \"overlay $subnet\": remove it (docker network rm $name)" ;;
  esac
  docker network create -d overlay --subnet "$subnet" --label "$VIBE_LABEL" \
    --opt "com.docker.network.driver.mtu=$(overlay_mtu "$address")" "$@" "$name" >/dev/null ||
    die "the network $name ($subnet) cannot be made: see the line above, or choose another OVERLAY_SUBNET or CONTROL_SUBNET"
  note "made the network $name ($subnet)"
}

has_secret() { docker secret inspect "$1" >/dev/null 2>&1; }

# A secret that nobody but the Swarm keeps: drawn once.
ensure_drawn_secret() {
  has_secret "$1" && return 0
  printf '%s' "$(random_hex 32)" | docker secret create --label "$VIBE_LABEL" "$1" - >/dev/null
  note "drew the secret $1"
}

# A secret or config whose content is a file in /etc/vibeswarm. When the Swarm holds another content under that name
# (the folder was renewed), it is replaced, as long as no service uses it.
# ensure_from_file secret|config NAME FILE
ensure_from_file() {
  local kind=$1 name=$2 file=$3 hash known
  hash=$(sha256sum "$file" | cut -c1-16)
  known=$(docker "$kind" inspect -f '{{index .Spec.Labels "vibe.content"}}' "$name" 2>/dev/null || true)
  [[ $known != "$hash" ]] || return 0
  if docker "$kind" inspect "$name" >/dev/null 2>&1; then
    docker "$kind" rm "$name" >/dev/null 2>&1 ||
      die "the $kind $name is in use with another content than $file: run scripts/down --keep-data, then this again"
  fi
  docker "$kind" create --label "$VIBE_LABEL" --label "vibe.content=$hash" "$name" "$file" >/dev/null
  note "made the $kind $name"
}

# The registry's own CA and its certificate for the registry's name (elliptic curve, ten years: it is private).
ensure_registry_certificate() {
  local name=${REGISTRY_URL%%:*} ca=$VIBE_ETC/registry-ca
  if [[ ! -s $ca.crt || ! -s $ca.key ]]; then
    openssl ecparam -name prime256v1 -genkey -noout -out "$ca.key"
    openssl req -x509 -new -key "$ca.key" -sha256 -days 3650 -subj '/CN=Vibeswarm registry CA' \
      -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out "$ca.crt"
    rm -f "$VIBE_ETC/registry.crt"
    note 'made a CA for our registry'
  fi
  if [[ ! -s $VIBE_ETC/registry.crt ]] ||
    ! openssl x509 -in "$VIBE_ETC/registry.crt" -noout -checkend 2592000 -ext subjectAltName 2>/dev/null | grep -q "DNS:$name\b"; then
    openssl ecparam -name prime256v1 -genkey -noout -out "$VIBE_ETC/registry.key"
    openssl req -new -key "$VIBE_ETC/registry.key" -subj "/CN=$name" -out "$VIBE_ETC/registry.csr"
    printf 'subjectAltName=DNS:%s,DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' "$name" |
      openssl x509 -req -in "$VIBE_ETC/registry.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -sha256 -days 3600 \
        -extfile /dev/stdin -out "$VIBE_ETC/registry.crt" 2>/dev/null
    rm -f "$VIBE_ETC/registry.csr" "$ca.srl"
    note "made a certificate for $name"
  fi
}

# The registry reads bcrypt alone. The password has 192 random bits, so the lowest cost is enough, and the registry
# pays for it at every request.
bcrypt() {
  local hash salt
  salt=$(openssl rand -base64 32 | tr -dc 'A-Za-z0-9' | cut -c1-21)e
  hash=$(perl -e 'print crypt($ARGV[0], "\$2b\$04\$" . $ARGV[1])' "$1" "$salt" 2>/dev/null || true)
  if [[ ${hash:0:2} != \$2 ]] && command -v htpasswd >/dev/null; then
    hash=$(htpasswd -nbB -C 4 vibe "$1" | head -n1)
    hash=${hash#vibe:}
  fi
  [[ ${hash:0:2} == \$2 && ${#hash} == 60 ]] || die 'neither perl nor htpasswd can make a bcrypt hash here: apt-get install apache2-utils'
  printf '%s' "$hash"
}

# The one login of the registry, for the agents and for session services.
ensure_registry_login() {
  local password
  [[ ! -s $VIBE_ETC/registry-login || ! -s $VIBE_ETC/registry-htpasswd ]] || return 0
  password=$(random_hex 24)
  printf '{"username":"vibe","password":"%s"}\n' "$password" >"$VIBE_ETC/registry-login"
  printf 'vibe:%s\n' "$(bcrypt "$password")" >"$VIBE_ETC/registry-htpasswd"
  note 'drew the login of our registry'
}

# Gives this machine's docker client the registry's login, once the registry answers.
# login_to_registry LIMIT_S → 1 when the registry did not answer in time
login_to_registry() {
  local password
  password=$(sed -n 's/.*"password":"\([^"]*\)".*/\1/p' "$VIBE_ETC/registry-login")
  # shellcheck disable=SC2317  # called by wait_until
  try_login() { printf '%s' "$password" | timeout 10 docker login --username vibe --password-stdin "$REGISTRY_URL"; }
  wait_until "$1" try_login
}

# A volume whose top folder belongs to the user that its service runs as (the official image would leave it to root).
ensure_volume() {
  local name=$1 owner=$2 folder
  docker volume inspect "$name" >/dev/null 2>&1 || { docker volume create --label "$VIBE_LABEL" "$name" >/dev/null && note "made the volume $name"; }
  folder=$(docker volume inspect -f '{{.Mountpoint}}' "$name")
  [[ ! -d $folder || $(stat -c %u:%g "$folder") == "$owner" ]] || chown "$owner" "$folder"
}

# The file that makes another machine a worker: swarm-join FILE. It holds the Swarm's worker token: root alone may read it.
write_join_file() {
  local address=$1 token
  token=$(docker swarm join-token -q worker)
  {
    printf 'manager=%s\ntoken=%s\nregistry_url=%s\nregistry_address=%s\negress_allow=%s\nca=%s\n' \
      "$(docker node inspect self -f '{{.ManagerStatus.Addr}}')" "$token" "$REGISTRY_URL" "$address" \
      "${SESSION_EGRESS_ALLOW:-}" "$(base64 -w0 <"$VIBE_ETC/registry-ca.crt")"
  } >"$VIBE_ETC/join"
  chmod 0600 "$VIBE_ETC/join"
}

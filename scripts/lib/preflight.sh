# shellcheck shell=bash
# What must be true of a machine before anything on it is changed. Every check only looks; all problems are collected,
# so that they are named at once, each with its cure. Source lib/bootstrap.sh and lib/settings.sh first, lib/preflight-engine.sh after it.

VIBE_PROBLEMS=()

# problem 'what is wrong: what to do about it'
problem() {
  VIBE_PROBLEMS+=("$*")
}

check_root_and_machine() {
  ((EUID == 0)) || problem "this is not root, and packages, node rules and /etc/vibeswarm need it: run it with sudo"
  [[ $(uname -s) == Linux ]] || problem "this is $(uname -s), and Swarm needs Linux: run it on a Linux machine"
  case $(uname -m) in
    x86_64 | aarch64) ;;
    *) problem "this machine is $(uname -m): use an x86_64 or aarch64 one" ;;
  esac
  if ! has_apt; then
    local missing=() program
    for program in docker dockerd openssl iptables ip nft curl node npm; do
      command -v "$program" >/dev/null || missing+=("$program")
    done
    ((${#missing[@]} == 0)) || problem "this machine has no apt, and these programs are missing: ${missing[*]}; install them with your distribution's tool"
  fi
}

check_memory() {
  local mib
  mib=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
  # A machine sold with 2 GiB shows a little less.
  ((mib >= 1800)) || problem "this machine has $mib MiB of memory: give it at least 2 GiB (each running session may use ${SESSION_MEMORY_LIMIT_MIB:-2048} MiB)"
}

# The nearest folder of a path that exists.
existing_parent() {
  local path=$1
  while [[ ! -d $path ]]; do path=$(dirname "$path"); done
  printf '%s' "$path"
}

check_disk() {
  local root path free_mib need_mib=10240
  # A repeated run has its images already.
  is_installed && need_mib=2048
  root=$(asked '{{.DockerRootDir}}')
  for path in "${root:-/var/lib/docker}" "$VIBE_CACHE"; do
    free_mib=$(df -Pm "$(existing_parent "$path")" | awk 'NR == 2 { print $4 }')
    ((free_mib >= need_mib)) || problem "only $free_mib MiB are free for $path: make room, at least $((need_mib / 1024)) GiB"
  done
}

# Runs a command in a network namespace of its own: what it makes is gone with it.
in_throwaway_net() {
  unshare --net -- "$@" >/dev/null 2>&1
}

# What the kernel's own list of its configuration says of an option: y, m, n, or nothing when there is no list.
kernel_option() {
  local line=''
  if [[ -r /proc/config.gz ]]; then line=$(zcat /proc/config.gz 2>/dev/null | grep -E "^(CONFIG_$1=|# CONFIG_$1 is not set)")
  elif [[ -r /boot/config-$(uname -r) ]]; then line=$(grep -E "^(CONFIG_$1=|# CONFIG_$1 is not set)" "/boot/config-$(uname -r)")
  else return 0; fi
  case $line in *=y) echo y ;; *=m) echo m ;; *) echo n ;; esac
}

# Asks the kernel by doing, where the tool for it is here; else by its configuration; when neither can tell, the same
# check runs again after the installation of the tools.
# check_kernel_feature NAME KERNEL-OPTION TOOL COMMAND…
check_kernel_feature() {
  local name=$1 option=$2 tool=$3
  shift 3
  if command -v "$tool" >/dev/null && command -v unshare >/dev/null && ((EUID == 0)); then
    in_throwaway_net "$@" && return 0
  elif [[ $(kernel_option "$option") != n ]]; then
    return 0
  fi
  problem "the kernel $(uname -r) has no $name: load or install its module (modprobe; on a cloud image: the full kernel package), or use a machine whose kernel has CONFIG_$option"
}

check_kernel() {
  grep -qw overlay /proc/filesystems || modprobe -n overlay >/dev/null 2>&1 ||
    problem "the kernel $(uname -r) has no overlayfs, which the Engine's image store needs: use a kernel with CONFIG_OVERLAY_FS"
  check_kernel_feature 'VXLAN, which the networks between nodes need' VXLAN ip ip link add vibe-probe type vxlan id 7 dstport 4789
  check_kernel_feature 'virtual network pairs' VETH ip ip link add vibe-a type veth peer name vibe-b
  check_kernel_feature 'bridges' BRIDGE ip ip link add vibe-probe type bridge
  check_kernel_feature 'nftables, which shuts a session in' NF_TABLES nft nft 'add table inet vibe; add chain inet vibe out { type filter hook output priority 0; }; add rule inet vibe out ct state established accept'
  check_kernel_feature 'iptables, which the Engine needs' NF_NAT iptables iptables -t nat -A POSTROUTING -j MASQUERADE
  local controller missing=()
  for controller in memory pids cpu; do
    grep -qw "$controller" /sys/fs/cgroup/cgroup.controllers 2>/dev/null ||
      awk -v c="$controller" '$1 == c && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups 2>/dev/null || missing+=("$controller")
  done
  ((${#missing[@]} == 0)) || problem "the kernel cannot limit a session's ${missing[*]} (cgroup controllers): boot it with them (on some boards: cgroup_enable=memory on the kernel's command line)"
}

# Prints who listens on a TCP port (or holds a UDP one): "program (pid N)", or nothing when it is free.
holder_of_port() {
  local protocol=$1 port=$2 hex inode fd pid
  hex=$(printf '%04X' "$port")
  inode=$(cat "/proc/net/$protocol" "/proc/net/${protocol}6" 2>/dev/null |
    awk -v p=":$hex" -v state="$([[ $protocol == tcp ]] && echo 0A)" '$2 ~ p"$" && (state == "" || $4 == state) { print $10; exit }')
  [[ -n $inode ]] || return 0
  # A socket without a process is the kernel's own (a VXLAN).
  [[ $inode != 0 ]] || { echo 'the kernel'; return 0; }
  for fd in /proc/[0-9]*/fd/*; do
    [[ $(readlink "$fd" 2>/dev/null) == "socket:[$inode]" ]] || continue
    pid=${fd#/proc/}
    pid=${pid%%/*}
    echo "$(cat "/proc/$pid/comm" 2>/dev/null) (pid $pid)"
    return 0
  done
  echo 'a process that cannot be seen from here'
}

check_port() {
  local protocol=$1 port=$2 cure=$3 holder
  holder=$(holder_of_port "$protocol" "$port")
  [[ -z $holder ]] || problem "port $port/$protocol is taken by $holder: $cure"
}

# 0 when a service of ours has a running task here that publishes the port itself.
is_published_by_us() {
  sees_engine && docker ps --filter "label=com.docker.swarm.service.name=$1" --format '{{.Ports}}' 2>/dev/null | grep -E "(^|[:, ])$2->" >/dev/null
}

check_ports() {
  local free='stop that program, or use another machine'
  is_published_by_us vibe-edge_traefik 80 || check_port tcp 80 "$free"
  is_published_by_us vibe-edge_traefik 443 || check_port tcp 443 "$free"
  is_published_by_us vibe-state_registry 5000 || check_port tcp 5000 "$free"
  # An active Swarm holds its own ports.
  [[ $(asked '{{.Swarm.LocalNodeState}}') == active ]] && return 0
  check_port tcp 2377 "$free (Swarm's own port)"
  check_port tcp 7946 "$free (Swarm's own port)"
  check_port udp 7946 "$free (Swarm's own port)"
  check_port udp 4789 "remove that VXLAN or stop that program (Swarm carries its networks over it)"
}

check_subnets() {
  local name subnet route
  command -v ip >/dev/null || return 0
  is_our_swarm && return 0
  for name in OVERLAY_SUBNET=10.128.0.0/16 CONTROL_SUBNET=10.129.0.0/24 DOCKER_VIEW_SUBNET=10.129.1.0/24; do
    subnet=${name#*=} name=${name%%=*}
    subnet=${!name:-$subnet}
    while read -r route _; do
      [[ $route =~ ^[0-9.]+(/[0-9]+)?$ ]] || continue
      ! nets_overlap "$subnet" "$route" || problem "this machine has a route to $route, which overlaps our network $subnet: set $name to a free range"
    done < <(ip -4 route show 2>/dev/null)
  done
}

# 0 when two IPv4 networks in a.b.c.d/n share an address.
nets_overlap() {
  awk -v a="$1" -v b="$2" '
    function start(net, bits,   o) { split(net, o, "."); n = o[1]*16777216 + o[2]*65536 + o[3]*256 + o[4]; return n - n % 2^(32-bits) }
    BEGIN {
      split(a, x, "/"); split(b, y, "/"); if (y[2] == "") y[2] = 32
      s = start(x[1], x[2]); t = start(y[1], y[2])
      exit !(s < t + 2^(32-y[2]) && t < s + 2^(32-x[2]))
    }'
}

# Looks at everything; changes nothing. Ends the script with all problems when there are any.
preflight() {
  VIBE_PROBLEMS=()
  check_root_and_machine
  look_for_engine
  check_memory
  check_disk
  check_kernel
  check_engine
  check_swarm_membership
  check_ports
  check_subnets
  local line
  while IFS= read -r line; do [[ -z $line ]] || problem "$line"; done < <(settings_problems)
  ((${#VIBE_PROBLEMS[@]})) || return 0
  for line in "${VIBE_PROBLEMS[@]}"; do warn "$line"; done
  if ((${#VIBE_PROBLEMS[@]} == 1)); then die 'one thing is in the way (above, with its cure); nothing was changed'; fi
  die "${#VIBE_PROBLEMS[@]} things are in the way (above, each with its cure); nothing was changed"
}

# Yours to change. The terminal's own set-up is in /etc/vibe/bash.sh, read before this file.
[[ $- == *i* ]] || return


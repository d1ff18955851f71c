#!/bin/sh
# As in the official image: options and traefik's own commands go to traefik.
set -e
if [ "${1#-}" != "$1" ] || { [ "$1" != traefik ] && traefik "$1" --help >/dev/null 2>&1; }; then
  set -- traefik "$@"
fi
exec "$@"

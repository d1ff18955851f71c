# A throw-away Go for machines that have none, or an old one. Debian's own is a step behind: with GOTOOLCHAIN=auto it
# fetches the version that go.mod asks for from the Go module proxy.
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends golang-go ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

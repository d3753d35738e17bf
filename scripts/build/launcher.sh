#!/bin/sh
# @NAME@ @VERSION@ for @TARGET@: one file that unpacks itself.
#
# After the last line of this script follows a tar.gz with the Deno runtime, the program and the
# licenses. The first start unpacks it into a folder of the user's cache that is named after its
# digest; every start then replaces this shell by the program in that folder, so that arguments,
# exit code, signals and standard streams pass through.
set -u

fatal() {
  printf '[@NAME@] FATAL: %s\n' "$1" >&2
  exit 1
}

is_unpacked() {
  [ -x "$folder/deno" ] || return 1
  for file in @FILES@; do
    [ -f "$folder/$file" ] || return 1
  done
}

# Unpacks beside the final place and renames file by file. Each rename is atomic and every start
# brings the same content, so any number of first starts at once can do this over each other.
unpack() {
  umask_before=$(umask)
  umask 077
  mkdir -p "$folder" 2>/dev/null && fresh=$(mktemp -d "$folder/.unpack.XXXXXX" 2>/dev/null) ||
    fatal "can't write to $folder: make it writable, or set XDG_CACHE_HOME to a folder that is"
  trap 'rm -rf "$fresh"' EXIT
  trap 'fatal "interrupted while unpacking"' HUP INT TERM
  tail -n +@SCRIPT_LINES@ "$0" | tar -xzof - -C "$fresh" ||
    fatal "can't unpack into $folder: the disk is full, or this file is damaged"
  "$fresh/deno" --version >/dev/null 2>&1 ||
    fatal "can't run programs from $folder: takes a @TARGET@ machine, and a file system without noexec"
  for file in @FILES@; do
    mv -f "$fresh/$file" "$folder/$file" || fatal "can't write to $folder"
  done
  rm -rf "$fresh"
  trap - EXIT HUP INT TERM
  umask "$umask_before"
}

case ${XDG_CACHE_HOME:-} in
  /*) cache=$XDG_CACHE_HOME ;;
  *)
    case ${HOME:-} in
      /*) cache=$HOME/.cache ;;
      *) fatal "no folder to unpack into: set HOME or XDG_CACHE_HOME to an absolute path" ;;
    esac
    ;;
esac
folder=$cache/@NAME@/@DIGEST@
is_unpacked || unpack

# The runtime asks no server for updates, and keeps its own caches out of the user's.
export DENO_NO_UPDATE_CHECK=1 DENO_DIR="$folder/.deno"
exec "$folder/deno" run @FLAGS@ "$folder/main.js" "$@"

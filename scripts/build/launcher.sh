#!/bin/sh
# @NAME@ @VERSION@ for @TARGET@: one file that unpacks itself.
#
# After the last line of this script follows a tar.gz with the Deno runtime, the programs and the
# licenses. The first start unpacks it into a folder of the user's cache that is named after its
# digest. Every start checks what lies there, then replaces this shell by the program in that
# folder, so that arguments, exit code, signals and standard streams pass through. Called boltctl,
# or with ctl as its first argument, it is boltctl.
#
# Takes a POSIX system, and of others: mktemp, tar -z, and sha256sum, shasum or openssl.
set -u

fatal() {
  printf '[@NAME@] FATAL: %s\n' "$1" >&2
  exit 1
}

newline='
'

# Adds every folder above a path, and the path, to `paths`: one a line, the root without its slash.
add_paths() {
  path=$1
  while [ -n "$path" ]; do
    paths=$paths$newline$path
    path=${path%/*}
  done
}

# Nobody else may have put anything into the folder, or the folder there: it and what is above it is
# ours or root's, and others may write to none of it, but above it where the sticky bit keeps them
# from renaming what is ours (/tmp). A link counts as what it is, and as what it leads to.
check_folders() {
  paths=/
  add_paths "$folder"
  add_paths "$real"
  # shellcheck disable=SC2086 # split at line feeds, which no path here has
  found=$(
    set -f
    IFS=$newline
    find $paths -prune \( ! -user 0 ! -user "$user" -o ! -type l \( -perm -020 -o -perm -002 \) \
      \( ! -perm -1000 -o -name @NAME@ -o -name @DIGEST@ \) \) -print
  ) || fatal "can't check who may write to $folder"
  [ -z "$found" ] || fatal "${found%%"$newline"*} belongs to another user, or others may write to \
it, and so could change the program that is unpacked there: chmod go-w it and remove $folder, or set \
XDG_CACHE_HOME to a folder of your own"
}

is_unpacked() {
  [ -x "$real/deno" ] || return 1
  for file in @FILES@; do
    [ -f "$real/$file" ] || return 1
  done
}

changed() {
  fatal "$1 is not what was unpacked there, somebody has changed it: remove $folder, and the next \
start unpacks it again"
}

# Prints the SHA-256 of files in the folder, each with a blank after it.
digests() {
  (
    cd "$real" || exit
    if command -v sha256sum >/dev/null; then sha256sum "$@"
    elif command -v shasum >/dev/null; then shasum -a 256 "$@"
    else openssl dgst -sha256 -r "$@"
    fi
  ) 2>/dev/null | while read -r digest _; do printf '%s ' "$digest"; done
}

# The files are what was packed, whatever the modes say. The runtime is large: once its digest was
# right it is known by its inode, size and times, and by a ctime, which nobody can set, that is older
# than the last digest: ls tells minutes. It is digested again when one of them is another, and at
# each start where find doesn't know -cnewer.
check_files() {
  set --
  for file in @FILES@ .deno .verified; do
    if [ -e "$real/$file" ] || [ -L "$real/$file" ]; then set -- "$@" "$real/$file"; fi
  done
  found=$(find "$@" -prune \( ! -user 0 ! -user "$user" -o -type l -o -perm -020 -o -perm -002 \) \
    -print) || fatal "can't check the files in $folder"
  [ -z "$found" ] || changed "${found%%"$newline"*}"
  [ "$(digests @PROGRAM@)" = "@PROGRAM_DIGESTS@ " ] || changed "the program in $folder"
  state=$(LC_ALL=C TZ=UTC0 && export LC_ALL TZ && cd "$real" && ls -lnid deno && ls -lnicd deno) ||
    fatal "can't look at $folder/deno"
  known=
  [ -f "$real/.verified" ] && { IFS= read -r known; IFS= read -r times; } <"$real/.verified" &&
    known=$known$newline$times
  [ "$state" = "$known" ] &&
    [ -n "$(find "$real/deno" -prune ! -cnewer "$real/.verified" -print 2>/dev/null)" ] && return
  # Made before the digest, so that it is older than any later change. In a folder that can't be
  # written to, every start digests it.
  note=$(umask 077 && mktemp "$real/.verified.XXXXXX" 2>/dev/null) &&
    printf '%s\n' "$state" 2>/dev/null >"$note"
  [ "$(digests deno)" = "@RUNTIME_DIGEST@ " ] || { rm -f "$note"; changed "$folder/deno"; }
  [ -z "$note" ] || mv -f "$note" "$real/.verified"
}

# Unpacks beside the final place and renames file by file. Each rename is atomic and every start
# brings the same content, so any number of first starts at once can do this over each other.
unpack() {
  umask_before=$(umask)
  umask 077
  fresh=$(mktemp -d "$real/.unpack.XXXXXX" 2>/dev/null) || cant_write
  trap 'kill "$telling" 2>/dev/null; rm -rf "$fresh"' EXIT
  trap 'fatal "interrupted while unpacking"' HUP INT TERM
  # Whoever waits longer is told what for; it closes what a reader of our output would wait for.
  (trap 'kill "$!" 2>/dev/null; exit' TERM
    sleep 1 >/dev/null 2>&1 & wait "$!" &&
      printf '[@NAME@] unpacking into %s, once for this version\n' "$folder" >&2) </dev/null >/dev/null &
  telling=$!
  tail -n +@SCRIPT_LINES@ "$0" | tar -xzof - -C "$fresh" ||
    fatal "can't unpack into $folder: the disk is full, or this file is damaged"
  "$fresh/deno" --version >/dev/null 2>&1 ||
    fatal "can't run programs from $folder: takes a @TARGET@ machine, and a file system without noexec"
  for file in @FILES@; do
    mv -f "$fresh/$file" "$real/$file" || fatal "can't write to $folder"
  done
  kill "$telling" 2>/dev/null
  rm -rf "$fresh"
  trap - EXIT HUP INT TERM
  umask "$umask_before"
}

cant_write() {
  fatal "can't write to $folder: make it writable, or set XDG_CACHE_HOME to a folder that is"
}

@SCOPE_SERVE@

case ${XDG_CACHE_HOME:-} in
  /*) cache=$XDG_CACHE_HOME ;;
  *)
    case ${HOME:-} in
      /*) cache=$HOME/.cache ;;
      *) fatal "no folder to unpack into: set HOME or XDG_CACHE_HOME to an absolute path" ;;
    esac
    ;;
esac
case $cache in *"$newline"*) fatal "a folder with a line feed in its name can't be used: set \
XDG_CACHE_HOME to another" ;; esac
folder=$cache/@NAME@/@DIGEST@
user=$(id -u) || fatal "can't tell which user this is"
command -v sha256sum >/dev/null || command -v shasum >/dev/null || command -v openssl >/dev/null ||
  fatal "can't check the unpacked program: install sha256sum, shasum or openssl"
[ -d "$folder" ] || (umask 077 && mkdir -p "$folder" 2>/dev/null) || cant_write
real=$(cd -P "$folder" 2>/dev/null && pwd -P) || cant_write
check_folders
is_unpacked || unpack
check_files

# The runtime asks no server for updates, and keeps its own caches out of the user's. All its threads
# share what they give back to malloc of glibc: else each keeps some for itself.
[ -d "$real/.deno" ] || (umask 077 && mkdir "$real/.deno" 2>/dev/null)
export DENO_NO_UPDATE_CHECK=1 DENO_DIR="$real/.deno" MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
case ${0##*/} in boltctl | boltctl-*) set -- ctl "$@" ;; esac
case ${1:-} in
  ctl) set -- @CTL_FLAGS@ "$real/main.js" "$@" ;;
  serve)
    scope_serve "$@"
    # shellcheck disable=SC2086 # nothing, or one word
    set -- @SERVE_FLAGS@ "$reads" ${writes:+"$writes"} "$real/main.js" "$@"
    ;;
  *) set -- @FLAGS@ "$real/main.js" "$@" ;;
esac
exec "$real/deno" run "$@"

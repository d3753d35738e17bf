#!/bin/sh
# Installs a downloaded build for the user who runs it: no root, no network.
#
#   sh install.sh [--prefix DIR] [FOLDER]
#
# FOLDER (default: where this script is) holds SHA256SUMS and the file for this platform, named as a
# build names it, e.g. bolt-daemon-linux-x64. It is copied beside its final place, its copy is held
# against SHA256SUMS, and only when that is right does it get its names in DIR/bin (default:
# ~/.local/bin): bolt-daemon, and boltctl, a second name of the same file.
set -eu

fatal() {
  printf '[install] FATAL: %s\n' "$1" >&2
  exit 1
}
say() { printf '[install] %s\n' "$1" >&2; }

prefix=
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --prefix)
      [ $# -ge 2 ] && [ -n "$2" ] || fatal "--prefix requires a folder"
      prefix=$2
      shift 2
      ;;
    --prefix=?*)
      prefix=${1#--prefix=}
      shift
      ;;
    -*) fatal "Unknown argument: $1. Usage: install.sh [--prefix DIR] [FOLDER]" ;;
    *)
      [ -z "$folder" ] || fatal "one folder is enough: $folder, not also $1"
      folder=$1
      shift
      ;;
  esac
done
[ -n "$folder" ] || folder=$(dirname -- "$0")
if [ -z "$prefix" ]; then
  case ${HOME:-} in
    /*) prefix=$HOME/.local ;;
    *) fatal "no folder to install into: set HOME, or give --prefix DIR" ;;
  esac
fi

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fatal "nothing is built for $(uname -s) that this script installs; on Windows unpack the zip" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=x64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fatal "nothing is built for $(uname -m)" ;;
esac

sum_of() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum <"$1"
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 <"$1"
  else
    fatal "neither sha256sum nor shasum is here: nothing can be checked, so nothing is installed"
  fi | cut -d ' ' -f 1
}

sums=$folder/SHA256SUMS
[ -f "$sums" ] || fatal "$sums is missing: download it with the programs"

# The sum that SHA256SUMS has for a name, if it has exactly one that is well formed.
expected_of() {
  awk -v name="$1" '
    $2 == name || $2 == "*" name { count++; sum = $1; fields = NF }
    END { if (count == 1 && fields == 2 && sum ~ /^[0-9a-f]+$/ && length(sum) == 64) print sum }
  ' "$sums"
}

bin=$prefix/bin
mkdir -p "$bin" || fatal "can't make $bin: give --prefix a folder of yours"
fresh=$(mktemp -d "$bin/.install.XXXXXX") || fatal "can't write in $bin: give --prefix a folder of yours"
trap 'rm -rf "$fresh"' EXIT
trap 'exit 1' HUP INT TERM

file=bolt-daemon-$os-$arch
[ -e "$folder/$file" ] || fatal "$folder holds no program for $os-$arch"
expected=$(expected_of "$file")
[ -n "$expected" ] || fatal "$sums does not tell the sum of $file: download both again"
cp "$folder/$file" "$fresh/bolt-daemon" || fatal "can't copy $folder/$file into $bin"
# It is the copy that is checked: nothing can come between the check and what is installed.
actual=$(sum_of "$fresh/bolt-daemon")
[ "$actual" = "$expected" ] ||
  fatal "$file is not what SHA256SUMS says ($actual instead of $expected): do not run it; download it again"
chmod 755 "$fresh/bolt-daemon"
# Where a file can't have two names there are two files.
ln "$fresh/bolt-daemon" "$fresh/boltctl" 2>/dev/null || cp "$fresh/bolt-daemon" "$fresh/boltctl" ||
  fatal "can't write in $bin"

for program in bolt-daemon boltctl; do
  mv -f "$fresh/$program" "$bin/$program" || fatal "can't write $bin/$program"
  say "installed $bin/$program"
done
case :${PATH:-}: in
  *:"$bin":*) ;;
  *) say "$bin is not in PATH: add it, or start the programs by their full paths" ;;
esac

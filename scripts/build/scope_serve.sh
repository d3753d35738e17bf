# Adds a path to a list of the runtime's, `reads` or `writes`; a comma in it is doubled there.
allow() {
  rest=$2
  case $1 in reads) reads=$reads, ;; writes) writes=$writes, ;; esac
  while :; do
    case $rest in
      *,*) word=${rest%%,*},, rest=${rest#*,} ;;
      *) word=$rest rest= ;;
    esac
    case $1 in reads) reads=$reads$word ;; writes) writes=$writes$word ;; esac
    [ -n "$rest" ] || break
  done
}

# Takes the arguments of `serve`, and sets `reads` and `writes` to the flags of the runtime that let it
# have what they name. What is no good among them it refuses itself.
scope_serve() {
  reads=--allow-read=$real writes= sends=
  shift
  while [ $# -gt 0 ]; do
    flag=${1%%=*}
    case $1 in
      *=*) value=${1#*=} ;;
      *) value=${2:-} && [ $# -gt 1 ] && shift ;;
    esac
    shift
    [ -n "$value" ] || continue
    case $flag in
      --data-dir | --inbox | --allow-signal-in) allow reads "$value" && allow writes "$value" ;;
      --socket-path)
        case $value in
          */*) value=${value%/*}/ ;;
          *) value=. ;;
        esac
        allow reads "$value" && allow writes "$value"
        ;;
      --links) allow reads "$value" ;;
      --allow-send-from) allow reads "$value" && sends=some ;;
    esac
  done
  [ -n "$sends" ] || reads=--allow-read
  # Without any it writes nothing, which takes no flag.
  [ -z "$writes" ] || writes=--allow-write=${writes#,}
}

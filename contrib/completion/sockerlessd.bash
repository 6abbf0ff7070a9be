# shellcheck shell=bash
# bash completion of sockerlessd, sockerless-gcp-simulator and sockerless-agent. The flags come from --help, so they are those of the
# installed program; drivers come from --list-drivers.
# SPDX-License-Identifier: Apache-2.0

_sockerless_flags() { # PROGRAM: what its --help names
    "$1" --help 2>/dev/null | grep -oE '(^|[ [,|])--?[a-z][a-z-]*' | grep -oE -- '--?[a-z-]+' | sort -u
}

_sockerless_drivers() {
    "$1" --list-drivers 2>/dev/null | sed -n '/: refused: /!s/ .*//p'
}

_sockerless_paths() { # -f or -d
    local IFS=$'\n'
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_sockerless_words() { # CURRENT WORD...
    local cur=$1
    shift
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

_sockerless_value() { # PROGRAM FLAG CURRENT: 1 when the flag takes no value
    case $2 in
    --driver | --help-driver) _sockerless_words "$3" "$(_sockerless_drivers "$1")" ;;
    --config | --pidfile | -p | --tlscacert | --tlscert | --tlskey | --agent-ca-file | --agent-tls-cert | --agent-tls-key | --port-file | --agent | --listen-unix)
        _sockerless_paths -f "$3" ;;
    --driver-dir | --state-dir | --simulator-images | --images) _sockerless_paths -d "$3" ;;
    --log-level | -l) _sockerless_words "$3" error warn info debug ;;
    --images-resolve) _sockerless_words "$3" synthetic registry ;;
    --exec-synthetic) _sockerless_words "$3" refuse echo ;;
    --network) _sockerless_words "$3" isolated host ;;
    --host | -H) _sockerless_words "$3" unix:// tcp:// fd:// ;;
    --group | -G) mapfile -t COMPREPLY < <(compgen -g -- "$3") ;;
    --*-timeout | --*-delay | --callback-url | --agent-listen | --registry-mirror | --insecure-registry | --listen) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

_sockerless() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]}
    COMPREPLY=()
    _sockerless_value "$program" "$prev" "$cur" && return
    case ${program##*/}:$prev in
    sockerless-gcp-simulator:image) _sockerless_words "$cur" import list pull remove ;;
    sockerless-gcp-simulator:sockerless-gcp-simulator | sockerless-gcp-simulator:*/sockerless-gcp-simulator)
        _sockerless_words "$cur" image "$(_sockerless_flags "$program")" ;;
    sockerless-gcp-simulator:*)
        if [ "${COMP_WORDS[1]}" = image ] && [ "$COMP_CWORD" -ge 4 ] && [[ $cur != -* ]]; then
            _sockerless_paths -f "$cur"
        else
            _sockerless_words "$cur" "$(_sockerless_flags "$program")"
        fi ;;
    *) _sockerless_words "$cur" "$(_sockerless_flags "$program")" ;;
    esac
}

complete -F _sockerless sockerlessd sockerless-gcp-simulator sockerless-agent

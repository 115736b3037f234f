# bash completion for freebusyctl: commands, options, and the addresses and servers of the running daemon.
_freebusyctl() {
    local cur prev words cword command i
    _init_completion || return
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
        --socket | --config | --user | --state | --changes | --at | --for | --kind | --url | --account | --password-file | --calendars | --output | --file | --head | --role | --group) ((i++)) ;;
        -*) ;;
        *) command=${words[i]}; break ;;
        esac
    done
    case $prev in
    --socket | --config | --file | --head | --password-file | --output) _filedir; return ;;
    --kind) mapfile -t COMPREPLY < <(compgen -W "exchange caldav" -- "$cur"); return ;;
    --role) mapfile -t COMPREPLY < <(compgen -W "none reader admin" -- "$cur"); return ;;
    --state) mapfile -t COMPREPLY < <(compgen -W "free elsewhere tentative busy oof unknown" -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--socket --config --user --state --changes --at --for --names --kind --url --account --password-file --calendars --output --file --head --role --group --undo --verify --confirm --json --help --version" -- "$cur")
    elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(freebusyctl --print-commands 2>/dev/null | cut -f1)" -- "$cur")
    else
        case $command in
        show | why | trace | refresh | watch | audit | forget | audience)
            mapfile -t COMPREPLY < <(compgen -W "$(freebusyctl users 2>/dev/null | awk 'NR > 1 { print $1 }' | head -n 500)" -- "$cur") ;;
        log)
            mapfile -t COMPREPLY < <(compgen -W "error warning notice info debug" -- "$cur") ;;
        bundle)
            _filedir ;;
        privacy) mapfile -t COMPREPLY < <(compgen -W "server subscriber" -- "$cur") ;;
        identity)
            mapfile -t COMPREPLY < <(compgen -W "list add token password revoke remove" -- "$cur") ;;
        check | unbreak)
            mapfile -t COMPREPLY < <(compgen -W "$(freebusyctl servers 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur") ;;
        esac
    fi
}
complete -F _freebusyctl freebusyctl

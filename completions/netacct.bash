# shellcheck shell=bash
# bash completion for netacct-load, -show, -status, -reset and -unload

_netacct() {
	local command=$1 word=$2 previous=$3

	case $previous in
	--by) mapfile -t COMPREPLY < <(compgen -W "process comm user flow protocol" -- "$word") ;;
	--format) mapfile -t COMPREPLY < <(compgen -W "table json jsonl" -- "$word") ;;
	--hooks) mapfile -t COMPREPLY < <(compgen -W "auto tp_btf tracepoint kprobe" -- "$word") ;;
	--group) mapfile -t COMPREPLY < <(compgen -g -- "$word") ;;
	--cgroup)
		mapfile -t COMPREPLY < <(compgen -d -- "/sys/fs/cgroup$word")
		COMPREPLY=("${COMPREPLY[@]#/sys/fs/cgroup}")
		;;
	--user) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
	--to | --restore | --pin-dir) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	*)
		# What the command's own help names: it cannot go out of date.
		mapfile -t COMPREPLY < <(compgen -W \
			"$("$command" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z-]+')" -- "$word")
		;;
	esac
}

complete -F _netacct netacct-load netacct-show netacct-status netacct-reset netacct-unload

# shellcheck shell=bash
# bash completion for netacct-load, -show, -top, -watch, -status, -reset and -unload

# What the commands themselves tell cannot go out of date.
_netacct() {
	local command=$1 word=$2 previous=$3 list=

	# The last of a list.
	case $previous in
	--sort | -o | --output | --comm | --user | --cgroup | --netns | -p | --pid) list=${word%"${word##*,}"} word=${word##*,} ;;
	esac
	case $previous in
	--by) mapfile -t COMPREPLY < <(compgen -W "$("$command" --by help 2>/dev/null)" -- "$word") ;;
	--sort | -o | --output)
		mapfile -t COMPREPLY < <(compgen -P "$list" -W \
			"$("$command" -o help 2>/dev/null | awk '{ print $1 }')" -- "$word")
		;;
	--format) mapfile -t COMPREPLY < <(compgen -W "table json jsonl prometheus" -- "$word") ;;
	--hooks) mapfile -t COMPREPLY < <(compgen -W "auto tp_btf tracepoint kprobe" -- "$word") ;;
	--group) mapfile -t COMPREPLY < <(compgen -g -- "$word") ;;
	--user) mapfile -t COMPREPLY < <(compgen -P "$list" -u -- "$word") ;;
	--cgroup)
		mapfile -t COMPREPLY < <(compgen -d -- "/sys/fs/cgroup$word")
		COMPREPLY=("${COMPREPLY[@]#/sys/fs/cgroup}")
		COMPREPLY=("${COMPREPLY[@]/#/$list}")
		;;
	--netns) mapfile -t COMPREPLY < <(compgen -P "$list" -W "$(ls /run/netns 2>/dev/null)" -- "$word") ;;
	-p | --pid) mapfile -t COMPREPLY < <(compgen -P "$list" -W "$(cd /proc && echo [0-9]*)" -- "$word") ;;
	--to | --restore | --pin-dir) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	*)
		mapfile -t COMPREPLY < <(compgen -W \
			"$("$command" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z-]+')" -- "$word")
		;;
	esac
}

complete -F _netacct netacct-load netacct-show netacct-top netacct-watch netacct-status netacct-reset netacct-unload

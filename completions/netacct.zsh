#compdef netacct-load netacct-show netacct-top netacct-watch netacct-status netacct-reset netacct-unload
# zsh completion; what the commands themselves tell cannot go out of date

local command=$words[1] previous=$words[CURRENT-1]

# The last of a list.
case $previous in
--sort | -o | --output | --comm | --user | --cgroup | --netns | -p | --pid) compset -P '*,' ;;
esac
case $previous in
--by) compadd -- ${(f)"$($command --by help 2>/dev/null)"} ;;
--sort | -o | --output) compadd -- ${${(f)"$($command -o help 2>/dev/null)"}/(#m)*/${${=MATCH}[1]}} ;;
--format) compadd table json jsonl prometheus ;;
--hooks) compadd auto tp_btf tracepoint kprobe ;;
--group) _groups ;;
--user) _users ;;
--cgroup) _path_files -/ -W /sys/fs/cgroup ;;
--netns) compadd -- /run/netns/*(N:t) ;;
-p | --pid) compadd -- /proc/<->(N:t) ;;
--to | --restore) _files ;;
--pin-dir) _files -/ ;;
*) compadd -- $($command --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z-]+' | tr -d ' ,') ;;
esac

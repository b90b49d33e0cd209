# fish completion for netacct-load, -show, -top, -watch, -status, -reset and -unload

# What the commands themselves tell cannot go out of date.
function __netacct
    set -l words (commandline -opc)
    set -l command $words[1]
    # What is before the last of a list stays.
    set -l list (string match -r '^.*,' -- (commandline -ct))
    switch "$words[-1]"
        case --by
            $command --by help 2>/dev/null
        case --sort -o --output
            $command -o help 2>/dev/null | string replace -r '^\s*(\S+)\s+(.*)' "$list"'$1\t$2'
        case --format
            printf '%s\n' table json jsonl prometheus
        case --hooks
            printf '%s\n' auto tp_btf tracepoint kprobe
        case --group
            __fish_complete_groups
        case --user
            printf "$list%s\n" (__fish_complete_users)
        case --cgroup
            printf "$list%s\n" (command find /sys/fs/cgroup -type d -printf '/%P\n' 2>/dev/null)
        case --netns
            printf "$list%s\n" (command ls /run/netns 2>/dev/null)
        case -p --pid
            printf "$list%s\n" (__fish_complete_pids)
        case --to --restore --pin-dir
            __fish_complete_path (commandline -ct)
        case '*'
            $command --help 2>/dev/null | string replace -rf '^(?:  -\S,|     )\s*(--[a-z-]+)(?: [A-Z]+)?\s*(.*)' '$1\t$2'
    end
end

for command in load show top watch status reset unload
    complete -c netacct-$command -f -a '(__netacct)'
end

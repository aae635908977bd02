# SPDX-License-Identifier: MIT
# fish completion of patchbay(1). Commands, actions and options are read from
# the program's own help, so that they are those of the program installed.

# The help of a command, or of the program, as lines with tabs:
#   name NAME DESCRIPTION, or option LONG SHORT KIND-OF-VALUE DESCRIPTION
function __patchbay_read
    command patchbay $argv --help 2>/dev/null </dev/null | while read -l line
        if string match -qr -- '^ {2,6}(-[A-Za-z], )?--[a-z]' $line
            # One at a time: a group that matches nothing leaves no gap.
            set -l long (string match -r -- '--[a-z][a-z-]*' $line)[1]
            set -l short (string replace -rf -- '^ {2,6}(-[A-Za-z]), .*' '$1' $line)
            set -l value (string replace -rf -- '^ {2,6}(?:-[A-Za-z], )?--[a-z-]+ ([A-Z][A-Z:=/]*)(?: .*)?$' '$1' $line)
            set -l text (string replace -rf -- '^ {2,6}(?:-[A-Za-z], )?--[a-z-]+(?: [A-Z][A-Z:=/]*)? +(.*)$' '$1' $line)
            printf 'option\t%s\t%s\t%s\t%s\n' "$long" "$short" "$value" "$text"
        else if test -n "$argv"
            set -l action (string replace -rf -- '^(?:usage:| {6}) patchbay [a-z]+ ([a-z]+)(?: .*)?$' '$1' $line)
            and printf 'name\t%s\t\n' $action
        else
            set -l name (string replace -rf -- '^  ([a-z]+) +([^ ].*)$' '$1\t$2' $line)
            and printf 'name\t%s\n' $name
        end
    end
end

function __patchbay_ask
    command patchbay $argv --host 2>/dev/null </dev/null | string replace -r '\s.*' ''
end

function __patchbay_values -a option kind
    switch $option
        case -m --model
            __patchbay_ask models
        case -p --provider
            __patchbay_ask provider list
        case --log-level
            printf '%s\n' error warn info debug
        case --sort
            printf '%s\n' price context created name
        case '*'
            contains -- $kind FILE PATH DIR
            and __fish_complete_path (commandline -ct)
    end
end

# What can stand at the cursor.
function __patchbay_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l cur (commandline -ct)
    set -l about (__patchbay_read)
    set -l command
    set -l action
    set -l last
    set -l kind
    for word in $words
        if test -n "$last"
            set last
        else if string match -q -- '-*' $word
            for entry in (string match -- "option*" $about)
                set -l part (string split \t -- $entry)
                if contains -- $word $part[2] $part[3]; and test -n "$part[4]"
                    set last $word
                    set kind $part[4]
                end
            end
        else if test -z "$command"
            set command $word
            set about (__patchbay_read $command)
        else if test -z "$action"
            set action $word
        end
    end

    set -l names (string replace -rf -- '^name\t' '' $about)
    if test -n "$last"
        __patchbay_values $last $kind
    else if string match -q -- '-*' $cur
        for entry in (string match -- "option*" $about)
            set -l part (string split \t -- $entry)
            printf '%s\t%s\n' $part[2] "$part[5]"
        end
    else if test -z "$command"; or test -z "$action" -a -n "$names"
        printf '%s\n' $names
    else if test "$command" = provider -a "$action" != list
        __patchbay_ask provider list
    else if contains -- $command show rm
        __patchbay_ask models
    else if test "$command" = help
        __patchbay_read | string replace -rf -- '^name\t' ''
    else if test "$command" = log
        printf '%s\n' error warn info debug
    else if contains -- $command replay record batch summarize translate
        or test "$command $action" = 'config import'
        __fish_complete_path $cur
    end
end

complete -c patchbay -f -a '(__patchbay_complete)'

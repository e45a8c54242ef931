# Makes an interactive shell print to descriptor 3 what it would offer for each line of $REQUESTS, and end: compadd works only in a
# completion.
fpath=($FOLDER $fpath)
autoload -U compinit && compinit -u -D || exit
zstyle ':completion:*' insert-tab false

# With -O, -A or -D compadd fills arrays only. Otherwise what it would offer is printed, with the prefixes and the suffix it is given.
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits given hidden suffix
    local hit
    builtin compadd -A hits "$@"
    zparseopts -E P:=given p:=hidden S:=suffix
    for hit in $hits; do echo -E - "$IPREFIX${given[2]-}${hidden[2]-}$hit${suffix[2]-}" >&3; done
    (( $#hits ))
}

# A widget, which is called when the first line is to be edited.
zle-line-init() {
    local request
    for request in ${(f)REQUESTS}; do
        BUFFER=$request CURSOR=$#request
        zle complete-word
        echo @end >&3
    done
    exit
}
zle -N zle-line-init

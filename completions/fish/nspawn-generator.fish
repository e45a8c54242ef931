# fish completion of nspawn-generator, made by go test ./completions -update

function __nspawnkit_machines
    for path in "$NSPAWNKIT_ROOT"/etc/nspawnkit/*.nspawn "$NSPAWNKIT_ROOT"/etc/systemd/nspawn/*.nspawn "$NSPAWNKIT_ROOT"/run/systemd/nspawn/*.nspawn "$NSPAWNKIT_ROOT"/usr/local/lib/systemd/nspawn/*.nspawn "$NSPAWNKIT_ROOT"/usr/lib/systemd/nspawn/*.nspawn "$NSPAWNKIT_ROOT"/var/lib/machines/* "$NSPAWNKIT_ROOT"/run/systemd/machines/* "$NSPAWNKIT_ROOT"/run/nspawnkit/machines/*.json
        string replace -r '^.*/' '' -- $path
    end | string replace -r '\.nspawn$' '' | string replace -r '\.json$' '' | string replace -r '\.raw$' '' | string replace -r '\.mstack$' '' | string replace -r '\.v$' '' | string match -r '^[A-Za-z0-9.-]+$' | sort -u
end

function __nspawnkit_interfaces
    for path in "$NSPAWNKIT_ROOT"/sys/class/net/*
        string replace -r '^.*/' '' -- $path
    end
end

function __nspawnkit_slices
    for path in "$NSPAWNKIT_ROOT"/sys/fs/cgroup/*.slice
        string replace -r '^.*/' '' -- $path
    end
end

complete -c nspawn-generator -f
complete -c nspawn-generator -n __fish_is_first_token -a verify -d 'Print what is wrong with .nspawn files (all, if none is given)'
complete -c nspawn-generator -n '__fish_seen_subcommand_from verify' -F
complete -c nspawn-generator -n __fish_is_first_token -a show -d 'Print the settings of a container with their origins'
complete -c nspawn-generator -n '__fish_seen_subcommand_from show' -l json -d 'Print JSON'
complete -c nspawn-generator -n '__fish_seen_subcommand_from show' -a '(__nspawnkit_machines)'
complete -c nspawn-generator -n __fish_is_first_token -a diff -d 'Print which edits do not count yet, and what makes them count'
complete -c nspawn-generator -n '__fish_seen_subcommand_from diff' -l json -d 'Print JSON'
complete -c nspawn-generator -n '__fish_seen_subcommand_from diff' -a '(__nspawnkit_machines)'
complete -c nspawn-generator -n __fish_is_first_token -l dry-run -d 'Print each file and link that would be written'
complete -c nspawn-generator -n '__fish_contains_opt dry-run' -a '(__nspawnkit_machines)'
complete -c nspawn-generator -n __fish_is_first_token -s h -l help -d 'Show this help'
complete -c nspawn-generator -n __fish_is_first_token -l version -d 'Print version string'

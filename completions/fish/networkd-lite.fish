# fish completion of networkd-lite, made by go test ./completions -update

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

complete -c networkd-lite -f
complete -c networkd-lite -n __fish_is_first_token -a status -d 'Print what is done with each link, and what is wrong'
complete -c networkd-lite -n '__fish_seen_subcommand_from status' -l json -d 'Print JSON'
complete -c networkd-lite -n __fish_is_first_token -a leases -d 'Print the addresses that were given to containers'
complete -c networkd-lite -n '__fish_seen_subcommand_from leases' -l json -d 'Print JSON'
complete -c networkd-lite -n __fish_is_first_token -a doctor -d 'Try the network of a container, or the host\'s part of it, and say what fails and how to mend it'
complete -c networkd-lite -n '__fish_seen_subcommand_from doctor' -l json -d 'Print JSON'
complete -c networkd-lite -n '__fish_seen_subcommand_from doctor' -a '(__nspawnkit_machines)'
complete -c networkd-lite -n __fish_is_first_token -a ports -d 'Print the ports of the host that lead to containers'
complete -c networkd-lite -n '__fish_seen_subcommand_from ports' -l json -d 'Print JSON'
complete -c networkd-lite -n __fish_is_first_token -a names -d 'Print the names of containers'
complete -c networkd-lite -n '__fish_seen_subcommand_from names' -l json -d 'Print JSON'
complete -c networkd-lite -n __fish_is_first_token -a lldp -d 'Print which neighbours have told of themselves'
complete -c networkd-lite -n '__fish_seen_subcommand_from lldp' -l json -d 'Print JSON'
complete -c networkd-lite -n __fish_is_first_token -a renumber -d 'Give a link another subnet than the one it has'
complete -c networkd-lite -n '__fish_seen_subcommand_from renumber' -a '(__nspawnkit_interfaces)'
complete -c networkd-lite -n __fish_is_first_token -s h -l help -d 'Show this help'
complete -c networkd-lite -n __fish_is_first_token -l version -d 'Print version string'
complete -c networkd-lite -n __fish_is_first_token -l cleanup -d 'Remove what a daemon that was killed left in nft'

# fish completion of nspawn-exec, made by go test ./completions -update

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

complete -c nspawn-exec -l cleanup -d 'Clean up left-over mounts and underlying mount points'
complete -c nspawn-exec -l dry-run -d 'Print the steps of start and end, do nothing'
complete -c nspawn-exec -s h -l help -d 'Show an overview, or all options of a topic' -f -a 'general image execution identity properties users network security resources integration mounts console credentials all'
complete -c nspawn-exec -l no-ask-password -d 'Do not prompt for password'
complete -c nspawn-exec -l no-pager -d 'Do not pipe output into a pager'
complete -c nspawn-exec -s q -l quiet -d 'Do not show status information'
complete -c nspawn-exec -l settings -d 'Load additional settings from .nspawn file' -x -a 'yes no override trusted'
complete -c nspawn-exec -l system -d 'Run in the system service manager scope'
complete -c nspawn-exec -l version -d 'Print version string'
complete -c nspawn-exec -s D -l directory -d 'Root directory for the container' -r -a '(__fish_complete_directories)'
complete -c nspawn-exec -s x -l ephemeral -d 'Run container with snapshot of root directory, and remove it after exit'
complete -c nspawn-exec -s i -l image -d 'Root file system disk image (or device node) for the container' -r
complete -c nspawn-exec -l image-policy -d 'Specify disk image dissection policy' -x
complete -c nspawn-exec -l mstack -d 'Root directory from a mount stack' -r -a '(__fish_complete_directories)'
complete -c nspawn-exec -l oci-bundle -d 'OCI bundle directory' -r -a '(__fish_complete_directories)'
complete -c nspawn-exec -l pivot-root -d 'Pivot root to given directory in the container' -x
complete -c nspawn-exec -l read-only -d 'Mount the root directory read-only'
complete -c nspawn-exec -l root-hash -d 'Specify verity root hash for root disk image' -x
complete -c nspawn-exec -l root-hash-sig -d 'Specify pkcs7 signature of root hash for verity (a path or base64:DATA)' -r
complete -c nspawn-exec -l template -d 'Initialize root directory from template directory, if missing' -r -a '(__fish_complete_directories)'
complete -c nspawn-exec -l verity-data -d 'Specify hash device for verity' -r
complete -c nspawn-exec -l volatile -d 'Run the system in volatile mode' -f -a 'no yes state overlay'
complete -c nspawn-exec -s a -l as-pid2 -d 'Maintain a stub init as PID1, invoke binary as PID2'
complete -c nspawn-exec -s b -l boot -d 'Boot up full system (i.e. invoke init)'
complete -c nspawn-exec -l chdir -d 'Set working directory in the container' -x
complete -c nspawn-exec -l kill-signal -d 'Select signal to use for shutting down PID 1' -x -a 'SIGHUP SIGINT SIGQUIT SIGKILL SIGUSR1 SIGUSR2 SIGTERM SIGWINCH SIGPWR SIGRTMIN+3 SIGRTMIN+4'
complete -c nspawn-exec -l notify-ready -d 'Receive notifications from the child init process' -x -a 'yes no'
complete -c nspawn-exec -s E -l setenv -d 'Pass an environment variable to PID 1' -x
complete -c nspawn-exec -l suppress-sync -d 'Suppress any form of disk data synchronization' -x -a 'yes no'
complete -c nspawn-exec -s u -l uid -d 'Run the command under specified user or UID' -x -a '(__fish_complete_users)'
complete -c nspawn-exec -l hostname -d 'Override the hostname for the container' -x -a '(__nspawnkit_machines)'
complete -c nspawn-exec -s M -l machine -d 'Set the machine name for the container' -x -a '(__nspawnkit_machines)'
complete -c nspawn-exec -l uuid -d 'Set a specific machine UUID for the container' -x
complete -c nspawn-exec -l keep-unit -d 'Do not register a scope for the machine, reuse the service unit nspawn is running in'
complete -c nspawn-exec -l property -d 'Set scope unit property' -x -a 'CPUAccounting= MemoryAccounting= TasksAccounting= IOAccounting= IPAccounting= BlockIOAccounting= MemoryZSwapWriteback= SendSIGHUP= SendSIGKILL= DefaultDependencies= IgnoreOnIsolate= StopWhenUnneeded= RefuseManualStop= CoredumpReceive= CPUWeight= StartupCPUWeight= IOWeight= StartupIOWeight= CPUShares= StartupCPUShares= BlockIOWeight= StartupBlockIOWeight= CPUQuota= CPUQuotaPeriodSec= RuntimeMaxSec= RuntimeRandomizedExtraSec= TimeoutStopSec= MemoryPressureThresholdSec= MemoryMax= StartupMemoryMax= MemoryHigh= StartupMemoryHigh= MemoryLimit= MemoryMin= DefaultMemoryMin= MemoryLow= StartupMemoryLow= DefaultMemoryLow= DefaultStartupMemoryLow= MemorySwapMax= StartupMemorySwapMax= MemoryZSwapMax= StartupMemoryZSwapMax= TasksMax= AllowedCPUs= StartupAllowedCPUs= AllowedMemoryNodes= StartupAllowedMemoryNodes= IODeviceWeight= IOReadBandwidthMax= IOWriteBandwidthMax= IOReadIOPSMax= IOWriteIOPSMax= IODeviceLatencyTargetSec= DeviceAllow= IPAddressAllow= IPAddressDeny= DevicePolicy= ManagedOOMSwap= ManagedOOMMemoryPressure= ManagedOOMPreference= OOMPolicy= MemoryPressureWatch= KillMode= CollectMode= Slice= Description= ManagedOOMMemoryPressureLimit= KillSignal= FinalKillSignal= RestartKillSignal= WatchdogSignal= DisableControllers= Documentation= Requires= Requisite= Wants= BindsTo= PartOf= Upholds= Conflicts= Before= After= RequiresMountsFor= IPIngressFilterPath= IPEgressFilterPath='
complete -c nspawn-exec -l register -d 'Register container as machine' -x -a 'yes no auto'
complete -c nspawn-exec -s S -l slice -d 'Place the container in the specified slice' -x -a '(__nspawnkit_slices)'
complete -c nspawn-exec -l private-users -d 'Run within user namespace: no, yes, pick, identity, managed, or UID[:COUNT]' -f -a 'no yes pick identity managed'
complete -c nspawn-exec -l private-users-delegate -d 'Delegate additional 64K UID/GID ranges for use by nested containers' -x
complete -c nspawn-exec -l private-users-ownership -d 'Adjust ownership of the directory tree to the private UID/GID range: off, chown, map, foreign, auto' -x -a 'off chown map foreign auto'
complete -c nspawn-exec -s U -d 'Equivalent to --private-users=pick --private-users-ownership=auto'
complete -c nspawn-exec -l network-bridge -d 'Attach the link to an existing bridge of the host' -x -a '(__nspawnkit_interfaces)'
complete -c nspawn-exec -l network-interface -d 'Move an interface of the host into the container' -x -a '(__nspawnkit_interfaces)'
complete -c nspawn-exec -l network-ipvlan -d 'Create an ipvlan interface on one of the host' -x -a '(__nspawnkit_interfaces)'
complete -c nspawn-exec -l network-macvlan -d 'Create a macvlan interface on one of the host' -x -a '(__nspawnkit_interfaces)'
complete -c nspawn-exec -l network-namespace-path -d 'Enter the network namespace of that file' -r
complete -c nspawn-exec -s n -l network-veth -d 'Add a virtual Ethernet connection between host and container'
complete -c nspawn-exec -l network-veth-extra -d 'Add a virtual Ethernet connection beside the first' -x
complete -c nspawn-exec -l network-zone -d 'Attach the link to the bridge that the zone shares' -x
complete -c nspawn-exec -s p -l port -d 'Expose a container IP port, or a range of them, on the host' -x
complete -c nspawn-exec -l private-network -d 'Disable network in container'
complete -c nspawn-exec -l ambient-capability -d 'Set the specified capabilities for the started process' -x -a 'all CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE'
complete -c nspawn-exec -l capability -d 'In addition to the default, retain specified capabilities' -x -a 'all CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE'
complete -c nspawn-exec -l drop-capability -d 'Drop the specified capabilities from the default set' -x -a 'all CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE'
complete -c nspawn-exec -l no-new-privileges -d 'Set PR_SET_NO_NEW_PRIVS flag for container payload' -x -a 'yes no'
complete -c nspawn-exec -l restrict-address-families -d 'Restrict socket address families' -x -a 'none'
complete -c nspawn-exec -s L -l selinux-apifs-context -d 'Set the SELinux security context of files in API and temporary file systems' -x
complete -c nspawn-exec -s Z -l selinux-context -d 'Set the SELinux security context of processes in the container' -x
complete -c nspawn-exec -l system-call-filter -d 'Permit/prohibit specific system calls' -x
complete -c nspawn-exec -l cpu-affinity -d 'Adjust the CPU affinity of the container' -x
complete -c nspawn-exec -l oom-score-adjust -d 'Adjust the OOM score value for the payload' -x
complete -c nspawn-exec -l personality -d 'Pick personality for this container' -x -a 'x86-64 x86 arm64 arm'
complete -c nspawn-exec -l rlimit -d 'Set a resource limit for the payload' -x -a 'CPU= FSIZE= DATA= STACK= CORE= RSS= NOFILE= AS= NPROC= MEMLOCK= LOCKS= SIGPENDING= MSGQUEUE= NICE= RTPRIO= RTTIME='
complete -c nspawn-exec -l forward-journal -d 'Forward the container\'s journal to the host' -r
complete -c nspawn-exec -l forward-journal-keep-free -d 'Minimum disk space to keep free' -x
complete -c nspawn-exec -l forward-journal-max-file-size -d 'Maximum size of individual journal files' -x
complete -c nspawn-exec -l forward-journal-max-files -d 'Maximum number of journal files to keep' -x
complete -c nspawn-exec -l forward-journal-max-use -d 'Maximum disk space for forwarded journal' -x
complete -c nspawn-exec -s j -d 'Equivalent to --link-journal=try-guest'
complete -c nspawn-exec -l link-journal -d 'Link up guest journal, one of no, auto, guest, host, try-guest, try-host' -x -a 'no host try-host guest try-guest auto'
complete -c nspawn-exec -l resolv-conf -d 'Select mode of /etc/resolv.conf initialization' -x -a 'off copy-host copy-static copy-uplink copy-stub replace-host replace-static replace-uplink replace-stub bind-host bind-static bind-uplink bind-stub delete auto'
complete -c nspawn-exec -l timezone -d 'Select mode of /etc/localtime initialization' -x -a 'off copy bind symlink delete auto'
complete -c nspawn-exec -l bind -d 'Bind mount a file or directory from the host into the container' -r
complete -c nspawn-exec -l bind-ro -d 'Bind mount a file or directory from the host read-only' -r
complete -c nspawn-exec -l bind-user -d 'Bind user from host to container' -x -a '(__fish_complete_users)'
complete -c nspawn-exec -l bind-user-group -d 'Add an auxiliary group to --bind-user= users' -x
complete -c nspawn-exec -l bind-user-shell -d 'Configure the shell to use for --bind-user= users' -x -a 'yes no'
complete -c nspawn-exec -l inaccessible -d 'Over-mount file node with inaccessible node to mask it' -x
complete -c nspawn-exec -l overlay -d 'Create an overlay mount from the host to the container' -r
complete -c nspawn-exec -l overlay-ro -d 'Create a read-only overlay mount from the host to the container' -r
complete -c nspawn-exec -l tmpfs -d 'Mount an empty tmpfs to the specified directory' -x
complete -c nspawn-exec -l background -d 'Set ANSI color for background' -x
complete -c nspawn-exec -l console -d 'Select how stdin/stdout/stderr and /dev/console are set up for the container' -x -a 'interactive read-only passive pipe autopipe'
complete -c nspawn-exec -s P -l pipe -d 'Equivalent to --console=pipe'
complete -c nspawn-exec -l load-credential -d 'Load a credential to pass to the container from a file' -x
complete -c nspawn-exec -l set-credential -d 'Pass a credential with literal value to the container' -x

package seccomp

import "nspawnkit/container/capability"

// always is the capability of a rule that needs none.
const always = -1

// allowList returns what is allowed to a container that keeps the capability: groups and single calls, as
// systemd-nspawn 262 has them. It also names process_vm_readv and process_vm_writev for CAP_SYS_PTRACE, but @ipc holds
// them, and the kernel checks them like ptrace.
//
// Knowingly not on the list: @cpu-emulation, @obsolete, @pkey, @swap, fanotify_*, kexec_*, open_by_handle_at,
// perf_event_open, quotactl. @keyring is for [Policy.Keyring] to say.
func allowList() []rule {
	return []rule{
		{always, `@aio @basic-io @chown @default @file-system @io-event @ipc @mount @network-io @process @resources
			@setuid @signal @sync @timer`},
		{always, `arm_fadvise64_64 brk cachestat capget capset copy_file_range fadvise64 fadvise64_64 flock
			get_mempolicy getcpu getpriority getrandom ioctl ioprio_get kcmp madvise mincore mprotect mremap
			name_to_handle_at oldolduname olduname personality readahead readdir remap_file_pages
			sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
			sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_yield sendfile sendfile64
			setdomainname setfsgid setfsgid32 setfsuid setfsuid32 sethostname setpgid setsid splice sysinfo tee umask
			uname userfaultfd vmsplice`},
		{capability.BPF, `bpf`},
		{capability.IPC_LOCK, `@memlock`},
		{capability.SYSLOG, `syslog`},
		{capability.SYS_BOOT, `reboot`},
		{capability.SYS_MODULE, `@module`},
		{capability.SYS_PACCT, `acct`},
		{capability.SYS_PTRACE, `ptrace`},
		{capability.SYS_RAWIO, `@raw-io`},
		{capability.SYS_TIME, `@clock`},
		{capability.SYS_TTY_CONFIG, `vhangup`},
	}
}

// rule allows items, separated by white space, to a container that keeps the capability.
type rule struct {
	capability int
	items      string
}

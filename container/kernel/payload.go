package kernel

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"nspawnkit/container/capability"
	"nspawnkit/container/seccomp"

	"golang.org/x/sys/unix"
)

// The functions of this file change the calling thread, which must be the locked one that executes the payload.

// NewControlGroupNamespace makes the control group the thread is in the root of what the payload sees.
func NewControlGroupNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("unshare control group namespace: %w", err)
	}
	return nil
}

// NewSessionKeyring leaves the keys of the host's service behind.
func NewSessionKeyring() error {
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("join new session keyring: %w", err)
	}
	return nil
}

// SetHostname sets the host name of the UTS namespace.
func SetHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set host name %s: %w", name, err)
	}
	return nil
}

// ResourceLimits maps the names of setrlimit(2), without RLIMIT_, to their numbers.
func ResourceLimits() map[string]int {
	return map[string]int{
		"CPU": unix.RLIMIT_CPU, "FSIZE": unix.RLIMIT_FSIZE, "DATA": unix.RLIMIT_DATA, "STACK": unix.RLIMIT_STACK,
		"CORE": unix.RLIMIT_CORE, "RSS": unix.RLIMIT_RSS, "NOFILE": unix.RLIMIT_NOFILE, "AS": unix.RLIMIT_AS,
		"NPROC": unix.RLIMIT_NPROC, "MEMLOCK": unix.RLIMIT_MEMLOCK, "LOCKS": unix.RLIMIT_LOCKS,
		"SIGPENDING": unix.RLIMIT_SIGPENDING, "MSGQUEUE": unix.RLIMIT_MSGQUEUE, "NICE": unix.RLIMIT_NICE,
		"RTPRIO": unix.RLIMIT_RTPRIO, "RTTIME": unix.RLIMIT_RTTIME,
	}
}

// SetResourceLimit sets a limit of a process by its name without RLIMIT_. It needs CAP_SYS_RESOURCE on the host to raise one,
// so the supervisor sets the limits of its child. Where the supervisor may not raise it either, the closest value is set.
func (c *Child) SetResourceLimit(name string, soft, hard uint64) error {
	number, ok := ResourceLimits()[name]
	if !ok {
		return fmt.Errorf("set resource limit %s: no such limit", name)
	}
	err := unix.Prlimit(c.PID, number, &unix.Rlimit{Cur: soft, Max: hard}, nil)
	if errors.Is(err, unix.EPERM) {
		var now unix.Rlimit
		if err := unix.Prlimit(c.PID, number, nil, &now); err != nil {
			return fmt.Errorf("read resource limit %s: %w", name, err)
		}
		err = unix.Prlimit(c.PID, number, &unix.Rlimit{Cur: min(soft, now.Max), Max: min(hard, now.Max)}, nil)
	}
	if err != nil {
		return fmt.Errorf("set resource limit %s=%d:%d: %w", name, soft, hard, err)
	}
	return nil
}

// InitResourceLimit returns the limit that the host's process 1 runs with.
func InitResourceLimit(name string) (soft, hard uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Prlimit(1, ResourceLimits()[name], nil, &limit); err != nil {
		return 0, 0, fmt.Errorf("read resource limit %s of process 1: %w", name, err)
	}
	return limit.Cur, limit.Max, nil
}

// SetOOMScoreAdjust sets the out-of-memory score adjustment of the child, see proc_pid_oom_score_adj(5).
func (c *Child) SetOOMScoreAdjust(value int) error {
	path := fmt.Sprintf("/proc/%d/oom_score_adj", c.PID)
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d", value), 0); err != nil {
		return fmt.Errorf("set OOM score adjustment: %w", err)
	}
	return nil
}

// LimitCapabilities takes all capabilities but the retained ones from what the payload can ever have. The thread keeps its
// own until it executes the payload: loading a seccomp filter needs CAP_SYS_ADMIN.
func LimitCapabilities(retained capability.Set) error {
	for number := 0; ; number++ {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(number), 0, 0, 0); err != nil {
			break // beyond the last capability of this kernel
		}
		if retained.Has(number) {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(number), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %s: %w", capability.Name(number), err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	return clearInheritable()
}

func clearInheritable() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("clear inheritable capabilities: %w", err)
	}
	return nil
}

// SetNoNewPrivileges keeps set-user-ID programs and file capabilities from having an effect, see PR_SET_NO_NEW_PRIVS(2const).
func SetNoNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// LoadFilter puts a seccomp filter on the thread.
func LoadFilter(program []seccomp.Instruction) error {
	if len(program) == 0 {
		return errors.New("load seccomp filter: empty program")
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return fmt.Errorf("load seccomp filter: %w", errno)
	}
	return nil
}

// DieWithParent makes the payload end when the supervisor does, whatever ends it.
func DieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set parent-death signal: %w", err)
	}
	return nil
}

// CloseDescriptors lets the payload inherit standard input, output and error only.
func CloseDescriptors() error {
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("mark descriptors close-on-exec: %w", err)
	}
	return nil
}

// SetUmask sets the file mode creation mask.
func SetUmask(mask uint32) { unix.Umask(int(mask)) }

// SetDomainname sets the NIS domain name of the UTS namespace.
func SetDomainname(name string) error {
	if err := unix.Setdomainname([]byte(name)); err != nil {
		return fmt.Errorf("set domain name %s: %w", name, err)
	}
	return nil
}

// ResetSignals makes the payload take all signals, as programs expect it: what was ignored or blocked where the supervisor was started,
// as by nohup(1), the payload would inherit.
func ResetSignals() error {
	const ignored, last = 1, 64 // SIG_IGN, SIGRTMAX
	for number := uintptr(1); number <= last; number++ {
		var action, unset [4]uint64 // the kernel's struct sigaction, the handler first
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0); errno != 0 {
			return fmt.Errorf("read action of signal %d: %w", number, errno)
		}
		if action[0] != ignored {
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, number, uintptr(unsafe.Pointer(&unset)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("reset action of signal %d: %w", number, errno)
		}
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil); err != nil {
		return fmt.Errorf("reset signal mask: %w", err)
	}
	return nil
}

// ResetUmask gives the payload systemd's file mode creation mask.
func ResetUmask() { unix.Umask(0o022) }

// Execute replaces the program with the first of the candidates that exists.
func Execute(candidates, arguments, environment []string) error {
	// Go raises its soft limit of open files and takes that back when it executes, over what the supervisor has set since;
	// a limit that is set explicitly stays.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		_ = syscall.Setrlimit(unix.RLIMIT_NOFILE, &files)
	}
	for _, program := range candidates {
		err := syscall.Exec(program, arguments, environment)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) || len(candidates) == 1 {
			return fmt.Errorf("execute %s: %w%s", program, err, whyNotExecuted(program, err))
		}
	}
	return fmt.Errorf("execute payload: none of %v is there: %w", candidates, os.ErrNotExist)
}

// whyNotExecuted names a mount option as the reason of an error that says nothing of it.
func whyNotExecuted(program string, err error) string {
	var st unix.Statfs_t
	if errors.Is(err, unix.EACCES) && unix.Statfs(program, &st) == nil && st.Flags&unix.ST_NOEXEC != 0 {
		return ": the file system it is on is mounted noexec"
	}
	return ""
}

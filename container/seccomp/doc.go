// Package seccomp decides which system calls a container may make and writes that down as a classic BPF program for
// seccomp(2).
//
// The filter is the allow list of systemd-nspawn 262: a call on the list is allowed; a call that systemd knows but does
// not list fails with EPERM; every other number fails with ENOSYS, so that programs fall back to an older call. Audit
// sockets fail with EAFNOSUPPORT, which says to programs that the kernel has no audit. One program serves all
// architectures that the kernel runs: x86-64, i386 and x32, or arm64 and arm.
//
// The package is pure: it never loads a program. Building one takes less than 0.1 ms, so none is kept ready.
//
// The numbers and groups are in table.go. To renew them, take linux-libc-dev and systemd of the same day, save what
// systemd-analyze syscall-filter prints, name that file and the release in the environment (GROUPS_FILE, SYSTEMD_RELEASE)
// of go generate, and compare allow.go with that release's src/nspawn/nspawn-seccomp.c.
package seccomp

//go:generate go run ./internal/generate -groups $GROUPS_FILE -release $SYSTEMD_RELEASE -output table.go

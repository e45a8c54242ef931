package main_test

import (
	"os/signal"
	"syscall"
	"testing"
)

// What the supervisor ignores, or was told to ignore (nohup(1)), the payload gets as usual.
func TestSignalsOfPayload(t *testing.T) {
	root := newRoot(t, "web")
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTSTP)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTSTP)
	const script = "grep -E '^Sig(Blk|Ign):' /proc/self/status"
	want := finish(t, oracle(t, root, "--private-users=no", "--private-network", "/bin/sh", "-c", script))
	forgetOracle(t)
	if got := shell(t, root, script) + "\n"; got != want.stdout {
		t.Errorf("%q, systemd-nspawn %q", got, want.stdout)
	}
}

package main_test

import (
	"os/signal"
	"syscall"
	"testing"
)

// printSignals leaves out the signals 32 and 33, which the C library keeps for itself and systemd-nspawn hands on as it found them.
const printSignals = `sed -nE '/^Sig(Blk|Ign|Cgt):/p' /proc/self/status | while read name mask; do echo $name $((0x$mask & ~0x180000000)); done`

// What the supervisor ignores, or was told to ignore (nohup(1)), the payload gets as usual.
func TestSignalsOfPayload(t *testing.T) {
	root := newRoot(t, "web")
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTSTP)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTSTP)
	want := finish(t, oracle(t, root, "--private-users=no", "--private-network", "/bin/sh", "-c", printSignals))
	forgetOracle(t)
	if got := shell(t, root, printSignals) + "\n"; got != want.stdout {
		t.Errorf("%q, systemd-nspawn %q", got, want.stdout)
	}
}

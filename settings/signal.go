package settings

import (
	"errors"
	"strings"
	"syscall"
)

// The first and last real-time signal that the C library leaves to programs (signal(7)); systemd counts from them.
const (
	signalRTMin = 34
	signalRTMax = 64
)

// signalNames are the names of signal(7) by number, without "SIG".
var signalNames = [...]string{
	1: "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
	"PWR", "SYS",
}

// parseSignal takes a signal by number or name, with or without "SIG": "15", "TERM", "SIGRTMIN+3", "RTMAX-1".
func parseSignal(text string) (syscall.Signal, error) {
	bad := errors.New("not a signal")
	if n, err := parseInt(text, 1, signalRTMax); err == nil {
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(text, "SIG")
	for number, known := range signalNames {
		if known != "" && name == known {
			return syscall.Signal(number), nil
		}
	}
	base, rest := 0, ""
	if after, ok := strings.CutPrefix(name, "RTMIN"); ok {
		base, rest = signalRTMin, after
	} else if after, ok := strings.CutPrefix(name, "RTMAX"); ok {
		base, rest = signalRTMax, after
	} else {
		return 0, bad
	}
	if rest == "" {
		return syscall.Signal(base), nil
	}
	if base == signalRTMin && rest[0] != '+' || base == signalRTMax && rest[0] != '-' {
		return 0, bad
	}
	n, err := parseInt(rest, signalRTMin-signalRTMax, signalRTMax-signalRTMin)
	if err != nil {
		return 0, bad
	}
	return syscall.Signal(base + int(n)), nil
}

package container

import (
	"syscall"
	"time"

	"nspawnkit/container/kernel"
)

// hotkey is what a sequence of keys on the console asks for: see HOTKEYS in systemd-nspawn(1).
type hotkey struct {
	signal syscall.Signal // to the container's init
	text   string         // for the log; empty: nothing
}

// hotkeyTime is the time in which a sequence must be typed.
const hotkeyTime = time.Second

const escapeKey = 0x1d // ^]

// escapeDetector finds the hotkeys in what is typed.
type escapeDetector struct {
	count int
	since time.Time
}

// feed returns what the container gets of the keys: all but the last of a hotkey, as nobody knows before that one is typed. If there is
// a hotkey, rest is what was typed after it.
func (e *escapeDetector) feed(typed []byte, now time.Time) (keys []byte, found *hotkey, rest []byte) {
	for i, key := range typed {
		if now.Sub(e.since) > hotkeyTime {
			e.count = 0
		}
		if e.count == 2 {
			if found := hotkeyOf(key); found != nil {
				e.count = 0
				return typed[:i], found, typed[i+1:]
			}
		}
		switch {
		case key != escapeKey:
			e.count = 0
		case e.count == 0:
			e.since = now
			e.count = 1
		default:
			e.count++
		}
	}
	return typed, nil, nil
}

// hotkeyOf returns what a key after two ^] asks for. The signals have the numbers of the C library's SIGRTMIN+N, which systemd as
// process 1 understands (systemd(1)).
func hotkeyOf(key byte) *hotkey {
	switch key {
	case escapeKey:
		return &hotkey{kernel.Kill, ""}
	case 'r':
		return &hotkey{syscall.Signal(39), "Sent RTMIN+5 (reboot request) to PID 1 of container."}
	case 'p':
		return &hotkey{syscall.Signal(38), "Sent RTMIN+4 (power off request) to PID 1 of container."}
	}
	return nil
}

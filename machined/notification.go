package machined

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MaxNotification is the size in bytes from which on a message is refused, as by systemd: PIPE_BUF.
const MaxNotification = 4096

// maxStatus bounds a status in bytes, so that it fits into a message of our own.
const maxStatus = 2048

// Notification is a message from the init of a container (sd_notify(3)): values by key. Keys are such as "READY", "STATUS",
// "STOPPING", "ERRNO", "EXIT_STATUS" or "X_SYSTEMD_UNIT_ACTIVE". Values are whatever the container sent, but printable.
type Notification map[string]string

// ParseNotification reads a message. A line that is not KEY=VALUE is skipped, of several with one key the first counts, as in
// systemd. The caller has made sure that the container's init sent it.
func ParseNotification(datagram []byte) (Notification, error) {
	if len(datagram) >= MaxNotification {
		return nil, fmt.Errorf("notification has %d bytes, not less than %d", len(datagram), MaxNotification)
	}
	datagram = bytes.TrimRight(datagram, "\x00")
	if bytes.IndexByte(datagram, 0) >= 0 {
		return nil, errors.New("notification contains a NUL byte")
	}
	n := Notification{}
	for line := range strings.FieldsFuncSeq(string(datagram), func(r rune) bool { return r == '\n' || r == '\r' }) {
		key, value, found := strings.Cut(line, "=")
		if !found || !validKey(key) {
			continue
		}
		if _, repeated := n[key]; !repeated {
			n[key] = printable(value)
		}
	}
	return n, nil
}

// Forward returns the lines that may go on to the host's service manager, as from systemd-nspawn: the status, and that the
// container is ready if ready is set (NotifyReady=yes). Nothing else, but see [Notification.Extension], [Notification.WatchdogTime] and
// [Notification.Store]: by MAINPID= or STOPPING= a container would govern the unit it runs in.
func (n Notification) Forward(ready bool) []string {
	var lines []string
	if ready && n["READY"] == "1" {
		lines = append(lines, Ready)
	}
	if status, found := n["STATUS"]; found {
		if len(status) > maxStatus {
			status = strings.ToValidUTF8(status[:maxStatus], "") // without half a character at the end
		}
		lines = append(lines, Status("Container running: "+status))
	}
	return lines
}

// maxExtension bounds what one message may ask for.
const maxExtension = 10 * time.Minute

// Extension returns how much longer the start may take from now on (EXTEND_TIMEOUT_USEC=).
func (n Notification) Extension() (by time.Duration, ok bool) {
	microseconds, err := strconv.ParseUint(n["EXTEND_TIMEOUT_USEC"], 10, 64)
	if err != nil || microseconds == 0 {
		return 0, false
	}
	return time.Duration(min(microseconds, uint64(maxExtension.Microseconds()))) * time.Microsecond, true
}

// WatchdogTime returns how long the service manager is to wait from one WATCHDOG=1 to the next (WATCHDOG_USEC=), at least a
// microsecond: a container cannot switch the watchdog off.
func (n Notification) WatchdogTime() (limit time.Duration, ok bool) {
	microseconds, err := strconv.ParseUint(n["WATCHDOG_USEC"], 10, 64)
	if err != nil || microseconds == 0 {
		return 0, false
	}
	return time.Duration(min(microseconds, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond, true
}

// Store returns the lines that keep descriptors, which came with the message, in the service manager's store for the unit, or
// remove some from it; none if the message asks for neither (systemd-nspawn(1), --notify-ready=).
func (n Notification) Store(descriptors int) []string {
	name := n["FDNAME"]
	switch {
	case n["FDSTORE"] == "1" && descriptors > 0:
		if !validDescriptorName(name) {
			return []string{"FDSTORE=1"}
		}
		return []string{"FDSTORE=1", "FDNAME=" + name}
	case n["FDSTOREREMOVE"] == "1" && validDescriptorName(name):
		return []string{"FDSTOREREMOVE=1", "FDNAME=" + name}
	}
	return nil
}

// validDescriptorName follows sd_pid_notify_with_fds(3), FDNAME=.
func validDescriptorName(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r >= 127 || r == ':' })
}

// validKey says whether key is one of upper-case letters, digits and underscores, as all are.
func validKey(key string) bool {
	return key != "" && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// printable leaves out what could drive or deceive a terminal: control and format characters, and invalid UTF-8.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

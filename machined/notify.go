package machined

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Ready, Stopping, Ping and Trigger are lines for [Notifier.Notify] (sd_notify(3)).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Ping     = "WATCHDOG=1"
	Trigger  = "WATCHDOG=trigger" // as if no Ping had come
)

// Status returns the line that shows text in "systemctl status". Everything but printable characters is left out.
func Status(text string) string { return "STATUS=" + printable(text) }

// ExtendTimeout is a line that asks the service manager to wait that much longer from now on for the start or stop to end.
func ExtendTimeout(by time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", by.Microseconds())
}

// WatchdogTime is a line that changes how long the service manager waits for the next [Ping].
func WatchdogTime(limit time.Duration) string {
	return fmt.Sprintf("WATCHDOG_USEC=%d", limit.Microseconds())
}

// LeaderPID returns the line by which systemd-nspawn tells the PID of the container's init.
func LeaderPID(pid int) string { return "X_NSPAWN_LEADER_PID=" + strconv.Itoa(pid) }

// Notifier sends messages to the service manager. The zero Notifier has none and drops them.
type Notifier struct{ address string }

// NewNotifier returns a Notifier for the socket in $NOTIFY_SOCKET: a path, or a name in the abstract namespace after "@".
func NewNotifier(getenv func(string) string) (Notifier, error) {
	address := getenv("NOTIFY_SOCKET")
	if address != "" && address[0] != '/' && address[0] != '@' {
		return Notifier{}, fmt.Errorf("NOTIFY_SOCKET=%s: neither a path nor an abstract name", address)
	}
	return Notifier{address}, nil
}

// notifyTimeout bounds how long a message waits for a service manager that is busy or being re-executed.
const notifyTimeout = 10 * time.Second

// Notify sends one message of the given lines, each KEY=VALUE without newline. It may be called by several goroutines.
func (n Notifier) Notify(lines ...string) error { return n.NotifyWith(nil, lines...) }

// NotifyWith is [Notifier.Notify] with descriptors.
func (n Notifier) NotifyWith(descriptors []int, lines ...string) error {
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r\x00") {
			return fmt.Errorf("notify service manager: %q is more than one line", line)
		}
	}
	if n.address == "" || len(lines) == 0 {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	if err := send(conn, []byte(strings.Join(lines, "\n")), descriptors); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	return nil
}

// send sends one message with descriptors, which [net.UnixConn.WriteMsgUnix] does not on a socket that is connected.
func send(conn *net.UnixConn, message []byte, descriptors []int) error {
	if len(descriptors) == 0 {
		_, err := conn.Write(message)
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = syscall.Sendmsg(int(fd), message, syscall.UnixRights(descriptors...), nil, syscall.MSG_NOSIGNAL)
		return !errors.Is(sent, syscall.EAGAIN)
	})
	return errors.Join(err, sent)
}

// Watchdog returns how often the process pid is to send [Ping]: twice in the time that the service manager waits
// (sd_watchdog_enabled(3)). It is not ok if the service manager does not watch, or watches another process.
func Watchdog(getenv func(string) string, pid int) (interval time.Duration, ok bool) {
	if watched := getenv("WATCHDOG_PID"); watched != "" && watched != strconv.Itoa(pid) {
		return 0, false
	}
	microseconds, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || microseconds <= 0 || microseconds > int64((1<<63-1)/time.Microsecond) {
		return 0, false
	}
	return time.Duration(microseconds) * time.Microsecond / 2, true
}

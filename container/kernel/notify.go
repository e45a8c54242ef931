package kernel

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NotifySocket is the socket that the container's init sends its sd_notify(3) messages to.
type NotifySocket struct {
	file             *os.File
	message, control []byte // buffers
}

// ListenNotify binds the socket at a path of the container.
func ListenNotify(path string) (*NotifySocket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make notify socket: %w", err)
	}
	socket := &NotifySocket{file: os.NewFile(uintptr(fd), path)}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		socket.Close()
		return nil, fmt.Errorf("bind notify socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o200); err != nil { // only the container's init is believed anyway
		socket.Close()
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		socket.Close()
		return nil, fmt.Errorf("ask notify socket for credentials: %w", err)
	}
	return socket, nil
}

// NotifySocketFrom takes over a socket that came through a channel. Closing it also ends a Receive that waits, and with that the
// network namespace of a container that has ended: a thread that is inside of recvmsg(2) would keep it, and its links.
func NotifySocketFrom(file *os.File) (*NotifySocket, error) {
	polled, err := Polled(file)
	return &NotifySocket{file: polled}, err
}

// polledCopy returns another descriptor for an open file, which the runtime polls: who waits for it needs no thread. The open file is
// in non-blocking mode then.
func polledCopy(fd int, name string) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(other), name), nil
}

// descriptor returns the number of an open file, which stays polled if it is: that is what Fd would end.
func descriptor(file *os.File) int {
	fd := -1
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Control(func(number uintptr) { fd = int(number) })
	}
	return fd
}

// Polled closes a file and returns the open file with a descriptor that is polled, see polledCopy.
func Polled(file *os.File) (*os.File, error) {
	defer file.Close()
	polled, err := polledCopy(int(file.Fd()), file.Name())
	if err != nil {
		return nil, fmt.Errorf("poll %s: %w", file.Name(), err)
	}
	return polled, nil
}

// WaitReadable waits until a polled file has something to read, or somebody is gone. It reads nothing.
func WaitReadable(file *os.File) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		list := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(list, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}

// File returns the open file, to be passed on.
func (s *NotifySocket) File() *os.File { return s.file }

// Close closes the socket.
func (s *NotifySocket) Close() error { return s.file.Close() }

// maxNotification is NOTIFY_BUFFER_MAX of systemd.
const maxNotification = 4096

// Await waits until there is a message.
func (s *NotifySocket) Await() error { return WaitReadable(s.file) }

// Receive waits for one message and returns it with the process that sent it, as this process's PID namespace numbers it, and with
// the descriptors that came with it. The message is there until the next call. One that is larger than systemd sends or takes is
// nobody's.
func (s *NotifySocket) Receive() (message []byte, descriptors Descriptors, sender int, err error) {
	if s.message == nil {
		s.message = make([]byte, maxNotification)
		s.control = make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(maxFiles*4))
	}
	n, length, flags, err := s.receive(s.message, s.control)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("receive notification: %w", err)
	}
	descriptors, _ = parseDescriptors(s.control[:length])
	if flags&unix.MSG_TRUNC != 0 {
		descriptors.Close()
		return nil, nil, 0, nil
	}
	return s.message[:n], descriptors, senderOf(s.control[:length]), nil
}

// receive is recvmsg(2) with patience.
func (s *NotifySocket) receive(message, control []byte) (n, length, flags int, err error) {
	conn, err := s.file.SyscallConn()
	if err != nil {
		return 0, 0, 0, err
	}
	closed := conn.Read(func(fd uintptr) bool {
		for {
			n, length, flags, _, err = unix.Recvmsg(int(fd), message, control, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if closed != nil {
		return 0, 0, 0, closed
	}
	return n, length, flags, err
}

func senderOf(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for i := range messages {
		if credentials, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return int(credentials.Pid)
		}
	}
	return 0
}

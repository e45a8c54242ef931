package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxFiles is SCM_MAX_FD: how many descriptors one message can carry.
const maxFiles = 253

// Channel is one end of the socket pair between the supervisor and the container's first process. It carries whole
// messages with open files.
type Channel struct{ file *os.File }

// NewChannel returns the two ends. Both are closed on exec.
func NewChannel() (supervisor, child *Channel, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	return ChannelFrom(fds[0]), ChannelFrom(fds[1]), nil
}

// ChannelFrom takes over an inherited descriptor and keeps it from the payload.
func ChannelFrom(fd int) *Channel {
	unix.CloseOnExec(fd)
	return &Channel{os.NewFile(uintptr(fd), "channel")}
}

// File returns the descriptor, to be inherited by the child.
func (c *Channel) File() *os.File { return c.file }

// Close closes this end.
func (c *Channel) Close() error { return c.file.Close() }

// Send sends one message with open files.
func (c *Channel) Send(message []byte, files ...*os.File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("send message: %d files, at most %d can be passed at once", len(files), maxFiles)
	}
	fds := make([]int, len(files))
	for i, file := range files {
		fds[i] = int(file.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(int(c.file.Fd()), message, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}

// Receive waits for one message; [io.EOF] means that the other end was closed, by exec or exit.
func (c *Channel) Receive() (message []byte, files []*os.File, err error) {
	rights := make([]byte, unix.CmsgSpace(maxFiles*4))
	n, _, err := c.receive(nil, nil, unix.MSG_PEEK|unix.MSG_TRUNC) // how long it is
	var rightsLength int
	if err == nil {
		message = make([]byte, n)
		n, rightsLength, err = c.receive(message, rights, unix.MSG_CMSG_CLOEXEC)
	}
	if errors.Is(err, unix.ECONNRESET) || (err == nil && n == 0 && rightsLength == 0) {
		return nil, nil, io.EOF
	}
	if err != nil {
		return nil, nil, fmt.Errorf("receive message: %w", err)
	}
	files, err = parseRights(rights[:rightsLength])
	return message[:n], files, err
}

// receive is recvmsg(2).
func (c *Channel) receive(message, control []byte, flags int) (n, length int, err error) {
	for {
		n, length, _, _, err = unix.Recvmsg(int(c.file.Fd()), message, control, flags)
		if !errors.Is(err, unix.EINTR) {
			return n, length, err
		}
	}
}

// AskSender makes the kernel tell who sends the messages that are received on this end.
func (c *Channel) AskSender() error {
	if err := unix.SetsockoptInt(int(c.file.Fd()), unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return fmt.Errorf("ask socket for credentials: %w", err)
	}
	return nil
}

// ReceiveSender waits for one message and returns the process that sent it, as this process's PID namespace numbers it, after
// [Channel.AskSender], which it takes back.
func (c *Channel) ReceiveSender() (pid int, err error) {
	message := make([]byte, 64)
	control := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, length, _, _, err := unix.Recvmsg(int(c.file.Fd()), message, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECONNRESET) || err == nil && n == 0:
			return 0, io.EOF
		case err != nil:
			return 0, fmt.Errorf("receive message: %w", err)
		}
		err = unix.SetsockoptInt(int(c.file.Fd()), unix.SOL_SOCKET, unix.SO_PASSCRED, 0)
		return senderOf(control[:length]), err
	}
}

func parseRights(control []byte) ([]*os.File, error) {
	descriptors, err := parseDescriptors(control)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, fd := range descriptors {
		files = append(files, os.NewFile(uintptr(fd), "passed"))
	}
	return files, nil
}

func parseDescriptors(control []byte) (Descriptors, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("receive files: %w", err)
	}
	var descriptors Descriptors
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue // credentials and the like
		}
		descriptors = append(descriptors, fds...)
	}
	return descriptors, nil
}

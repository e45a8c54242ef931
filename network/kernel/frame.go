package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Frames sends Ethernet frames on any link of a network namespace (packet(7), SOCK_RAW). It receives nothing.
type Frames int

// OpenFrames opens the socket in the network namespace of the calling thread. It needs CAP_NET_RAW. The caller closes.
func OpenFrames() (Frames, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // protocol 0: send only
	if err != nil {
		return 0, fmt.Errorf("open packet socket: %w", err)
	}
	return Frames(fd), nil
}

// Send sends a frame, with its header, out of the link with that index.
func (f Frames) Send(link int, frame []byte) error {
	if err := unix.Sendto(int(f), frame, 0, &unix.SockaddrLinklayer{Ifindex: link, Halen: 6}); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// Close closes the socket.
func (f Frames) Close() error { return unix.Close(int(f)) }

// Package poll waits for the sockets of hundreds of links with one goroutine.
//
// A goroutine for each link that waits in a read costs 8 to 40 KB of stacks and buffers; 500 links with a socket each for DHCP, DNS and
// router advertisements must not cost that. So a socket of a link is a plain descriptor with O_NONBLOCK, [Poller.Add] has a function
// called when there is something to receive, and the function reads into a buffer that all sockets of its kind share. What has to wait
// (for a disk, or for another server) goes to a goroutine that ends with its work.
package poll

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller calls functions when descriptors have something to read.
type Poller struct {
	file *os.File // of epoll(7); the runtime waits for it
	fd   int      // the same
	raw  syscall.RawConn

	mu    sync.Mutex // held while functions run
	ready []func()   // by descriptor; these are small numbers, of which a program has few more
}

// New starts a poller. The caller closes.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for os.NewFile to hand it to the runtime
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &Poller{file: file, fd: fd, raw: raw}
	go p.run()
	return p, nil
}

// Close ends the calls. The descriptors stay open.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = nil
	return p.file.Close()
}

// Add has ready called, from one goroutine for all descriptors, whenever fd has something to read, or an error. It is called again as
// long as that is so. It must neither wait nor call the poller.
func (p *Poller) Add(fd int, ready func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	if missing := fd + 1 - len(p.ready); missing > 0 {
		p.ready = append(p.ready, make([]func(), missing)...)
	}
	p.ready[fd] = ready
	return nil
}

// Remove ends the calls for fd, which must still be open. When it returns, its function does not run, and will not. A descriptor that
// was not added is no error.
func (p *Poller) Remove(fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < len(p.ready) {
		p.ready[fd] = nil
	}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

func (p *Poller) run() {
	events := make([]unix.EpollEvent, 64)
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events, 0) // EINTR: the runtime asks again
			return n > 0
		})
		if err != nil {
			return // closed
		}
		for _, event := range events[:n] {
			p.call(int(event.Fd))
		}
	}
}

// call calls the function of fd, unless it was removed since the event.
func (p *Poller) call(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < len(p.ready) && p.ready[fd] != nil {
		p.ready[fd]()
	}
}

package container

import (
	"context"
	"os"
	"sync"
	"time"

	"nspawnkit/container/kernel"
)

// hotkey is what ^] typed three times within a second on the console asks for, see systemd-nspawn(1).
type hotkey int

const (
	hotkeyKill     hotkey = iota // ^]^]^]
	hotkeyReboot                 // ^]^]r
	hotkeyPowerOff               // ^]^]p
)

// consoleForwarder carries the payload's terminal to ours.
type consoleForwarder struct {
	master   *os.File
	mode     string
	requests chan hotkey
	finished chan struct{}
	restore  func()

	mutex sync.Mutex
	ended bool
	peer  *os.File // the payload's side: while it is open, reading the master does not fail
}

// drainTime bounds how long the last output of a container is waited for.
const drainTime = 2 * time.Second

func (s *Supervisor) forwardConsole(ctx context.Context) *consoleForwarder {
	c := &consoleForwarder{
		master: s.console, mode: s.plan.Options.Console, requests: make(chan hotkey), finished: make(chan struct{}),
		restore: func() {},
	}
	if c.master == nil || c.mode == "passive" {
		close(c.finished)
		return c
	}
	if c.mode == "interactive" {
		c.resize()
		if restore, err := kernel.RawMode(os.Stdin); err == nil {
			c.restore = restore
		} else {
			s.log(Warning, err.Error())
		}
		go c.forwardInput(ctx)
	}
	c.reopen()
	go c.forwardOutput(os.Stdout)
	return c
}

// forwardOutput copies what the payload prints, until the container has ended and everything is copied. Reading fails with
// EIO when nobody has the terminal open, or when somebody inside hung it up; neither means that nobody will open it again.
func (c *consoleForwarder) forwardOutput(to *os.File) {
	defer close(c.finished)
	buffer := make([]byte, 4096)
	for {
		n, err := c.master.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil && (!kernel.IsHangup(err) || !c.reopen()) {
			return
		}
	}
}

// reopenPause keeps a payload that hangs up its console all the time from keeping the supervisor busy.
const reopenPause = 20 * time.Millisecond

// reopen holds the payload's side open again, unless the container has ended.
func (c *consoleForwarder) reopen() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.ended {
		return false
	}
	if c.peer != nil {
		c.peer.Close()
		time.Sleep(reopenPause)
	}
	peer, err := kernel.OpenPeer(c.master)
	c.peer = peer
	return err == nil
}

func (c *consoleForwarder) forwardInput(ctx context.Context) {
	buffer := make([]byte, 4096)
	var escape escapeDetector
	for {
		n, err := os.Stdin.Read(buffer)
		if n > 0 {
			if request, found := escape.feed(buffer[:n], time.Now()); found {
				select {
				case c.requests <- request:
				case <-ctx.Done():
					return
				}
			} else if _, err := c.master.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil || ctx.Err() != nil {
			return
		}
	}
}

// escapeDetector finds the hotkeys in what is typed.
type escapeDetector struct {
	count int
	since time.Time
}

const escapeKey = 0x1d // ^]

func (e *escapeDetector) feed(typed []byte, now time.Time) (hotkey, bool) {
	for _, key := range typed {
		if now.Sub(e.since) > time.Second {
			e.count = 0
		}
		switch {
		case key == escapeKey && e.count == 2:
			return hotkeyKill, true
		case key == 'r' && e.count == 2:
			return hotkeyReboot, true
		case key == 'p' && e.count == 2:
			return hotkeyPowerOff, true
		case key == escapeKey:
			if e.count == 0 {
				e.since = now
			}
			e.count++
		default:
			e.count = 0
		}
	}
	return 0, false
}

// resize gives the payload's terminal the size of ours.
func (c *consoleForwarder) resize() {
	if c.mode == "interactive" {
		_ = kernel.CopyWindowSize(os.Stdin, c.master)
	}
}

// drain waits until the last output has been copied.
func (c *consoleForwarder) drain() {
	if c.master == nil {
		return
	}
	c.mutex.Lock()
	c.ended = true
	if c.peer != nil {
		c.peer.Close()
	}
	c.mutex.Unlock()
	select {
	case <-c.finished:
	case <-time.After(drainTime):
	}
}

// stop gives the terminal back as it was.
func (c *consoleForwarder) stop() {
	c.restore()
	if c.master != nil {
		c.master.Close()
	}
}

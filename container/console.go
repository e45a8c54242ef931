package container

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"time"

	"nspawnkit/container/kernel"
)

// consoleForwarder carries the payload's terminal to ours.
type consoleForwarder struct {
	*Running
	master   *os.File // polled
	mode     string
	requests chan hotkey
	finished chan struct{} // everything is copied
	late     chan []byte   // what is typed after the end
	restore  func()        // of our terminal
	painter  painter
	painted  []byte // buffer
	newline  bool   // the output ends with one, or there is none
	shown    bool   // there is output
	stopped  bool

	mutex sync.Mutex // of what follows, and of peer: while the payload's side is open, reading the master does not fail
	ended bool
}

// drainTime bounds how long the last output of a container is waited for.
const drainTime = 2 * time.Second

func (r *Running) forwardConsole(ctx context.Context) *consoleForwarder {
	c := &consoleForwarder{
		Running: r, master: r.console, mode: r.watching.Mode, requests: make(chan hotkey), finished: make(chan struct{}),
		late: make(chan []byte, 16), restore: func() {}, newline: true,
		painter: painter{background: r.watching.Display.Background},
	}
	if c.master == nil || c.mode == "passive" {
		close(c.finished)
		return c
	}
	if c.mode == "interactive" {
		r.log(Info, "Press Ctrl-] three times within 1s to kill container; two times followed by r to reboot container; "+
			"two times followed by p to poweroff container.")
		r.useRawTerminal(c)
	}
	if r.peer == nil {
		c.reopen()
	}
	go c.forward(ctx)
	return c
}

// useRawTerminal puts our terminal into raw mode until the forwarder stops. Lines of the log begin at its left edge all the same.
func (r *Running) useRawTerminal(c *consoleForwarder) {
	terminal, err := kernel.NewRawTerminal(c.lastText())
	if err != nil {
		r.log(Warning, err.Error())
	}
	r.raw.Store(kernel.IsTerminal(os.Stderr))
	c.restore = func() {
		terminal.Restore()
		r.raw.Store(false)
	}
}

// forward copies in both directions until the container has ended and everything is copied.
func (c *consoleForwarder) forward(ctx context.Context) {
	defer close(c.finished)
	var typed []byte
	if c.watching.Display.Tint {
		typed = c.askColor()
	}
	if c.mode == "interactive" {
		go c.forwardInput(ctx, typed)
	}
	c.forwardOutput(os.Stdout)
}

// answerTime is how long a terminal has time to tell the color of its background; those that cannot do not answer.
const answerTime = 333 * time.Millisecond

// askColor picks the background by that of our terminal. It returns what was typed meanwhile.
func (c *consoleForwarder) askColor() (typed []byte) {
	answer, _ := kernel.AskTerminal(os.Stdin, os.Stdout, askBackground, answerTime, func(answer []byte) bool {
		_, _, found := backgroundAnswer(answer)
		return found
	})
	color, typed, found := backgroundAnswer(answer)
	if found {
		c.painter.background = tint(color[0], color[1], color[2])
	}
	return typed
}

// forwardOutput copies what the payload prints. Reading fails with EIO when nobody has the terminal open, or when somebody inside hung
// it up; neither means that nobody will open it again.
func (c *consoleForwarder) forwardOutput(to io.Writer) {
	c.shown = true
	if c.watching.Display.Decorated {
		if c.watching.Display.Title != "" {
			c.painter.prefix = titlePrefix
		}
		_, _ = io.WriteString(to, c.painter.begin(c.watching.Display.Title))
	}
	for buffer := make([]byte, 4096); kernel.WaitReadable(c.master) == nil; {
		c.handling.RLock()
		more := c.forwardPart(to, buffer)
		c.handling.RUnlock()
		if !more {
			return
		}
	}
}

// forwardPart copies what there is. It reports whether there may be more.
func (c *consoleForwarder) forwardPart(to io.Writer, buffer []byte) (more bool) {
	n, err := c.master.Read(buffer)
	if n > 0 {
		c.newline = buffer[n-1] == '\n'
		c.painted = c.painter.paint(c.painted[:0], buffer[:n])
		if _, err := to.Write(c.painted); err != nil {
			return false
		}
	}
	return err == nil || kernel.IsHangup(err) && c.reopen()
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

// forwardInput passes on what is typed. A terminal that is gone ends the container; the end of a file or pipe does not: a terminal
// cannot pass it on.
func (c *consoleForwarder) forwardInput(ctx context.Context, typed []byte) {
	var escape escapeDetector
	terminal := kernel.IsTerminal(os.Stdin)
	buffer := make([]byte, 4096)
	for {
		for rest := typed; len(rest) > 0; {
			keys, found, after := escape.feed(rest, time.Now())
			if _, err := c.master.Write(keys); err != nil {
				return
			}
			if found != nil && !c.request(ctx, *found) {
				return
			}
			rest = after
		}
		n, err := os.Stdin.Read(buffer)
		typed = buffer[:max(n, 0)]
		if c.isOver() {
			c.keepLate(typed)
			typed = nil
		}
		if err != nil {
			if terminal {
				c.request(ctx, hotkey{signal: kernel.Kill})
			}
			return
		}
	}
}

func (c *consoleForwarder) request(ctx context.Context, request hotkey) bool {
	select {
	case c.requests <- request:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *consoleForwarder) isOver() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.ended
}

// keepLate hands on what is typed after the end, if somebody listens.
func (c *consoleForwarder) keepLate(typed []byte) {
	select {
	case c.late <- bytes.Clone(typed):
	default:
	}
}

// lastAnswerTime is how long a terminal has time for the answers to a container that has ended.
const lastAnswerTime = time.Second

// silence is how long a terminal that has answered our own question may take to go on with more.
const silence = 50 * time.Millisecond

// takeAnswers takes what the terminal still answers to the container, or a shell would read it as typed. Answers come in the order of the
// questions, so ours is the last.
func (c *consoleForwarder) takeAnswers() {
	select {
	case <-c.finished:
	default:
		return
	}
	if c.mode != "interactive" || !c.painter.asked || !kernel.IsTerminal(os.Stdin) || !kernel.IsTerminal(os.Stdout) {
		return
	}
	if _, err := io.WriteString(os.Stdout, askStatus); err != nil {
		return
	}
	var answers []byte
	over, quiet := time.After(lastAnswerTime), (<-chan time.Time)(nil)
	for {
		select {
		case more := <-c.late:
			if answers = append(answers, more...); bytes.Contains(answers, []byte(statusAnswer)) {
				quiet = time.After(silence)
			}
		case <-quiet:
			return
		case <-over:
			return
		}
	}
}

// resizeConsole gives the payload's terminal the size of ours.
func (r *Running) resizeConsole() {
	if mode := r.watching.Mode; r.console != nil && (mode == "interactive" || mode == "read-only") {
		like := os.Stdout
		if r.watching.Display.Fixed {
			like = nil
		}
		_ = kernel.SetWindowSize(r.console, like, r.watching.Display.Rows, r.watching.Display.Columns)
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
	if c.stopped {
		return
	}
	c.stopped = true
	c.takeAnswers()
	c.restore()
	if c.master != nil {
		c.master.Close()
	}
	c.leaveTerminal()
}

// leaveTerminal takes color and title back, on a line of its own.
func (c *consoleForwarder) leaveTerminal() {
	select {
	case <-c.finished:
	default:
		return // somebody keeps our terminal from printing: it would hold up the end, too
	}
	if !c.shown || !c.watching.Display.Terminal {
		return
	}
	if !c.newline {
		_, _ = io.WriteString(os.Stdout, "\n")
	}
	_, _ = io.WriteString(os.Stdout, c.lastText())
}

func (c *consoleForwarder) lastText() string {
	if !c.watching.Display.Decorated {
		return ""
	}
	return c.painter.end(c.watching.Display.Title)
}

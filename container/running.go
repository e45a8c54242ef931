package container

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"nspawnkit/container/kernel"
	"nspawnkit/machined"
	"nspawnkit/network"
)

// Running is a container that runs, or what is left of one that has ended or did not start.
type Running struct {
	remains
	log      func(priority int, text string)
	notifier machined.Notifier
	machine  string
	child    *kernel.Child // the first process
	second   *kernel.Child // with --as-pid2: the payload
	notify   *kernel.NotifySocket
	console  *os.File  // nil: the container has none
	peer     *os.File  // the payload's side of it, if it is held
	receiver *receiver // of the journal
	lease    *lease    // nil: no address is asked for
	boot     bootProgress
	watchdog watchdog
	watching watching

	raw      atomic.Bool  // the log goes to a terminal in raw mode
	handling sync.RWMutex // held for reading by who handles what has come from the container, for writing to keep everybody from it
	starting bool         // and may ask for more time, until it is ready
	killed   bool         // by this program, as somebody asked it to
	fresh    bool         // this program has taken the container over
	grown    bool         // and has done something since then
	left     *kernel.File // the remains as they were left to it; nil: they are here
}

// begin sets what a program brings with it.
func (r *Running) begin(notifier machined.Notifier, log func(priority int, text string)) {
	r.notifier = notifier
	r.log = func(priority int, text string) {
		if r.raw.Load() {
			text += "\r"
		}
		log(priority, text)
	}
}

// watching is what was decided about the time while the container runs.
type watching struct {
	Mode        string  // of the console, as in [Options]
	Display     Display // of the console
	NotifyReady bool
	KillSignal  syscall.Signal
	Quiet       bool
}

// remains is what a container has on the host, to be removed in the end. As JSON it goes to the program that takes the container over.
type remains struct {
	Locks       []*kernel.Lock
	Reserved    []kernel.File        // user namespaces whose ranges systemd-nsresourced keeps for us
	Copy        string               // that an ephemeral container runs from
	Group       *kernel.ControlGroup // of the payload; nil on hosts without the unified hierarchy
	Unit        *kernel.File         // the control group above, held; nil: it is another container's
	Images      *Images              // nil: there are none
	Temporaries temporaries
	Links       *network.Machine // nil: they are not written down
	Registered  bool
	Recorded    bool // the settings are
	Made        bool // the directories shared with the host
	Again       Again
}

// Again says how the program starts again for a container that has asked for a reboot.
type Again struct {
	Itself      bool   // not the service manager
	Suffix      string // of the copy that an ephemeral container runs from
	Sockets     int    // passed on by the service manager
	Environment []string
}

// payload returns the process that becomes the payload.
func (r *Running) payload() *kernel.Child {
	if r.second != nil {
		return r.second
	}
	return r.child
}

// Quiet reports whether messages that are none of a problem are left out.
func (r *Running) Quiet() bool { return r.watching.Quiet }

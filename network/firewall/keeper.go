package firewall

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Backend is a packet filter that iptables(8) manages.
type Backend struct {
	Version int  // of IP, 4 or 6
	Legacy  bool // of the kernel's old tables, not nf_tables
}

// String returns the name of the program: "ip6tables-legacy".
func (b Backend) String() string {
	name := map[int]string{4: "iptables", 6: "ip6tables"}[b.Version]
	if b.Legacy {
		return name + "-legacy"
	}
	return name + "-nft"
}

// Tables are the packet filters of the host. [nspawnkit/network/kernel.XTables] are.
type Tables interface {
	// Backends returns those that may have a chain that is [Offered]; it costs little.
	Backends() ([]Backend, error)
	Save(Backend) (string, error)         // prints the table filter
	Restore(b Backend, text string) error // takes commands as "iptables-restore --noflush" does, all or none
}

// Keeper keeps our rules in the chains that others offer, for as long as there are links of containers.
type Keeper struct {
	Tables Tables
	// Note takes messages; err is nil for what was done. The same is not said twice in a row.
	Note func(text string, err error)

	// Ruleset returns what "nft --json list ruleset" prints, nothing where there is no nft; Warn takes what [Inspect] finds there while
	// rules are wanted, everything once.
	Ruleset func() ([]byte, error)
	Warn    func(text string)

	// Hold has others who change rules wait until release, where that is possible, and fails while one of them is at it. It may be nil.
	Hold func() (release func(), held bool)

	wanted  atomic.Bool
	changed chan struct{}
	warned  map[string]bool
	failed  map[Backend]string // what was said last
}

// NewKeeper returns a keeper that wants no rules yet.
func NewKeeper(tables Tables, note func(text string, err error)) *Keeper {
	return &Keeper{Tables: tables, Note: note, changed: make(chan struct{}, 1), warned: map[string]bool{}, failed: map[Backend]string{}}
}

// Want says whether the rules are to be there. The next look, which is soon, sees to it.
func (k *Keeper) Want(wanted bool) {
	if k.wanted.Swap(wanted) != wanted {
		k.Changed()
	}
}

// Changed says that something about the packet filters may be new.
func (k *Keeper) Changed() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

const (
	quiet   = 500 * time.Millisecond // without a change, before a look: others do in many steps what is to be seen as a whole
	patient = 10 * time.Second       // is how long a look waits for that, and for those who hold a lock: ufw asks questions meanwhile
	again   = time.Minute            // until the next look after one that failed
)

// Run looks now and whenever something has changed, until ctx ends. The rules stay.
func (k *Keeper) Run(ctx context.Context) {
	for {
		release, ok := k.settle(ctx)
		if !ok {
			return
		}
		var retry <-chan time.Time
		if !k.Look() {
			retry = time.After(again)
		}
		release()
		select {
		case <-ctx.Done():
		case <-k.changed:
		case <-retry:
		}
	}
}

// settle waits until nothing has changed for a moment, and nobody is going to change anything before release. It returns false when ctx
// ends.
func (k *Keeper) settle(ctx context.Context) (release func(), ok bool) {
	for deadline := time.Now().Add(patient); ; {
		select {
		case <-ctx.Done():
			return nil, false
		case <-k.changed:
			if time.Now().Before(deadline) {
				continue
			}
		case <-time.After(quiet):
		}
		if release, held := k.hold(); held {
			return release, true
		} else if time.Now().After(deadline) {
			return func() {}, true
		}
	}
}

func (k *Keeper) hold() (release func(), held bool) {
	if k.Hold == nil {
		return func() {}, true
	}
	return k.Hold()
}

// Finish takes our rules out now where they are not wanted. It is for the end, after Run.
func (k *Keeper) Finish() {
	if k.wanted.Load() {
		return
	}
	if release, held := k.hold(); held {
		defer release()
	}
	k.Look()
}

// Look compares all chains with what they are to hold and sets what differs. It reports whether all is well.
func (k *Keeper) Look() bool {
	backends, err := k.Tables.Backends()
	k.note(Backend{}, "", err)
	well := err == nil
	for _, b := range backends {
		text, err := k.lookAt(b)
		k.note(b, text, err)
		well = well && err == nil
	}
	if k.Ruleset != nil && k.wanted.Load() {
		k.inspect()
	}
	return well
}

// inspect warns of what others drop even so.
func (k *Keeper) inspect() {
	var findings []Finding
	data, err := k.Ruleset()
	if err == nil && len(data) > 0 {
		// firewalld's table is what its zones say; ours is ours.
		findings, err = Inspect(data, func(_, table string) bool { return table == "firewalld" || table == "nspawnkit" })
	}
	if err != nil {
		findings = nil
		k.warn(err.Error())
	}
	for _, f := range findings {
		k.warn(f.String())
	}
}

func (k *Keeper) warn(text string) {
	if !k.warned[text] {
		k.warned[text] = true
		k.Warn(text)
	}
}

// lookAt returns what was done.
func (k *Keeper) lookAt(b Backend) (string, error) {
	text, err := k.Tables.Save(b)
	if err != nil {
		return "", err
	}
	table, wanted := ParseSave(text), k.wanted.Load()
	plan := table.Plan(b.Version, wanted)
	if plan == "" {
		return "", nil
	}
	if err := k.Tables.Restore(b, plan); err != nil {
		return "", fmt.Errorf("let packets of containers pass: %w", err)
	}
	if wanted {
		return fmt.Sprintf("%v: added rules to %s, so that packets of containers pass", b, table.offered()), nil
	}
	return fmt.Sprintf("%v: removed our rules", b), nil
}

// note passes a message on. Success takes back an earlier failure.
func (k *Keeper) note(b Backend, text string, err error) {
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	if failure != "" && failure != k.failed[b] || text != "" {
		k.Note(text, err)
	}
	k.failed[b] = failure
}

// ErrNoProgram says that a program of iptables(8) is missing.
var ErrNoProgram = errors.New("not installed, so containers may have no network; install iptables")

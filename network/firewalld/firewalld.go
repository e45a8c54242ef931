// Package firewalld puts the links of containers into a zone of firewalld(1) where that runs.
//
// It stands beside network/kernel because it asks another program, over D-Bus, instead of the kernel.
package firewalld

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network/busname"
)

// Zone is the name of the zone, which comes with nspawnkit: /usr/lib/firewalld/zones/nspawnkit.xml. It lets containers ask for addresses
// and names; what is forwarded is let through by the policy nspawnkit-out.
const Zone = "nspawnkit"

// firewalld.dbus(5)
const (
	busName       = "org.fedoraproject.FirewallD1"
	objectPath    = "/org/fedoraproject/FirewallD1"
	zoneInterface = busName + ".zone"
)

// links are the names that firewalld takes: "+" stands for the rest of a name.
var links = [...]string{"ve-+", "vz-+"}

// Keeper keeps the links in the zone while there are containers, also when firewalld starts later or is reloaded. The zone of a link
// that the administrator has put elsewhere is not changed.
type Keeper struct {
	note    func(text string, err error)
	wanted  atomic.Bool
	changed chan struct{}
	failed  string // what was said last
}

// NewKeeper returns a keeper that wants nothing yet. note takes messages; err is nil for what was done.
func NewKeeper(note func(text string, err error)) *Keeper {
	return &Keeper{note: note, changed: make(chan struct{}, 1)}
}

// Want says whether the links are to be in the zone.
func (k *Keeper) Want(wanted bool) {
	if k.wanted.Swap(wanted) != wanted {
		select {
		case k.changed <- struct{}{}:
		default:
		}
	}
}

const (
	retry        = 5 * time.Second // between attempts to reach the bus, and from a failure of firewalld to the next attempt, at first
	longestRetry = time.Minute     // firewalld tells of what changes, so that waiting delays little
)

// Run follows firewalld until ctx ends. The links stay in the zone.
func (k *Keeper) Run(ctx context.Context, connect func(context.Context) (*dbus.Conn, error)) {
	for ctx.Err() == nil {
		if conn, err := connect(ctx); err == nil { // a host without a bus has no firewalld
			k.follow(ctx, conn)
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// Finish takes the links out of the zone now if they are not wanted there. It is for the end, after Run.
func (k *Keeper) Finish(ctx context.Context, connect func(context.Context) (*dbus.Conn, error)) {
	if k.wanted.Load() {
		return
	}
	if conn, err := connect(ctx); err == nil {
		k.look(ctx, conn)
		conn.Close()
	}
}

// follow keeps the links in the zone until the connection breaks.
func (k *Keeper) follow(ctx context.Context, conn *dbus.Conn) {
	signals, _, err := busname.Watch(conn, busName)
	if err == nil {
		err = conn.AddMatchSignal(dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName), dbus.WithMatchMember("Reloaded"))
	}
	if err != nil {
		return
	}
	for wait := retry; ; {
		var later <-chan time.Time
		if k.look(ctx, conn) {
			wait = retry
		} else {
			later = time.After(wait)
			wait = min(2*wait, longestRetry)
		}
		select {
		case <-ctx.Done():
			return
		case _, open := <-signals:
			if !open {
				return
			}
		case <-k.changed:
		case <-later:
		}
	}
}

// look sets what differs, where firewalld runs. It reports whether all is well.
func (k *Keeper) look(ctx context.Context, conn *dbus.Conn) bool {
	var runs bool
	if err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, busName).Store(&runs); err != nil || !runs {
		return err == nil
	}
	done, err := k.set(ctx, conn.Object(busName, objectPath), k.wanted.Load())
	failed := ""
	if err != nil {
		failed = err.Error()
	}
	if failed != "" && failed != k.failed || err == nil && done != "" {
		k.note(done, err)
	}
	k.failed = failed
	return err == nil
}

// set returns what it has done.
func (k *Keeper) set(ctx context.Context, firewalld dbus.BusObject, wanted bool) (done string, err error) {
	for _, link := range links {
		var zone string
		if err := firewalld.CallWithContext(ctx, zoneInterface+".getZoneOfInterface", 0, link).Store(&zone); err != nil {
			return "", fmt.Errorf("ask firewalld for the zone of %s: %w", link, err)
		}
		switch {
		case wanted && zone == "":
			err = firewalld.CallWithContext(ctx, zoneInterface+".addInterface", 0, Zone, link).Err
			done = "firewalld: put the links of containers into the zone " + Zone
		case !wanted && zone == Zone:
			err = firewalld.CallWithContext(ctx, zoneInterface+".removeInterface", 0, Zone, link).Err
			done = "firewalld: took the links of containers out of the zone " + Zone
		}
		if err != nil && strings.Contains(err.Error(), "INVALID_ZONE") {
			return "", fmt.Errorf("firewalld does not know the zone %s of containers: firewall-cmd --reload", Zone)
		}
		if err != nil {
			return "", fmt.Errorf("change the zone of %s in firewalld: %w", link, err)
		}
	}
	return done, nil
}

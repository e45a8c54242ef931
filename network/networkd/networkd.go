// Package networkd tells which links systemd-networkd manages, so that networkd-lite leaves them alone.
//
// It stands beside network/kernel because it asks another program, over D-Bus and files, instead of the kernel.
package networkd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network/busname"
)

const (
	busName = "org.freedesktop.network1" // org.freedesktop.network1(5)

	// LinksDirectory is where networkd keeps the state of each link, in a file named by its index (sd-network(3)).
	LinksDirectory = "run/systemd/netif/links"

	retry  = 2 * time.Second // between attempts to reach the bus or to watch the directory
	answer = 5 * time.Second // that networkd has to answer
)

// Owner knows whether networkd runs. The zero value does not; Watch keeps it up to date.
type Owner struct {
	// Root holds LinksDirectory.
	Root fs.FS
	// Watcher calls ready once it watches LinksDirectory and changed for every change in it, until ctx ends.
	Watcher func(ctx context.Context, ready, changed func()) error
	// Booted tells when the host was started, by the wall clock.
	Booted func() time.Time

	running atomic.Bool
	bus     atomic.Pointer[dbus.Conn] // nil: not connected
	leases  leaseTable
}

// Manages reports whether networkd runs and manages, or is going to manage, the link.
func (o *Owner) Manages(index int) bool {
	if !o.running.Load() {
		return false
	}
	data, err := fs.ReadFile(o.Root, LinksDirectory+"/"+strconv.Itoa(index))
	if err != nil {
		return true // networkd writes one for every link, soon after it appeared
	}
	return managed(data)
}

// managed reads the state of a link. Only ADMIN_STATE=unmanaged says that no .network file of networkd matches; all other
// states are steps of its work on the link (networkctl(1)).
func managed(state []byte) bool {
	for line := range bytes.Lines(state) {
		if value, found := bytes.CutPrefix(bytes.TrimSpace(line), []byte("ADMIN_STATE=")); found {
			return string(value) != "unmanaged"
		}
	}
	return true
}

// IsSetUp reports whether networkd has done, or given up, what it does to a link that it manages.
func (o *Owner) IsSetUp(index int) bool {
	return ReadState(o.Root, index).Done
}

// Reconfigure has networkd set up a link from the beginning, as "networkctl reconfigure" does (org.freedesktop.network1(5),
// ReconfigureLink).
func (o *Owner) Reconfigure(ctx context.Context, index int) error {
	conn := o.bus.Load()
	if conn == nil {
		return errors.New("no connection to the system bus")
	}
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	return conn.Object(busName, "/org/freedesktop/network1").
		CallWithContext(ctx, busName+".Manager.ReconfigureLink", dbus.FlagNoAutoStart, int32(index)).Err
}

// Watch follows networkd on the bus until ctx ends, and calls changed when it starts or stops, or the state of a link or what its DHCP
// server has given out changes. ready is called once, when it is known for the first time whether networkd runs, or that there is no bus
// to ask: then it is taken for not running.
func (o *Owner) Watch(ctx context.Context, connect func(context.Context) (*dbus.Conn, error), ready, changed func()) {
	for {
		conn, err := connect(ctx)
		if err == nil {
			o.follow(ctx, conn, &ready, changed)
			conn.Close()
		}
		once(&ready)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
	}
}

// once calls *ready the first time.
func once(ready *func()) {
	if *ready != nil {
		(*ready)()
		*ready = nil
	}
}

// follow watches the owner of networkd's name until the connection breaks. What was known stays in force meanwhile.
func (o *Owner) follow(ctx context.Context, conn *dbus.Conn, ready *func(), changed func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals, runs, err := busname.Watch(conn, busName)
	if err == nil {
		err = conn.AddMatchSignal(dbus.WithMatchSender(busName), dbus.WithMatchInterface("org.freedesktop.DBus.Properties"),
			dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, serverInterface))
	}
	if err != nil {
		return
	}
	o.bus.Store(conn)
	defer o.bus.Store(nil)
	stop := o.set(ctx, runs, changed)
	once(ready)
	o.readLeases(ctx, conn, changed)
	for signal := range signals {
		if runs, about := busname.Changed(signal, busName); about {
			stop()
			stop = o.set(ctx, runs, changed)
			o.readLeases(ctx, conn, changed)
		} else if index, about := changedLink(signal); about {
			o.readLinkLeases(ctx, conn, index, changed)
		}
	}
}

// set takes note of whether networkd runs and, while it does, watches its files until stop.
func (o *Owner) set(ctx context.Context, running bool, changed func()) (stop func()) {
	o.running.Store(running)
	changed()
	ctx, stop = context.WithCancel(ctx)
	if running {
		go o.watchFiles(ctx, changed)
	}
	return stop
}

// watchFiles calls changed for every change of a link's state until ctx ends.
func (o *Owner) watchFiles(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		o.Watcher(ctx, changed, changed) // the directory may be missing for a moment
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

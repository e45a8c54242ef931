package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"nspawnkit/network"
	"nspawnkit/network/firewall"
	"nspawnkit/network/firewalld"
	"nspawnkit/network/kernel"
	"nspawnkit/network/manager"
)

// foreignFilters keeps rules of ours in the packet filters of others.
type foreignFilters struct {
	root    fs.FS
	report  func(manager.Priority, string)
	keeper  *firewall.Keeper
	zone    *firewalld.Keeper
	allowed atomic.Bool // Firewall= of networkd-lite.conf(5)
	links   atomic.Bool // there are links of containers
	first   sync.Once
	known   chan struct{} // closed when the manager has looked: before, nobody knows
	running sync.WaitGroup
}

// ufwLock is what ufw(8) locks while it changes rules, lockf(3).
const ufwLock = "/run/ufw.lock"

func newForeignFilters(root fs.FS, report func(manager.Priority, string)) *foreignFilters {
	f := &foreignFilters{root: root, report: report, known: make(chan struct{})}
	note := func(text string, err error) {
		if err != nil {
			report(manager.Error, err.Error())
		} else {
			report(manager.Notice, text)
		}
	}
	f.keeper, f.zone = firewall.NewKeeper(kernel.XTables{}, note), firewalld.NewKeeper(note)
	f.keeper.Ruleset, f.keeper.Warn = kernel.XTables{}.Ruleset, func(text string) { report(manager.Warning, text) }
	f.keeper.Hold = func() (release func(), held bool) {
		release, err := kernel.LockShared(ufwLock)
		if err != nil { // a lock that cannot be had must not keep containers from their network
			return func() {}, !errors.Is(err, kernel.ErrLocked)
		}
		return release, true
	}
	f.load()
	return f
}

// load reads networkd-lite.conf(5).
func (f *foreignFilters) load() {
	options, problems := network.ReadOptions(f.root)
	for _, p := range problems {
		f.report(manager.Warning, fmt.Sprintf("%s: %s", p.Origin, p.Text))
	}
	f.allowed.Store(options.Firewall)
	f.want()
}

// serves is told whether there are links of containers.
func (f *foreignFilters) serves(any bool) {
	f.links.Store(any)
	f.want()
	f.first.Do(func() { close(f.known) })
}

func (f *foreignFilters) want() {
	wanted := f.allowed.Load() && f.links.Load()
	f.keeper.Want(wanted)
	f.zone.Want(wanted)
}

// start looks after the rules until ctx ends; then it is to be finished.
func (f *foreignFilters) start(ctx context.Context) {
	f.running.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-f.known:
		}
		go again(ctx, func() error { return kernel.WatchFirewall(ctx, f.keeper.Changed, f.keeper.Changed) }, func(err error) { f.report(manager.Warning, err.Error()) })
		go again(ctx, func() error { return kernel.WatchFile(ctx, kernel.XTablesLock, f.keeper.Changed) }, nil)
		f.running.Go(func() { f.zone.Run(ctx, connectBus) })
		f.keeper.Run(ctx)
	})
}

// finishTime is how long firewalld has at the end.
const finishTime = 5 * time.Second

// finish takes out what there is of ours unless links of containers need it: traffic goes on without the daemon. It waits for start.
func (f *foreignFilters) finish() {
	f.running.Wait()
	f.keeper.Finish()
	ctx, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	f.zone.Finish(ctx, connectBus)
}

// again calls watch until ctx ends. What it returns is reported once.
func again(ctx context.Context, watch func() error, report func(error)) {
	for ctx.Err() == nil {
		if err := watch(); err != nil && report != nil {
			report(err)
			report = nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
		}
	}
}

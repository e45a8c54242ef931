package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/godbus/dbus/v5"

	"nspawnkit/network"
	"nspawnkit/network/kernel"
	"nspawnkit/network/kernel/poll"
	"nspawnkit/network/kernel/proxy"
	"nspawnkit/network/manager"
	"nspawnkit/network/networkd"
	"nspawnkit/settings"
)

// serve looks after the links until it gets SIGTERM. SIGHUP reads the .network files again.
func serve(p paths, log *logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	root := os.DirFS(p.root)
	reload := make(chan struct{}, 1)
	foreign := newForeignFilters(root, log.report)
	onHangup(func() { foreign.load(); poke(reload) })
	unlock, err := kernel.Lock(p.lock())
	if errors.Is(err, kernel.ErrLocked) {
		return errors.New("already running")
	} else if err != nil {
		return err
	}
	defer unlock()
	links, err := kernel.OpenLinks()
	if err != nil {
		return err
	}
	defer links.Close()
	firewall, err := kernel.NewFirewall()
	if err != nil {
		return err
	}
	poller, err := poll.New()
	if err != nil {
		return err
	}
	defer poller.Close()
	tidy := limitMemory()
	leases := &leaseTable{}
	servers, err := openDHCP(p, poller, leases, log.report)
	if err != nil {
		return err
	}

	changes := make(chan struct{}, 1)
	servers.watch = &leaseWatch{leases: leases, changed: func() { poke(changes) }}
	owner := &networkd.Owner{Root: root, Watcher: func(ctx context.Context, ready, changed func()) error {
		return kernel.WatchDirectory(ctx, filepath.Join(p.root, networkd.LinksDirectory), ready, changed)
	}}
	names := newDNSServers(root, leases, log.report)
	defer names.host.follow(ctx, connectBus)()
	m := &manager.Manager{
		Links: links, Devices: links, Firewall: firewall, Sysctls: sysctls{}, Owner: owner,
		DHCP: servers, DNS: names,
		Router: openRouter, Routes6: links.Routes6, Random: rand.Reader,
		State: directory(p.state), Runtime: directory(p.runtime),
		Files:    func() (network.Files, []settings.Problem) { return network.ReadFiles(root, network.SearchPath()) },
		Host:     func() network.Host { return network.ReadHost(root) },
		Machines: (&network.MachineFiles{Root: root}).Read,
		Requests: renumberRequests(p.requests()).take,
		Serves:   func(any bool) { foreign.serves(any); tidy() },
		Report:   log.report, Now: time.Now,
		Lease: servers.watch.lease, Neighbours: links.Neighbours, ForgetFlows: kernel.ForgetFlows,
		Proxy: proxy.New(func(err error) { log.report(manager.Warning, err.Error()) }),
	}
	m.Start()
	go watchDirectory(ctx, filepath.Join(p.root, network.MachinesDirectory), func() { poke(changes) })
	go watchRoutes(ctx, log, func() { m.RoutesChanged(); poke(changes) })
	go watchDirectory(ctx, p.requests(), func() { poke(changes) })
	foreign.start(ctx)
	err = watchAndRun(ctx, m, owner, changes, reload)
	stop()
	return errors.Join(err, leave(links, firewall, foreign))
}

// onHangup calls do whenever the process gets SIGHUP.
func onHangup(do func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		for range hangup {
			do()
		}
	}()
}

func connectBus(ctx context.Context) (*dbus.Conn, error) {
	return dbus.ConnectSystemBus(dbus.WithContext(ctx))
}

// busTimeout is how long the bus has to tell whether systemd-networkd runs, before it is taken for not running.
const busTimeout = 5 * time.Second

// watchAndRun runs the manager once everything that may change is watched.
func watchAndRun(ctx context.Context, m *manager.Manager, owner *networkd.Owner, changes, reload chan struct{}) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changed := func() { poke(changes) }
	watching := make(chan struct{}, 2) // one for each of what follows
	ready := func() { watching <- struct{}{} }
	go func() {
		if err := kernel.Watch(ctx, ready, changed); err != nil {
			cancel(err)
		}
	}()
	go func() {
		if err := kernel.WatchNeighbours(ctx, changed); err != nil {
			cancel(err)
		}
	}()
	go owner.Watch(ctx, connectBus, ready, changed)
	deadline := time.After(busTimeout)
	for range cap(watching) {
		select {
		case <-watching:
		case <-deadline: // a bus that hangs must not keep containers from their network
		case <-ctx.Done():
		}
	}

	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		interval = 24 * time.Hour
	}
	message := daemon.SdNotifyReady
	var told time.Time
	m.Run(ctx, changes, reload, interval/2, func() {
		if message == "" && time.Since(told) < interval/4 {
			return // a manager that is busy with hundreds of containers has enough to read
		}
		daemon.SdNotify(false, message+"\n"+daemon.SdNotifyWatchdog)
		message, told = "", time.Now()
	})
	daemon.SdNotify(false, daemon.SdNotifyStopping)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// watchDirectory calls changed when files of a directory have changed, until ctx ends. Whoever comes first makes the directory.
func watchDirectory(ctx context.Context, directory string, changed func()) {
	for ctx.Err() == nil {
		if err := os.MkdirAll(directory, 0o755); err == nil {
			kernel.WatchDirectory(ctx, directory, changed, changed) // what came before it watched is seen, too
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the directory has gone
		}
	}
}

// watchRoutes calls changed when routes have changed, until ctx ends. Without it only new overlaps of subnets stay unnoticed.
func watchRoutes(ctx context.Context, log *logger, changed func()) {
	if err := kernel.WatchRoutes(ctx, changed); err != nil {
		log.report(manager.Warning, err.Error())
	}
}

// poke says that there is something to look at; once is enough.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sysctls are those of the kernel.
type sysctls struct{}

func (sysctls) Get(path string) (string, error) { return kernel.GetSysctl(path) }
func (sysctls) Set(path, value string) error    { return kernel.SetSysctl(path, value) }

// directory is a [manager.Store] of files in a folder.
type directory string

func (d directory) Load(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (d directory) Save(name string, data []byte) error {
	return kernel.ReplaceFile(filepath.Join(string(d), name), data)
}

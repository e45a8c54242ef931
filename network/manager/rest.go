package manager

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"nspawnkit/network"
)

// Idle reports whether no link is to be served. Then nobody need wait for the first look, for which the kernel loads the modules of the
// nft tables: after a boot of a slow machine that takes longer than all the rest. Who asks for the status meanwhile learns of no links.
func (m *Manager) Idle() bool {
	list, err := m.Links.List()
	if err != nil {
		return false
	}
	for _, l := range list {
		if l.Served() {
			return false
		}
	}
	m.saveStatus()
	m.savePorts()
	return true
}

// Publishes reports whether ports are published, so that it matters who answers for an address. It may be called from any goroutine.
func (m *Manager) Publishes() bool { return m.ports.published.Load() }

// unchecked returns how a link is to be, without the sysctls where it is as the last look left it: they are some ten files of each link,
// and the kernel tells of all that is new for every container. Who sets them by hand meant it; the next reload looks at them again.
func (l *link) unchecked(want network.State) network.State {
	if bare := withoutSysctls(want); l.settled != nil && reflect.DeepEqual(*l.settled, l.Link) && reflect.DeepEqual(l.state, bare) {
		return bare
	}
	return want
}

// withoutSysctls is what need be remembered of how a link is to be: its sysctls follow from its file, and a reload forgets what is settled.
func withoutSysctls(s network.State) network.State {
	s.Sysctls = nil
	return s
}

// forward switches on forwarding on the host, once in each look.
func (m *Manager) forward(on network.Families, list []network.Link) error {
	on.IPv4, on.IPv6 = on.IPv4 && !m.forwarded.IPv4, on.IPv6 && !m.forwarded.IPv6
	sysctls, err := network.HostForwarding(on, list, m.Routes6, m.Sysctls.Get)
	if err != nil {
		return err
	}
	for _, s := range sysctls {
		if err := m.Sysctls.Set(s.Path, s.Value); err != nil {
			return err
		}
		m.Report(Notice, fmt.Sprintf("sysctl %s=%s", s.Path, s.Value))
	}
	m.forwarded.IPv4, m.forwarded.IPv6 = m.forwarded.IPv4 || on.IPv4, m.forwarded.IPv6 || on.IPv6
	return nil
}

// Bounds of the pause between two looks. The shortest one is for the kernel, which tells of a link that comes up in a dozen messages.
const (
	minPause = 20 * time.Millisecond
	maxPause = 400 * time.Millisecond
)

// pause lets what changes come together after a look that took that long: each look is at all links, so that hundreds of containers that
// start at once would cost the square of their number. So a fifth of a processor is the most that looks take, but on a machine where one
// takes a tenth of a second. With a few links it is over before anybody sees it.
func pause(ctx context.Context, took time.Duration) {
	timer := time.NewTimer(min(max(4*took, minPause), maxPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

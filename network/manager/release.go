package manager

import (
	"context"
	"fmt"
	"net/netip"

	"nspawnkit/network"
	"nspawnkit/network/ra"
)

// toConfigure returns the .network file of a link that is ours to configure, and releases what is not.
func (m *Manager) toConfigure(ctx context.Context, l *link) (*network.File, error) {
	file, passed := m.files.Find(l.Link)
	if m.Owner.Manages(l.Index) {
		if err := m.leave(ctx, l); err != nil {
			return nil, err
		}
		m.serveNames(ctx, l, file, l.Addresses)
		return nil, nil
	}
	if file == nil {
		if passed != nil {
			m.warn(*passed)
		}
		l.stopNames()
		return nil, m.release(l, "no .network file matches", nil)
	}
	m.warn(file.Problems...)
	if file.Config.Unmanaged {
		return nil, m.release(l, "left alone by Unmanaged=yes", nil)
	}
	return file, nil
}

// leave leaves a link to systemd-networkd.
//
// It chooses a subnet of its own: a container that has an address of ours is to notice now, not when the lease ends, so it loses its carrier
// for a moment. But networkd that loses the carrier while it sets up a link chooses once more, and has its DHCP server go on
// with what it chose before: it is to begin again.
func (m *Manager) leave(ctx context.Context, l *link) error {
	if len(l.ours) == 0 {
		return m.release(l, leftToNetworkd, nil)
	}
	return m.release(l, leftToNetworkd, func() {
		if err := m.Owner.Reconfigure(ctx, l.Index); err != nil {
			m.Report(Warning, fmt.Sprintf("%s: have systemd-networkd set up the link again: %v; “networkctl reconfigure %[1]s” does it", l.Name, err))
		}
	})
}

const leftToNetworkd = "left to systemd-networkd"

// release takes back what was set on a link that is not ours to configure, or no longer. With away the containers behind it
// lose their carrier for a moment, in which it is called.
func (m *Manager) release(l *link, why string, away func()) error {
	l.stopServer()
	l.stopRouter(ra.ErrWithdrawn)
	l.file, l.state, l.subnet, l.prefix, l.settled = nil, network.State{}, netip.Prefix{}, netip.Prefix{}, nil
	if err := m.route(l, nil, nil); err != nil {
		return err
	}
	difference := network.Diff(l.Link, l.state, l.ours, m.Sysctls.Get)
	difference.Had = l.settings
	difference.Up = false
	if !difference.Empty() {
		if err := m.Links.Apply(l.Link, difference); err != nil {
			return err
		}
	}
	if l.ours, l.settings = nil, nil; away != nil {
		m.flapping = append(m.flapping, flap{l.Link, away})
	}
	m.note(l, Info, why)
	return nil
}

// flap is a link whose containers are to notice that they have another network. It loses its carrier for a moment, in which away is called.
type flap struct {
	link network.Link
	away func()
}

// flapAll has all links flap together, at the end of a look: who asks again finds all in place.
func (m *Manager) flapAll() {
	if len(m.flapping) == 0 {
		return
	}
	flapping := m.flapping
	m.flapping = nil
	var links []network.Link
	for _, f := range flapping {
		links = append(links, f.link)
	}
	err := m.Links.Flap(links, func() {
		for _, f := range flapping {
			f.away()
		}
	})
	if err != nil {
		m.Report(Warning, err.Error())
	}
}

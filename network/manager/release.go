package manager

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

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
	l.left, l.begunAgain = time.Time{}, time.Time{}
	if file == nil {
		if passed != nil {
			m.warn(*passed)
		}
		l.stopNames()
		return nil, m.release(l, "no .network file matches")
	}
	m.warn(file.Problems...)
	if file.Config.Unmanaged {
		return nil, m.release(l, "left alone by Unmanaged=yes")
	}
	return file, nil
}

// settingUp is how long systemd-networkd may take to set up a link that it was left; it needs about six seconds.
const settingUp = 20 * time.Second

// leave leaves a link to systemd-networkd.
//
// It chooses a subnet of its own: a container that has an address of ours is to notice before the lease ends, so it loses its carrier for a
// moment. But networkd that loses the carrier chooses once more, and has its DHCP server go on with what it chose before: it is to
// begin again when the carrier is back. Not before it is done with the link: it would keep the address that was on its way, too, and
// may never come to an end.
func (m *Manager) leave(ctx context.Context, l *link) error {
	if len(l.ours) > 0 {
		l.left = m.Now()
		l.ours = slices.DeleteFunc(slices.Clone(l.ours), l.isShared)
	}
	if err := m.release(l, leftToNetworkd); err != nil {
		return err
	}
	if l.left.IsZero() {
		m.helpOn(ctx, l)
		return nil
	}
	if !m.Owner.IsSetUp(l.Index) && m.Now().Sub(l.left) < settingUp {
		return nil
	}
	l.left = time.Time{}
	m.flapping = append(m.flapping, flap{l.Link, func() {
		m.beginAgain(ctx, l)
		l.begunAgain = m.Now()
	}})
	return nil
}

// helpOn has systemd-networkd begin a second time with a link that it began again and is not done with after more than the usual time: 252
// was seen to remain there, with addresses and "configuring", without anybody who would do it.
func (m *Manager) helpOn(ctx context.Context, l *link) {
	if l.begunAgain.IsZero() || m.Now().Sub(l.begunAgain) < settingUp {
		return
	}
	l.begunAgain = time.Time{}
	if !m.Owner.IsSetUp(l.Index) {
		m.beginAgain(ctx, l)
	}
}

// beginAgain has systemd-networkd set up a link from the beginning.
func (m *Manager) beginAgain(ctx context.Context, l *link) {
	if err := m.Owner.Reconfigure(ctx, l.Index); err != nil {
		m.Report(Warning, fmt.Sprintf("%s: have systemd-networkd set up the link again: %v; “networkctl reconfigure %[1]s” does it", l.Name, err))
	}
}

// isShared reports whether systemd-networkd sets an address of ours as well, as it reads the same .network file.
func (l *link) isShared(address netip.Prefix) bool {
	return l.file != nil && !strings.HasPrefix(l.file.Path, "/usr/lib/nspawnkit/") && slices.Contains(l.file.Config.Addresses, address)
}

const leftToNetworkd = "left to systemd-networkd"

// release takes back what was set on a link that is not ours to configure, or no longer.
func (m *Manager) release(l *link, why string) error {
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
	l.ours, l.settings = nil, nil
	m.note(l, Info, why)
	return nil
}

// flap is a link whose containers are to notice that they have another network. It loses its carrier for a moment;
// after is called when it is back.
type flap struct {
	link  network.Link
	after func()
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
	if err := m.Links.Flap(links); err != nil {
		m.Report(Warning, err.Error())
	}
	for _, f := range flapping {
		f.after()
	}
}

// nextLeft returns how long to wait for systemd-networkd, which is not done with a link.
func (m *Manager) nextLeft() time.Duration {
	next := idle
	for _, l := range m.links {
		for _, since := range []time.Time{l.left, l.begunAgain} {
			if !since.IsZero() {
				next = min(next, settingUp-m.Now().Sub(since))
			}
		}
	}
	return next
}

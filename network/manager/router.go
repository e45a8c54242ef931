package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"nspawnkit/network"
	"nspawnkit/network/ra"
)

// router advertises the host on a link.
type router struct {
	says *ra.Advertisement
	from netip.Addr
	stop context.CancelCauseFunc
	done chan struct{} // closed at the end
	err  error         // why it ended; valid when done is closed
}

// advertise starts router advertisements on a link, changes what they say, or stops them, as the link's state says. They wait for a
// link-local address to come from, which the kernel tells of.
func (m *Manager) advertise(ctx context.Context, l *link) error {
	s := &l.file.Config.SendRA
	if !s.Enabled || !l.LinkLocal.IsValid() || l.noIPv6 != "" {
		l.stopRouter(ra.ErrWithdrawn)
		return nil
	}
	if err := l.routerError(); err != nil {
		return err
	}
	host := m.hostNow()
	says := s.Advertisement(l.Link, l.prefix, host.Uplink6)
	l.advertiseNames(says, s)
	if l.router != nil && l.router.from == l.LinkLocal && reflect.DeepEqual(l.router.says, says) {
		return nil
	}
	l.stopRouter(nil) // hosts keep what they know until they hear what is new
	run, err := m.Router(l.Link, says)
	if err != nil {
		return fmt.Errorf("router advertisements: %w", err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	r := &router{says: says, from: l.LinkLocal, stop: stop, done: make(chan struct{})}
	l.router = r
	go func() {
		r.err = run(ctx)
		close(r.done)
		select {
		case m.ended <- struct{}{}:
		default: // a look is due already
		}
	}()
	return nil
}

// advertiseNames has containers use the DNS server of the link, unless the file names others. Until it has an IPv6 address they are told of
// none: what they heard once they would go on using.
func (l *link) advertiseNames(a *ra.Advertisement, s *network.IPv6SendRA) {
	if len(l.names) == 0 || !s.EmitDNS || len(s.DNS) > 0 || s.Uplink != ":auto" {
		return
	}
	a.DNS = nil
	for _, own := range append(slices.Clone(l.state.Addresses), netip.PrefixFrom(l.LinkLocal, 64)) {
		if own.Addr().Is6() && l.servesNames(own.Addr()) {
			a.DNS = []netip.Addr{own.Addr()}
			break
		}
	}
	if s.EmitDomains && len(s.Domains) == 0 {
		a.Domains = append(slices.Clone(a.Domains), l.suffix)
	}
}

// routerError returns why router advertisements have ended by themselves, once.
func (l *link) routerError() error {
	if l.router == nil {
		return nil
	}
	select {
	case <-l.router.done:
		err := l.router.err
		l.stopRouter(nil)
		return fmt.Errorf("router advertisements: %w", err)
	default:
		return nil
	}
}

// stopRouter ends router advertisements: with [ra.ErrWithdrawn], hosts are told that there is no router any more.
func (l *link) stopRouter(cause error) {
	if l.router != nil {
		l.router.stop(cause)
		<-l.router.done
		l.router = nil
	}
}

// dropIPv6 leaves out of what a link is to have what it cannot have without IPv6. Somebody who switched that off meant it.
func (m *Manager) dropIPv6(l *link, s *network.IPv6SendRA, want *network.State) {
	isIPv6 := func(a netip.Prefix) bool { return a.Addr().Is6() }
	l.noIPv6 = ""
	if !s.Enabled && !slices.ContainsFunc(want.Addresses, isIPv6) {
		return
	}
	name := "net/ipv6/conf/" + l.Name + "/disable_ipv6"
	value, err := m.Sysctls.Get(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.noIPv6 = "no IPv6 on this host"
	case strings.TrimSpace(value) == "1":
		l.noIPv6 = "no IPv6 (sysctl " + name + "=1)"
	default:
		return
	}
	want.Addresses = slices.DeleteFunc(want.Addresses, isIPv6)
}

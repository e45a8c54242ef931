package resolved

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network"
	"nspawnkit/network/busname"
)

// The names of org.freedesktop.resolve1(5).
const (
	busName    = "org.freedesktop.resolve1"
	objectPath = "/org/freedesktop/resolve1"
	manager    = busName + ".Manager."

	// noSuchLink is what a link that has gone is to it: it has forgotten the settings then.
	noSuchLink = busName + ".NoSuchLink"
	// notSupported is what SetLinkDNSSEC() is to one that cannot validate at all.
	notSupported = "org.freedesktop.DBus.Error.NotSupported"

	retry = 2 * time.Second // between attempts to reach the bus
)

// Client keeps systemd-resolved up to date, where it runs.
type Client struct {
	// Report takes what went wrong, each text once until it succeeds.
	Report func(error)

	mu     sync.Mutex
	wanted []Route
	poke   chan struct{}
	said   map[string]bool
}

// NewClient returns a client that wants nothing yet.
func NewClient(report func(error)) *Client {
	return &Client{Report: report, poke: make(chan struct{}, 1), said: map[string]bool{}}
}

// Set says what systemd-resolved is to know. It returns at once.
func (c *Client) Set(routes []Route) {
	c.mu.Lock()
	c.wanted = routes
	c.mu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// Run tells systemd-resolved until ctx ends, again whenever it starts, and takes everything back then: nobody answers any more.
func (c *Client) Run(ctx context.Context, connect func(context.Context) (*dbus.Conn, error)) {
	for ctx.Err() == nil {
		if conn, err := connect(context.WithoutCancel(ctx)); err == nil {
			c.follow(ctx, conn)
			conn.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
}

// follow works with one connection until it breaks.
func (c *Client) follow(ctx context.Context, conn *dbus.Conn) {
	signals, runs, err := busname.Watch(conn, busName)
	if err != nil {
		return
	}
	s := session{client: c, object: conn.Object(busName, objectPath), runs: runs}
	for {
		s.update(c.routes())
		select {
		case <-ctx.Done():
			s.update(nil)
			return
		case <-c.poke:
		case signal, ok := <-signals:
			if !ok {
				return
			}
			if runs, changed := busname.Changed(signal, busName); changed {
				s.runs, s.told = runs, nil
			}
		}
	}
}

func (c *Client) routes() []Route {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wanted
}

// session is one life of systemd-resolved.
type session struct {
	client *Client
	object dbus.BusObject
	runs   bool
	told   []Route
}

// update tells what differs.
func (s *session) update(wanted []Route) {
	if !s.runs {
		return
	}
	var told []Route
	for _, old := range s.told {
		if !kept(wanted, old) {
			s.call("RevertLink", old.Name, int32(old.Index))
		} else {
			told = append(told, old)
		}
	}
	s.told = told
	for _, r := range wanted {
		if !s.knows(r) && s.tell(r) {
			s.remember(r)
		}
	}
}

// kept reports whether a link goes on, perhaps with other servers. What is left to systemd-resolved now, and was not, has to be reverted.
func kept(routes []Route, old Route) bool {
	for _, r := range routes {
		if r.Index == old.Index {
			return r.Unsigned == old.Unsigned && (r.DefaultRoute == network.Unset) == (old.DefaultRoute == network.Unset)
		}
	}
	return false
}

func (s *session) knows(r Route) bool {
	for _, old := range s.told {
		if old.equal(r) {
			return true
		}
	}
	return false
}

func (s *session) remember(r Route) {
	for i := range s.told {
		if s.told[i].Index == r.Index {
			s.told[i] = r
			return
		}
	}
	s.told = append(s.told, r)
}

// address and domain are the structures of SetLinkDNS() and SetLinkDomains().
type (
	address struct {
		Family int32
		Bytes  []byte
	}
	domain struct {
		Name        string
		RoutingOnly bool
	}
)

// serverEx is that of SetLinkDNSEx(), which systemd has since 246.
type serverEx struct {
	Family     int32
	Bytes      []byte
	Port       uint16
	ServerName string
}

const familyINET, familyINET6 = 2, 10 // AF_INET, AF_INET6

// tell sets one link: its domains, whether it is for other names, and its servers.
func (s *session) tell(r Route) bool {
	domains := make([]domain, len(r.Domains))
	for i, d := range r.Domains {
		domains[i] = domain{d.Name, d.RoutingOnly}
	}
	index := int32(r.Index)
	return s.call("SetLinkDomains", r.Name, index, domains) &&
		(r.DefaultRoute == network.Unset || s.call("SetLinkDefaultRoute", r.Name, index, r.DefaultRoute == network.Yes)) &&
		(!r.Unsigned || s.call("SetLinkDNSSEC", r.Name, index, "no")) &&
		s.tellServers(r)
}

// tellServers uses the older method as far as it goes.
func (s *session) tellServers(r Route) bool {
	plain, extended := make([]address, len(r.DNS)), make([]serverEx, len(r.DNS))
	needed := false
	for i, server := range r.DNS {
		family := int32(familyINET)
		if server.Address.Is6() {
			family = familyINET6
		}
		plain[i] = address{family, server.Address.AsSlice()}
		extended[i] = serverEx{family, server.Address.AsSlice(), server.Port, server.ServerName}
		needed = needed || server.Port != 0 || server.ServerName != ""
	}
	if needed {
		return s.call("SetLinkDNSEx", r.Name, int32(r.Index), extended)
	}
	return s.call("SetLinkDNS", r.Name, int32(r.Index), plain)
}

// call calls a method for a link and reports an error, unless the link has gone.
func (s *session) call(method, link string, arguments ...any) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.object.CallWithContext(ctx, manager+method, dbus.FlagNoAutoStart, arguments...).Err
	if err == nil {
		return true
	}
	var refused dbus.Error
	if errors.As(err, &refused) && (refused.Name == noSuchLink || refused.Name == notSupported) {
		return refused.Name == notSupported
	}
	err = fmt.Errorf("systemd-resolved, %s of %s: %w", method, link, err)
	if text := err.Error(); !s.client.said[text] {
		s.client.said[text] = true
		s.client.Report(err)
	}
	return false
}

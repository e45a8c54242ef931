package network

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Resolving is what a .network file says of whom the host asks for names over a link. It is for systemd-resolved.
type Resolving struct {
	DNS          []NameServer
	Domains      []SearchDomain
	DefaultRoute Tristate // DNSDefaultRoute=: whether the servers are asked for everything
}

// NameServer is a server of DNS=.
type NameServer struct {
	Address    netip.Addr
	Port       uint16 // 0: the usual one
	ServerName string // of its certificate (SNI); empty: none
}

// SearchDomain is one of Domains=.
type SearchDomain struct {
	Name        string // "." is the root
	RoutingOnly bool   // "~": for choosing a link, not for completing names
}

// LinkResolving is what is said of one link.
type LinkResolving struct {
	Index int
	Name  string
	Resolving
}

// Empty reports whether nothing is said.
func (r *Resolving) Empty() bool { return len(r.DNS)+len(r.Domains) == 0 && r.DefaultRoute == Unset }

// Equal reports whether both say the same.
func (r LinkResolving) Equal(other LinkResolving) bool { return reflect.DeepEqual(r, other) }

// resolvingKeys are the keys of whom the host asks.
var resolvingKeys = [...]key{
	{"Network", "DNS", addNameServer},
	{"Network", "Domains", addSearchDomains},
	{"Network", "DNSDefaultRoute", func(f *File, v string) error { return setTristate(&f.Config.Resolving.DefaultRoute, v) }},
}

// addNameServer takes servers; an empty value takes all earlier ones back.
func addNameServer(f *File, value string) error {
	r := &f.Config.Resolving
	if value == "" {
		r.DNS = nil
		return nil
	}
	var added []NameServer
	for word := range strings.FieldsSeq(value) {
		server, err := parseNameServer(word)
		if err != nil {
			return fmt.Errorf("%q: %w", word, err)
		}
		added = append(added, server)
	}
	r.DNS = append(r.DNS, added...)
	return nil
}

// parseNameServer takes ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, and #NAME behind it. "%" would name another link.
func parseNameServer(text string) (server NameServer, err error) {
	text, name, named := strings.Cut(text, "#")
	if server.ServerName = name; named && !validDomain(name) {
		return NameServer{}, errors.New("no domain behind \"#\"")
	}
	if strings.Contains(text, "%") {
		return NameServer{}, errors.New("networkd-lite supports only servers on the link itself, without \"%\"")
	}
	if server.Address, err = netip.ParseAddr(text); err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		server.Address, server.Port = withPort.Addr(), withPort.Port()
		if server.Port == 0 {
			return NameServer{}, errors.New("not the address of a server")
		}
	}
	if a := server.Address; err != nil || a.Is4In6() || a.IsUnspecified() || a.IsMulticast() {
		return NameServer{}, errors.New("not the address of a server")
	}
	return server, nil
}

// addSearchDomains takes domains; an empty value takes all earlier ones back.
func addSearchDomains(f *File, value string) error {
	r := &f.Config.Resolving
	if value == "" {
		r.Domains = nil
		return nil
	}
	var added []SearchDomain
	for word := range strings.FieldsSeq(value) {
		name, routingOnly := strings.CutPrefix(word, "~")
		if name != "." {
			name = strings.TrimSuffix(name, ".")
		}
		if !validDomain(name) && (name != "." || !routingOnly) {
			return fmt.Errorf("%q is not a domain", word)
		}
		added = append(added, SearchDomain{name, routingOnly})
	}
	r.Domains = append(r.Domains, added...)
	return nil
}

// finishResolving has router advertisements tell of the servers and search domains of [Network] where [IPv6SendRA] names none.
func (f *File) finishResolving() {
	s, r := &f.Config.SendRA, &f.Config.Resolving
	if len(s.DNS) == 0 {
		for _, server := range r.DNS {
			if a := server.Address; a.Is6() && !a.IsLoopback() && !slices.Contains(s.DNS, a) {
				s.DNS = append(s.DNS, a)
			}
		}
	}
	if len(s.Domains) == 0 {
		for _, domain := range r.Domains {
			if !domain.RoutingOnly {
				s.Domains = append(s.Domains, domain.Name)
			}
		}
	}
}

func (s NameServer) String() string {
	text := s.Address.String()
	if s.Port != 0 {
		text = netip.AddrPortFrom(s.Address, s.Port).String()
	}
	if s.ServerName != "" {
		text += "#" + s.ServerName
	}
	return text
}

func (d SearchDomain) String() string {
	if d.RoutingOnly {
		return "~" + d.Name
	}
	return d.Name
}

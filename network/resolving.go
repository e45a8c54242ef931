package network

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"nspawnkit/settings"
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

	link   string          // behind "%", the name or index of the link: as the file has it; empty: that of the file
	origin settings.Origin // of the line, where there is a link
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

// namesLinks reports whether there is a server with "%".
func (r *Resolving) namesLinks() bool {
	return slices.ContainsFunc(r.DNS, func(s NameServer) bool { return s.link != "" })
}

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
		if server.link != "" {
			server.origin = f.origin
		}
		added = append(added, server)
	}
	r.DNS = append(r.DNS, added...)
	return nil
}

// parseNameServer takes ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, and %LINK and #NAME behind it.
func parseNameServer(text string) (server NameServer, err error) {
	text, name, named := strings.Cut(text, "#")
	if server.ServerName = name; named && !validDomain(name) {
		return NameServer{}, errors.New("no domain behind \"#\"")
	}
	text, link, linked := strings.Cut(text, "%")
	if server.link = link; linked && !validLinkName(link) {
		return NameServer{}, errors.New("not the name or index of a link behind \"%\"")
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

// of returns the file as it is for a link: without the servers of which "%" makes another link's, each of which is a problem. systemd-resolved
// takes none of those for a link.
func (f *File) of(l Link) *File {
	if !f.Config.Resolving.namesLinks() {
		return f
	}
	file := *f
	file.Problems = slices.Clone(f.Problems)
	r := &file.Config.Resolving
	r.DNS = nil
	for _, server := range f.Config.Resolving.DNS {
		if server.link != "" && !l.is(server.link) {
			file.Problems = append(file.Problems, settings.Problem{Origin: server.origin, Text: fmt.Sprintf("[Network] DNS=: %q is of another link than this one, "+
				"of which systemd-resolved takes no servers: name it in the .network file of that link, or in resolved.conf(5)", server)})
			continue
		}
		server.link, server.origin = "", settings.Origin{}
		r.DNS = append(r.DNS, server)
	}
	file.finishResolving()
	return &file
}

// finishResolving has router advertisements tell of the servers and search domains of [Network] where [IPv6SendRA] names none. It waits until the
// link is known where servers depend on that.
func (f *File) finishResolving() {
	s, r := &f.Config.SendRA, &f.Config.Resolving
	if r.namesLinks() {
		return
	}
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
	if s.link != "" {
		text += "%" + s.link
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

package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Resolver is a DNS server that the host itself asks.
type Resolver struct {
	Address netip.Addr
	Behind  bool // systemd-resolved asks it, whose stub is in /etc/resolv.conf
	Result  Result
}

// resolver looks at the servers of the host, by which networkd-lite answers what it does not know itself.
func resolver(f *Facts) Hop {
	asked := slices.DeleteFunc(slices.Clone(f.Resolvers), func(r Resolver) bool { return r.Behind })
	behind := slices.DeleteFunc(slices.Clone(f.Resolvers), func(r Resolver) bool { return !r.Behind })
	answer := slices.IndexFunc(asked, Resolver.answers)
	switch {
	case len(asked) == 0:
		return unknown("not tried")
	case answer > 0:
		return ok("%v answers the host; %s before it in /etc/resolv.conf", asked[answer].Address, words(asked[:answer]))
	case answer == 0:
		return ok("%v answers the host", asked[0].Address)
	case !f.needsResolver():
		return unknown("%s, but containers are told of other DNS servers", words(asked))
	}
	if at := slices.IndexFunc(behind, Resolver.answers); at >= 0 {
		return fail("journalctl -u systemd-resolved; systemctl restart systemd-resolved", "%s: the host's own resolver gives no answers, although %v does, which it asks",
			words(asked), behind[at].Address)
	}
	const lost = "nobody answers questions for names outside, of the host neither"
	if len(behind) > 0 {
		return fail("ping -c3 "+behind[0].Address.String()+"; resolvectl status   # DNS= in /etc/systemd/resolved.conf names another server",
			"%v passes questions on, but %s: %s", asked[0].Address, words(behind), lost)
	}
	look := "ss -lpn 'sport = 53'"
	if at := slices.IndexFunc(asked, func(r Resolver) bool { return !r.Address.IsLoopback() }); at >= 0 {
		look = "ping -c3 " + asked[at].Address.String()
	}
	return fail(look+"; cat /etc/resolv.conf   # nameserver names another server", "%s: %s", words(asked), lost)
}

func (r Resolver) answers() bool { return r.Result == Answer }

// needsResolver reports whether containers depend on these servers: they are told of them, or of the host itself.
func (f *Facts) needsResolver() bool {
	return len(f.DHCP.DNS) == 0 || slices.ContainsFunc(f.DHCP.DNS, func(told netip.Addr) bool {
		return f.isHost(told) || slices.ContainsFunc(f.Resolvers, func(r Resolver) bool { return r.Address == told })
	})
}

// words says what came of questions to servers.
func words(list []Resolver) string {
	var text []string
	for _, r := range list {
		text = append(text, fmt.Sprintf("%v gives %s", r.Address, map[Result]string{Answer: "answers", Silence: "no answer", Refused: "no answer (refused)"}[r.Result]))
	}
	return strings.Join(text, ", ")
}

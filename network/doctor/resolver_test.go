package doctor

import (
	"net/netip"
	"strings"
	"testing"
)

// Each case has other servers that the host asks; the golden file has the line about them, and what fails first.
func TestExamineResolvers(t *testing.T) {
	stub := func(r Result) Resolver { return Resolver{Address: netip.MustParseAddr("127.0.0.53"), Result: r} }
	server := func(r Result) Resolver { return Resolver{Address: netip.MustParseAddr("192.0.2.53"), Result: r} }
	behind := func(r Result) Resolver {
		return Resolver{Address: netip.MustParseAddr("198.51.100.53"), Behind: true, Result: r}
	}
	for name, list := range map[string][]Resolver{
		"none":                  nil,
		"answers":               {server(Answer)},
		"second answers":        {stub(Refused), server(Answer)},
		"silent":                {server(Silence)},
		"dead stub alone":       {stub(Refused)},
		"all silent":            {stub(Refused), server(Silence)},
		"stub dead":             {stub(Refused), behind(Answer)},
		"behind the stub":       {stub(Silence), behind(Silence)},
		"stub behind dead":      {stub(Refused), behind(Refused)},
		"silent, not asked for": {server(Silence)},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.Resolvers, facts.DHCP.DNS = list, []netip.Addr{facts.DHCP.Server}
			if strings.Contains(name, "not asked for") {
				facts.DHCP.DNS[0] = netip.MustParseAddr("203.0.113.53")
			}
			report := Examine(facts)
			golden(t, "resolver-"+strings.Map(fileName, name), only(report, "resolver")+"first: "+report.Failed+"\n")
		})
	}
}

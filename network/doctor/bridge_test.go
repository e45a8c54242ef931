package doctor

import (
	"strings"
	"testing"
)

// Each case is a container in a zone; the golden file has the line about its bridge, and what fails first.
func TestExamineBridge(t *testing.T) {
	drop := Foreign{Chain: "nft chain inet mine forward", Rule: "policy drop", Allow: "nft insert …", AllowBridge: "nft insert vz-app …"}
	peer := func(r Result) []Peer { return []Peer{{"db", Path{Target: "10.0.0.3", Inside: r}}} }
	for name, test := range map[string]struct {
		bridge  Bridge
		foreign []Foreign
	}{
		"alone":              {Bridge{}, nil},
		"alone and filtered": {Bridge{Filtered: true}, []Foreign{drop}},
		"answers":            {Bridge{Peers: peer(Answer)}, nil},
		"answers though":     {Bridge{Filtered: true, Drops: []Foreign{drop}, Peers: peer(Answer)}, []Foreign{drop}},
		"dropped":            {Bridge{Filtered: true, Drops: []Foreign{drop}, Peers: peer(Silence)}, []Foreign{drop}},
		"dropped alone":      {Bridge{Filtered: true, Drops: []Foreign{drop}}, []Foreign{drop}},
		"maybe dropped":      {Bridge{Filtered: true, Peers: peer(Silence)}, []Foreign{drop}},
		"not filtered":       {Bridge{Drops: []Foreign{drop}, Peers: peer(Silence)}, []Foreign{drop}},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.IPv6.ReverseLink = "vz-app"
			facts.Server.Name, facts.ReverseLink, facts.Bridge, facts.Foreign = "vz-app", "vz-app", test.bridge, test.foreign
			report := Examine(facts)
			golden(t, "bridge-"+strings.Map(fileName, name), only(report, "firewall", "bridge")+"first: "+report.Failed+"\n")
		})
	}
}

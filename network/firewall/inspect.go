package firewall

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Finding is a place where the packet filter of somebody else drops what a container needs.
type Finding struct {
	Packet  string // what is dropped: "what containers send to the outside"
	Chain   string // "inet filter forward"
	Rule    string // "policy drop", or "rule with handle 7"
	Command string // of a shell, that would let it pass
}

// String says it in one line.
func (f Finding) String() string {
	return fmt.Sprintf("nft chain %s drops %s (%s); to allow it: %s", f.Chain, f.Packet, f.Rule, f.Command)
}

// probe is a packet that a container's network depends on.
type probe struct {
	what, hook string
	facts      map[string]string // what is known of it, by the names of nft(8)
	allow      []string          // rules of nft(8), for all links
	iptables   []string          // and of iptables(8)
}

var probes = [...]probe{
	{"what containers send to others", "forward", map[string]string{"iifname": "ve-", "ct state": "new"},
		[]string{`iifname "ve-*" accept`, `iifname "vz-*" accept`}, []string{"-i ve-+ -j ACCEPT", "-i vz-+ -j ACCEPT"}},
	{"answers to containers", "forward", map[string]string{"oifname": "ve-", "ct state": "established"},
		[]string{`oifname "ve-*" ct state established,related accept`, `oifname "vz-*" ct state established,related accept`},
		[]string{"-o ve-+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-o vz-+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"}},
	{"questions of containers for names", "input", map[string]string{"iifname": "ve-", "ct state": "new", "l4proto": "udp", "udp dport": "53"},
		[]string{`iifname "ve-*" meta l4proto { tcp, udp } th dport 53 accept`, `iifname "vz-*" meta l4proto { tcp, udp } th dport 53 accept`},
		[]string{"-i ve-+ -p udp --dport 53 -j ACCEPT", "-i vz-+ -p udp --dport 53 -j ACCEPT"}},
}

// ruleset is what "nft --json list ruleset" prints, libnftables-json(5).
type ruleset struct {
	Objects []struct {
		Chain *nftChain `json:"chain"`
		Rule  *nftRule  `json:"rule"`
	} `json:"nftables"`
}

type nftChain struct {
	Family, Table, Name, Type, Hook, Policy string
	rules                                   []*nftRule
}

type nftRule struct {
	Family, Table, Chain string
	Handle               int
	Expr                 []map[string]json.RawMessage
}

// Inspect returns what the chains of others would certainly drop, by the output of "nft --json list ruleset". What depends on more than
// is known of a packet is not reported. skip tells of a table that somebody looks after.
func Inspect(data []byte, skip func(family, table string) bool) ([]Finding, error) {
	return inspect(data, probes[:], skip)
}

// InspectBridge does the same for frames between the ports of a bridge, which pass the chains where br_netfilter is on: they come in
// through the bridge, and leave through it. Its name must be one that nft(8) takes.
func InspectBridge(data []byte, bridge string, skip func(family, table string) bool) ([]Finding, error) {
	return inspect(data, []probe{{
		"frames between containers on " + bridge, "forward", map[string]string{"iifname": bridge, "oifname": bridge, "ct state": "new"},
		[]string{fmt.Sprintf("iifname %q oifname %[1]q accept", bridge)}, []string{fmt.Sprintf("-i %s -o %[1]s -j ACCEPT", bridge)},
	}}, skip)
}

func inspect(data []byte, probes []probe, skip func(family, table string) bool) ([]Finding, error) {
	var set ruleset
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("read the nft ruleset: %w", err)
	}
	chains := map[[3]string]*nftChain{}
	var order []*nftChain
	for _, o := range set.Objects {
		switch {
		case o.Chain != nil:
			chains[[3]string{o.Chain.Family, o.Chain.Table, o.Chain.Name}] = o.Chain
			order = append(order, o.Chain)
		case o.Rule != nil:
			if c := chains[[3]string{o.Rule.Family, o.Rule.Table, o.Rule.Chain}]; c != nil {
				c.rules = append(c.rules, o.Rule)
			}
		}
	}
	var findings []Finding
	for _, c := range order {
		for _, p := range probes {
			if c.Hook != p.hook || c.Type != "filter" || !slices.Contains([]string{"ip", "ip6", "inet"}, c.Family) || skip(c.Family, c.Table) {
				continue
			}
			w := walk{chains: chains, facts: p.facts}
			v := w.chain(c, 0)
			if v == passed {
				w.rule = nil
			}
			if v == dropped || v == passed && c.Policy == "drop" {
				findings = append(findings, Finding{p.what, c.Family + " " + c.Table + " " + c.Name, w.culprit(), c.command(p)})
			}
		}
	}
	return findings, nil
}

// command returns the command of a shell that inserts rules for the packet. Chains of iptables must be changed by that.
func (c *nftChain) command(p probe) string {
	var commands []string
	if c.Table == "filter" && (c.Name == "FORWARD" || c.Name == "INPUT") && c.Family != "inet" {
		for _, rule := range p.iptables {
			commands = append(commands, map[string]string{"ip": "iptables", "ip6": "ip6tables"}[c.Family]+" -I "+c.Name+" "+rule)
		}
		return strings.Join(commands, " && ")
	}
	for _, rule := range p.allow {
		commands = append(commands, fmt.Sprintf("nft 'insert rule %s %s %s %s'", c.Family, c.Table, c.Name, rule))
	}
	return strings.Join(commands, " && ")
}

// verdict is how a chain ends for a packet.
type verdict int

const (
	passed verdict = iota // nothing was decided
	dropped
	accepted
	unknown
)

// walk is the way of a packet through chains.
type walk struct {
	chains map[[3]string]*nftChain
	facts  map[string]string
	rule   *nftRule // that dropped it
}

func (w *walk) culprit() string {
	if w.rule == nil {
		return "policy drop"
	}
	return fmt.Sprintf("rule with handle %d in chain %s", w.rule.Handle, w.rule.Chain)
}

// maxDepth is how deep chains may jump; the kernel has 16 (NFT_JUMP_STACK_SIZE).
const maxDepth = 16

func (w *walk) chain(c *nftChain, depth int) verdict {
	if c == nil || depth > maxDepth {
		return unknown
	}
	for _, r := range c.rules {
		matches, v, ends := w.try(r, depth)
		switch {
		case matches == no || v == passed && !ends:
		case matches == maybe && v == dropped: // or not: what follows decides about the others
		case matches == maybe:
			return unknown // it may have been accepted, or have left the chain
		default:
			return v
		}
	}
	return passed
}

// match is whether a packet meets a condition.
type match int

const (
	yes match = iota
	maybe
	no
)

// try returns whether the rule applies, what it decides then, and whether the chain ends there.
func (w *walk) try(r *nftRule, depth int) (m match, v verdict, ends bool) {
	for _, e := range r.Expr {
		for kind, raw := range e {
			switch kind {
			case "match":
				m = max(m, w.match(raw))
			case "counter", "log", "mangle", "notrack":
			case "accept":
				v, ends = accepted, true
			case "drop", "reject":
				v, ends = dropped, true
				if m == yes {
					w.rule = r
				}
			case "return":
				ends = true
			case "jump", "goto":
				var to struct{ Target string }
				json.Unmarshal(raw, &to) // without a target there is no such chain
				if m != no {
					v = w.chain(w.chains[[3]string{r.Family, r.Table, to.Target}], depth+1)
				}
				ends = kind == "goto" || v != passed
			default: // limits, maps of verdicts, extensions of iptables
				m, v = max(m, maybe), unknown
			}
		}
	}
	return m, v, ends
}

// match evaluates one condition.
func (w *walk) match(raw json.RawMessage) match {
	var condition struct {
		Op    string
		Left  map[string]struct{ Key, Protocol, Field string }
		Right json.RawMessage
	}
	if json.Unmarshal(raw, &condition) != nil {
		return maybe
	}
	fact, known := "", false
	for kind, left := range condition.Left {
		switch kind {
		case "meta":
			fact, known = w.facts[left.Key], w.facts[left.Key] != ""
		case "ct", "payload":
			name := strings.TrimSpace(left.Protocol + " " + left.Field)
			if kind == "ct" {
				name = "ct " + left.Key
			}
			fact, known = w.facts[name], w.facts[name] != ""
			if name == "tcp dport" && w.facts["l4proto"] == "udp" {
				return no
			}
		}
	}
	if !known {
		return maybe
	}
	m := contains(condition.Right, fact)
	if condition.Op == "!=" && m != maybe {
		m = no - m
	}
	return m
}

// contains reports whether a value, or one of a set, is the fact. A fact that ends in "-" begins a name whose rest is not known.
func contains(right json.RawMessage, fact string) match {
	var text string
	var number int
	var list []json.RawMessage
	var set struct{ Set []json.RawMessage }
	switch {
	case json.Unmarshal(right, &number) == nil:
		text = fmt.Sprint(number)
	case json.Unmarshal(right, &text) == nil:
	case json.Unmarshal(right, &list) == nil, json.Unmarshal(right, &set) == nil && set.Set != nil:
		m := no
		for _, one := range append(list, set.Set...) {
			m = min(m, contains(one, fact))
		}
		return m
	default:
		return maybe // ranges, prefixes
	}
	prefix, wildcard := strings.CutSuffix(text, "*")
	switch {
	case text == fact || wildcard && strings.HasPrefix(fact, prefix):
		return yes
	case strings.HasPrefix(text, "@"), strings.HasSuffix(fact, "-") && strings.HasPrefix(text, fact):
		return maybe
	}
	return no
}

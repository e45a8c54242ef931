package firewall

import (
	"slices"
	"strconv"
	"strings"
)

// CommentPrefix begins the comment of every rule of ours in chains of others. Only such rules are ever taken out.
const CommentPrefix = "nspawnkit: "

// offer is a chain that another program has for rules of the administrator, or of programs like ours.
type offer struct {
	chain string
	rules func(version int) []Rule
}

// offers are the chains that are known. Docker evaluates DOCKER-USER before its own rules and never changes it (Docker Engine manual,
// "Packet filtering and firewalls"); ufw has chains for the rules of ufw(8), which it fills anew with "ufw reload".
var offers = [...]offer{
	{"DOCKER-USER", func(int) []Rule { return slices.Concat(keepFromDocker, forward) }},
	{"ufw-user-forward", func(int) []Rule { return forward }},
	{"ufw6-user-forward", func(int) []Rule { return forward }},
	{"ufw-user-input", input},
	{"ufw6-user-input", input},
}

// Offered reports whether rules of ours may be in the chain.
func Offered(chain string) bool {
	return slices.ContainsFunc(offers[:], func(o offer) bool { return o.chain == chain })
}

// offered names the chains of the table that are offered.
func (t *Table) offered() string {
	var names []string
	for _, c := range t.Chains {
		if Offered(c.Name) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// rule is the rule with that condition, comment and target.
func rule(condition, comment, target string) Rule {
	return append(strings.Fields(condition), "-m", "comment", "--comment", CommentPrefix+comment, "-j", target)
}

// forward lets containers out and the answers in, and connections to published ports, which were decided about when they were
// translated. Packets between the ports of a zone come by, too, where br_netfilter is on.
var forward = []Rule{
	rule("-i ve-+", "from containers", "ACCEPT"),
	rule("-i vz-+", "from zones", "ACCEPT"),
	rule("-o ve-+ -m conntrack --ctstate RELATED,ESTABLISHED", "answers to containers", "ACCEPT"),
	rule("-o vz-+ -m conntrack --ctstate RELATED,ESTABLISHED", "answers to zones", "ACCEPT"),
	rule("-o ve-+ -m conntrack --ctstate DNAT", "published ports of containers", "ACCEPT"),
	rule("-o vz-+ -m conntrack --ctstate DNAT", "published ports in zones", "ACCEPT"),
}

// keepFromDocker leaves packets to Docker's own networks to Docker's rules, which keep others out of them.
var keepFromDocker = []Rule{
	rule("-o docker+", "Docker decides about docker0", "RETURN"),
	rule("-o br-+", "Docker decides about its networks", "RETURN"),
}

// input lets containers ask for an address and for names.
func input(version int) []Rule {
	dhcp := "67"
	if version == 6 {
		dhcp = "547"
	}
	var rules []Rule
	for _, of := range []struct{ link, name string }{{"ve-+", "containers"}, {"vz-+", "zones"}} {
		rules = append(rules,
			rule("-i "+of.link+" -p udp -m udp --dport "+dhcp, "DHCP of "+of.name, "ACCEPT"),
			rule("-i "+of.link+" -p udp -m udp --dport 53", "DNS of "+of.name, "ACCEPT"),
			rule("-i "+of.link+" -p tcp -m tcp --dport 53", "DNS over TCP of "+of.name, "ACCEPT"),
		)
	}
	return rules
}

// Plan returns what iptables-restore --noflush(8) must be given so that the chains that are offered hold our rules, or none of ours
// if they are not wanted; empty: nothing is to be done. version is that of IP.
//
// Our rules are the last that a chain comes to: those of the administrator come first. A chain that is right is not touched. Nor is one
// that no rule leads to get any: ufw empties its chains, removes them, and sets them up again, which it does not if one cannot be removed
// because it has a rule. It would leave the host open.
func (t *Table) Plan(version int, wanted bool) string {
	var lines []string
	for i := range t.Chains {
		chain := &t.Chains[i]
		var rules []Rule
		if j := slices.IndexFunc(offers[:], func(o offer) bool { return o.chain == chain.Name }); j >= 0 && wanted {
			if !t.leadsTo(chain.Name) {
				continue
			}
			rules = offers[j].rules(version)
		}
		lines = append(lines, chain.plan(rules)...)
	}
	if len(lines) == 0 {
		return ""
	}
	return "*filter\n" + strings.Join(lines, "\n") + "\nCOMMIT\n"
}

// leadsTo reports whether a rule jumps to the chain.
func (t *Table) leadsTo(chain string) bool {
	return slices.ContainsFunc(t.Chains, func(c Chain) bool {
		return slices.ContainsFunc(c.Rules, func(r Rule) bool { return r.option("-j") == chain || r.option("-g") == chain })
	})
}

// plan returns the commands that put the rules where the chain ends, or before a RETURN of everything.
func (c *Chain) plan(rules []Rule) []string {
	var ours, others []Rule
	end, before := len(c.Rules), 0 // of what is evaluated; our rules before that
	for i, r := range c.Rules {
		switch {
		case strings.HasPrefix(r.option("--comment"), CommentPrefix):
			ours = append(ours, r)
			if i < end {
				before++
			}
		case slices.Equal(r, Rule{"-j", "RETURN"}):
			end = min(end, i)
		case i < end:
			others = append(others, r)
		}
	}
	// A comment stands for its rule: versions of iptables print the same rule differently.
	same := func(a, b Rule) bool { return a.option("--comment") == b.option("--comment") }
	if len(ours) == before && slices.EqualFunc(c.Rules[end-before:end], rules, same) {
		return nil
	}
	var lines []string
	for _, r := range ours {
		lines = append(lines, "-D "+c.Name+" "+join(r))
	}
	for i, r := range rules {
		lines = append(lines, "-I "+c.Name+" "+strconv.Itoa(len(others)+i+1)+" "+join(r))
	}
	return lines
}

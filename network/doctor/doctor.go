package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// State is what is to be thought of a hop.
type State string

// The states of a hop.
const (
	OK      State = "ok"
	Fail    State = "FAIL"
	Unknown State = "-" // could not be tried, or does not apply
)

// Hop is one step on the way.
type Hop struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"` // what to do, where it fails: a command
}

// Report is what was found, in the order in which one hop needs those before it.
type Report struct {
	Hops   []Hop  `json:"hops"`
	Failed string `json:"failed,omitempty"` // the first hop that fails
}

// step decides about one hop.
type step struct {
	name  string
	check func(*Facts) Hop
}

// Examine decides about all hops.
func Examine(f *Facts) Report {
	var r Report
	steps := []step{
		{"daemon", daemon}, {"link", link}, {"owner", owner}, {"carrier", carrier}, {"address", address}, {"dhcp", dhcp},
		{"container", container}, {"conflict", conflict}, {"gateway", gateway}, {"forwarding", forwarding}, {"reverse", reversePath}, {"masquerade", masquerade},
		{"firewall", firewall}, {"outside", outside}, {"names", names}, {"resolver", resolver}, {"dns", dns}, {"ports", ports}, {"address6", address6},
	}
	if f.Server.Exists && f.Server.Name != f.Link.Name {
		at := slices.IndexFunc(steps, func(s step) bool { return s.name == "outside" })
		steps = slices.Insert(steps, at, step{"bridge", bridge})
	}
	if f.Server.Exists && f.IPv6.Off == "" {
		steps = append(steps, steps6()...)
	}
	for _, step := range steps {
		hop := step.check(f)
		hop.Name = step.name
		if hop.State == Fail && r.Failed == "" {
			r.Failed = step.name
		}
		r.Hops = append(r.Hops, hop)
	}
	return r
}

// String is one line for each hop, and one for what to do where it fails.
func (r Report) String() string {
	plain := func(text string) string { return text }
	return r.Marked(plain, plain)
}

// Marked returns the same, with the states of hops marked by good and bad.
func (r Report) Marked(good, bad func(string) string) string {
	var b strings.Builder
	for _, h := range r.Hops {
		state := fmt.Sprintf("%-5s", h.State)
		switch h.State {
		case OK:
			state = good(state)
		case Fail:
			state = bad(state)
		}
		fmt.Fprintf(&b, "%s %-11s %s\n", state, h.Name, h.Text)
		if h.Fix != "" {
			fmt.Fprintf(&b, "      %11s %s\n", "try:", h.Fix)
		}
	}
	return b.String()
}

func ok(format string, a ...any) Hop { return Hop{State: OK, Text: fmt.Sprintf(format, a...)} }
func unknown(format string, a ...any) Hop {
	return Hop{State: Unknown, Text: fmt.Sprintf(format, a...)}
}

func fail(fix, format string, a ...any) Hop {
	return Hop{State: Fail, Text: fmt.Sprintf(format, a...), Fix: fix}
}

const readLog = "journalctl -u networkd-lite"

// startClient is how a container gets a network client.
func (f *Facts) startClient() string {
	if f.Container == "" {
		return readLog
	}
	return fmt.Sprintf("systemctl --machine=%s enable --now systemd-networkd   # without an init inside: DHCP=yes in [Network] of %[1]s.nspawn", f.Container)
}

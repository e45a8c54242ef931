package doctor

import "slices"

// Bridge is what becomes of frames between the ports of the bridge that the container's link is a port of.
type Bridge struct {
	Filtered bool      // the host's packet filters of IPv4 see them (br_netfilter)
	Drops    []Foreign // chains of others that drop them for certain
	Peers    []Peer    // other containers on it
}

// Peer is another container on the bridge, as seen from inside.
type Peer struct {
	Container string
	Path
}

// bridge looks at the way from the container to others on its bridge.
func bridge(f *Facts) Hop {
	b, name := f.Bridge, f.Server.Name
	answers := func(p Peer) bool { return p.Inside == Answer }
	at := slices.IndexFunc(b.Peers, answers)
	switch {
	case at < 0 && b.Filtered && len(b.Drops) > 0:
		d := b.Drops[0]
		return fail(d.Allow, "br_netfilter is on: %s (%s) drops frames between containers on %s", d.Chain, d.Rule, name)
	case at >= 0:
		return ok("%s, container %s on %s, answers", b.Peers[at].Target, b.Peers[at].Container, name)
	case len(b.Peers) == 0 && b.Filtered:
		return ok("br_netfilter is on, and nobody drops frames between containers on %s; no other is there to try", name)
	case len(b.Peers) == 0:
		return ok("no packet filter of IPv4 sees frames between containers on %s; no other is there to try", name)
	}
	peer := b.Peers[0]
	if foreign := chains(f.Foreign, false); b.Filtered && len(foreign) > 0 {
		return fail(foreign[0].AllowBridge, "%s, container %s on %s, does not answer; br_netfilter is on, and %s (%s) may drop the frames",
			peer.Target, peer.Container, name, foreign[0].Chain, foreign[0].Rule)
	}
	return unknown("%s, container %s on %s, does not answer ping", peer.Target, peer.Container, name)
}

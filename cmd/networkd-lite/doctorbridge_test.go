package main

import (
	"strings"
	"testing"
)

// Where br_netfilter is on, a chain of somebody else that drops frames between the containers of a zone is named, with the rule; and what
// doctor says lets them through.
func TestDoctorBridgeNetfilter(t *testing.T) {
	for name, test := range map[string]struct{ chain, line string }{
		"policy": {`policy drop; iifname "up0" accept; oifname "up0" accept;`,
			"FAIL  bridge      br_netfilter is on: nft chain inet mine forward (policy drop) drops frames between containers on vz-app"},
		"rule": {`iifname "vz-app" oifname "vz-app" drop;`,
			"FAIL  bridge      br_netfilter is on: nft chain inet mine forward (rule with handle "},
		"uncertain": {`iifname "vz-app" oifname "vz-app" ip protocol icmp drop;`,
			", container db on vz-app, does not answer; br_netfilter is on, and nft chain inet mine forward (a rule that may drop) may drop the frames"},
	} {
		t.Run(name, func(t *testing.T) {
			w := smallZone(t, "")
			w.command("sysctl", "-w", "net.bridge.bridge-nf-call-iptables=1")
			db := w.addToZone("db", "02:00:00:00:00:02", true)
			db.dhcp()
			web := w.addToZone("web", ownMAC, true)
			web.dhcp()
			w.examined("", "ok    bridge      "+db.address()+", container db on vz-app, answers")
			w.command("nft", "table inet mine { chain forward { type filter hook forward priority filter; "+test.chain+" }; }")
			report := w.examined("bridge", test.line)
			if fix := fixOf(report, "bridge"); !strings.Contains(fix, `iifname "vz-app" oifname "vz-app" accept`) {
				t.Fatalf("fix: %s", fix)
			}
			w.command("sh", "-c", fixOf(report, "bridge"))
			w.examined("", "ok    bridge      "+db.address()+", container db on vz-app, answers")
		})
	}
}

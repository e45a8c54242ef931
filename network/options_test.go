package network

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestReadOptions(t *testing.T) {
	for _, test := range []struct {
		text     string
		firewall bool
		problems string
	}{
		{"", true, ""},
		{"[Network]\nFirewall=no\n", false, ""},
		{"[Network]\nFirewall=no\nFirewall=yes\n[X-Mine]\na=b\n", true, ""},
		{"# Firewall=\n[Network]\nFirewall=maybe\nFirewal=no\n[Other]\nFirewall=no\n", true,
			"/etc/nspawnkit/networkd-lite.conf:3: [Network] Firewall=: not a boolean|" +
				"/etc/nspawnkit/networkd-lite.conf:4: [Network] Firewal=: unknown key; see networkd-lite.conf(5)|" +
				"/etc/nspawnkit/networkd-lite.conf:6: [Other] Firewall=: unknown key; see networkd-lite.conf(5)"},
		{"[Network\nFirewall=no\n", true, "/etc/nspawnkit/networkd-lite.conf: file not read: line "},
	} {
		o, problems := ReadOptions(fstest.MapFS{optionsFile: {Data: []byte(test.text)}})
		var texts []string
		for _, p := range problems {
			texts = append(texts, p.Origin.String()+": "+p.Text)
		}
		if got := strings.Join(texts, "|"); o.Firewall != test.firewall || !strings.HasPrefix(got, test.problems) || (got == "") != (test.problems == "") {
			t.Errorf("%q: Firewall=%v, problems %s", test.text, o.Firewall, got)
		}
	}
	if o, problems := ReadOptions(fstest.MapFS{}); !o.Firewall || problems != nil {
		t.Errorf("without a file: %v, %v", o, problems)
	}
}

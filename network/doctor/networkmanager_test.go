package doctor

import (
	"os"
	"strings"
	"testing"
)

// Each case has NetworkManager manage the link; the golden file has the line about that.
func TestExamineNetworkManager(t *testing.T) {
	const shipped = "/usr/lib/NetworkManager/conf.d/nspawnkit.conf"
	for name, n := range map[string]NetworkManager{
		"unmanaged":  {"", shipped, true},
		"missing":    {"ve-web", "", false},
		"hidden":     {"ve-web", "/etc/NetworkManager/conf.d/nspawnkit.conf", false},
		"overridden": {"ve-web", shipped, true},
	} {
		t.Run(name, func(t *testing.T) {
			facts := healthy()
			facts.NetworkManager = n
			report := Examine(facts)
			golden(t, "networkmanager-"+name, only(report, "owner")+"first: "+report.Failed+"\n")
		})
	}
}

// The file that doctor writes is the one that is shipped.
func TestNetworkManagerFile(t *testing.T) {
	shipped, err := os.ReadFile("../../units/static/networkmanager/nspawnkit.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, written, _ := strings.Cut(NetworkManager{Link: "ve-web"}.managed().Fix, "'")
	written, _, _ = strings.Cut(written, "'")
	for line := range strings.Lines(string(shipped)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && !strings.Contains(written, line+`\n`) {
			t.Errorf("%q is not in %q", line, written)
		}
	}
}

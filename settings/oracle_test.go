package settings

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oracleLines are lines of which systemd-nspawn must find the same ones bad, one below its section each.
var oracleLines = map[string][]string{
	"Exec": {
		"Boot=yes", "Boot=", "Boot=maybe", "Parameters=\"a", "Environment=A=1", "Environment=\"a", "Environment=", "WorkingDirectory=../x",
		"WorkingDirectory=/a/../b", "WorkingDirectory=", "WorkingDirectory=//a//b/", "Capability=", "Capability=CAP_FOO", "Capability=cap_sys_time",
		"Capability=sys_time", "Capability=99", "Capability=5", "Capability=all", "DropCapability=x", "NoNewPrivileges=", "NoNewPrivileges=2",
		"KillSignal=TERM", "KillSignal=SIGTERM", "KillSignal=term", "KillSignal=65", "KillSignal=64", "KillSignal=RTMIN+3", "KillSignal=RTMAX-3",
		"KillSignal=", "MachineID=", "MachineID=x", "MachineID=00000000000000000000000000000000",
		"MachineID=0123ABCD-4567-89ab-cdef-0123456789ab", "MachineID=0123ABCD456789abcdef0123456789ab", "PrivateUsers=", "PrivateUsers=0",
		"PrivateUsers=pick", "PrivateUsers=x", "PrivateUsers=65536:65536", "PrivateUsers=65535", "PrivateUsers=1:x", "NotifyReady=", "NotifyReady=x",
		"SystemCallFilter=", "SystemCallFilter=~@mount", "LimitNOFILE=1024", "LimitNOFILE=1:2", "LimitNOFILE=2:1", "LimitNOFILE=0x10",
		"LimitNOFILE=010", "LimitNOFILE=1K", "LimitNOFILE=10%", "LimitNOFILE=", "LimitNOFILE=-1", "LimitNOFILE=infinity", "LimitNOFILE=1_0",
		"LimitAS=1K", "LimitAS=1.5G", "LimitAS=1G 500M", "LimitAS=500M 1G", "LimitAS=1k", "LimitAS=x", "LimitAS=1KB", "LimitCPU=1min", "LimitCPU=1500ms",
		"LimitCPU=5", "LimitCPU=5 parsecs", "LimitRTTIME=5s", "LimitRTTIME=5", "LimitNICE=+19", "LimitNICE=+20", "LimitNICE=-20", "LimitNICE=-21",
		"LimitNICE=40", "LimitNICE=41", "OOMScoreAdjust=", "OOMScoreAdjust=1000", "OOMScoreAdjust=1001", "OOMScoreAdjust=-1000", "Hostname=",
		"Hostname=a_b", "Hostname=a-b", "Hostname=-a", "Hostname=a..b", "Hostname=a.b", "ResolvConf=", "ResolvConf=off", "ResolvConf=bind-stub",
		"ResolvConf=x", "Timezone=symlink", "Timezone=x", "LinkJournal=", "LinkJournal=try-host", "LinkJournal=try-auto", "Unknown=x", "nosign", "=x",
	},
	"Files": {
		"ReadOnly=", "ReadOnly=x", "Bind=", "Bind=/a", "Bind=+/a", "Bind=/a:/b", "Bind=/a:b", "Bind=/a:", "Bind=/a\\:b:/c", "Bind=/a:/b:norbind",
		"BindReadOnly=/a\\\\ ", "TemporaryFileSystem=", "TemporaryFileSystem=/a", "TemporaryFileSystem=a", "TemporaryFileSystem=/a:size=1M",
		"PrivateUsersOwnership=map", "PrivateUsersOwnership=x",
	},
	"Network": {
		"Private=", "Private=x", "VirtualEthernet=", "VirtualEthernet=x", "VirtualEthernetExtra=", "VirtualEthernetExtra=a:b",
		"VirtualEthernetExtra=a:", "VirtualEthernetExtra=a", "VirtualEthernetExtra=a:b:c", "VirtualEthernetExtra=a/b", "Bridge=", "Bridge=br0",
		"Bridge=..", "Bridge=1", "Bridge=all", "Bridge=a%b", "Bridge=abcdefghijklmnop", "Zone=app", "Zone=abcdefghijkl", "Zone=abcdefghijklm",
		"Zone=a/b", "Port=", "Port=80", "Port=0", "Port=tcp:81:80", "Port=udp:80", "Port=80:81", "Port=sctp:1", "Port=80x", "Port=65536",
	},
	"X-Foreign": {"a=b"},
	"Strange":   {"a=b"},
}

// TestOracle compares which lines are bad with systemd-nspawn itself: it reads the file, then refuses a directory without
// a system in it, so nothing is started. NSPAWNKIT_ORACLE is the path of systemd-nspawn; root is needed.
func TestOracle(t *testing.T) {
	oracle := os.Getenv("NSPAWNKIT_ORACLE")
	if oracle == "" {
		t.Skip("NSPAWNKIT_ORACLE is not set")
	}
	root := filepath.Join(t.TempDir(), "web")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, section := range []string{"Exec", "Files", "Network", "X-Foreign", "Strange"} {
		b.WriteString("[" + section + "]\n" + strings.Join(oracleLines[section], "\n") + "\n")
	}
	file := root + fileSuffix
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(oracle, "--settings=trusted", "--register=no", "--keep-unit", "-D", root).CombinedOutput()
	if err == nil {
		t.Fatal("systemd-nspawn started something")
	}
	var theirs []int
	for line := range strings.Lines(string(output)) {
		if rest, ok := strings.CutPrefix(line, file+":"); ok {
			number, _, _ := strings.Cut(rest, ":")
			if n, err := strconv.Atoi(number); err == nil {
				theirs = append(theirs, n)
			}
		}
	}
	if len(theirs) == 0 {
		t.Fatalf("no warnings in %q", output)
	}
	_, problems := Parse(file, "web", []byte(b.String()))
	var ours []int
	for _, p := range problems {
		ours = append(ours, p.Origin.Line)
	}
	// A section of another program: systemd names its header, we its first line.
	for i, text := range strings.Split(b.String(), "\n") {
		if n := i + 1; slices.Contains(ours, n) != slices.Contains(theirs, n) && text != "[Strange]" && text != "a=b" {
			t.Errorf("%s: we find it bad: %v, systemd-nspawn: %v", text, slices.Contains(ours, n), slices.Contains(theirs, n))
		}
	}
}

package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// longName is as long as a host name may be.
const longName = "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxyz"

// Names are accepted, refused and cleaned as by systemd-nspawn, and are the host name inside.
func TestNames(t *testing.T) {
	for name, test := range map[string]struct {
		directory string
		options   []string
		want      string // host name; empty: refused
	}{
		"of the directory":            {"web", nil, "web"},
		"directory with a dot":        {"web.example", nil, "web.example"},
		"directory with underscore":   {"web_1", nil, "web1"},
		"directory with other signs":  {"-w+e b..x-.", nil, "web.x"},
		"directory with capitals":     {"Web", nil, "Web"},
		"long directory":              {longName + "-more", nil, longName},
		"directory of signs":          {"+++", nil, ""},
		"machine":                     {"web", []string{"--machine=db"}, "db"},
		"machine, short option":       {"web", []string{"-M", "db"}, "db"},
		"machine with a dot":          {"web", []string{"--machine=db.example"}, "db.example"},
		"machine with underscore":     {"web", []string{"--machine=db_1"}, ""},
		"machine with trailing dot":   {"web", []string{"--machine=db."}, ""},
		"machine with two dots":       {"web", []string{"--machine=d..b"}, ""},
		"machine with leading dash":   {"web", []string{"--machine=-db"}, ""},
		"machine with trailing dash":  {"web", []string{"--machine=db-"}, ""},
		"machine of digits":           {"web", []string{"--machine=42"}, "42"},
		"machine with a letter":       {"web", []string{"--machine=dü"}, ""},
		"machine with slash":          {"web", []string{"--machine=a/b"}, ""},
		"machine, empty":              {"web", []string{"--machine="}, "web"},
		"long machine":                {"web", []string{"--machine=" + longName}, longName},
		"machine that is too long":    {"web", []string{"--machine=" + longName + "x"}, ""},
		"hostname":                    {"web", []string{"--hostname=db"}, "db"},
		"hostname and machine":        {"web", []string{"--machine=db", "--hostname=name.example"}, "name.example"},
		"hostname with underscore":    {"web", []string{"--hostname=db_1"}, ""},
		"hostname with trailing dot":  {"web", []string{"--hostname=db."}, ""},
		"hostname, empty":             {"web", []string{"--hostname="}, "web"},
		"long hostname":               {"web", []string{"--hostname=" + longName}, longName},
		"hostname that is too long":   {"web", []string{"--hostname=" + longName + "x"}, ""},
		"machine ID with dashes":      {"web", []string{"--uuid=fedcba98-7654-3210-fedc-ba9876543210"}, "web"},
		"machine ID in capitals":      {"web", []string{"--uuid=FEDCBA9876543210FEDCBA9876543210"}, "web"},
		"machine ID that is too long": {"web", []string{"--uuid=fedcba9876543210fedcba98765432100"}, ""},
		"machine ID that is no ID":    {"web", []string{"--uuid=web"}, ""},
		"machine ID of zeroes":        {"web", []string{"--uuid=00000000000000000000000000000000"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := newMergedRoot(t, test.directory)
			arguments := append(test.options, "--timezone=off", "--resolv-conf=off", "--private-users=no", "--private-network",
				"/bin/sh", "-c", "hostname; cat /proc/sys/kernel/hostname; echo $container_uuid | grep fed")
			got, oracle := finish(t, nspawn(root, arguments...)), finish(t, oracle(t, root, arguments...))
			if got.stdout != oracle.stdout {
				t.Errorf("%q, systemd-nspawn %q: %s%s", got.stdout, oracle.stdout, got.stderr, oracle.stderr)
			}
			if first, _, _ := strings.Cut(got.stdout, "\n"); first != test.want {
				t.Errorf("host name %q, want %q: %s", first, test.want, got.stderr)
			}
			if option := ""; test.want == "" && len(test.options) > 0 {
				if option, _, _ = strings.Cut(test.options[0], "="); !strings.HasPrefix(got.stderr, option) {
					t.Errorf("message %q does not begin with %s", got.stderr, option)
				}
			}
			clean(t, root)
		})
	}
}

// The links of containers with long names have the names, alternative names and addresses that systemd-nspawn gives them.
func TestLinksOfLongNames(t *testing.T) {
	number := regexp.MustCompile(`(?m)^\d+: |@\S+|link-netnsid \d+|mode \S+|state \S+|qlen \d+|group \S+|<.*?>`)
	for _, name := range []string{"web", "exactly-ten", "exactly-12by", "exactly-13byt", "web-of-a-long-name", longName} {
		for _, option := range []string{"--network-veth", "--network-zone=app"} {
			t.Run(name+option, func(t *testing.T) {
				root := newMergedRoot(t, "web")
				arguments := append([]string{"--machine=" + name, option, "--private-users=no", "--timezone=off", "--resolv-conf=off"}, sleeper...)
				var seen [2]string
				for i, cmd := range []func() *container{
					func() *container { return launch(t, nspawn(root, arguments...)) },
					func() *container { return launch(t, oracle(t, root, arguments...)) },
				} {
					c := cmd()
					c.expect("up")
					seen[i] = number.ReplaceAllString(command(t, "ip", "link", "show", "type", "veth"), "")
					c.signal(syscall.SIGTERM)
					c.wait()
					eventually(t, "the link goes", func() bool { return !slices.ContainsFunc(linkNames(t), func(l string) bool { return l[0] == 'v' }) })
				}
				if seen[0] != seen[1] || !strings.Contains(seen[0], "ether") {
					t.Errorf("%s\nsystemd-nspawn:\n%s", seen[0], seen[1])
				}
				_ = os.RemoveAll("/run/systemd/nspawn/propagate/" + name)
			})
		}
	}
}

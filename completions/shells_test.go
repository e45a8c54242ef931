package completions

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root has containers of all kinds, one with a hostile name, and two links.
func root(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	for _, name := range []string{
		"etc/nspawnkit/web.nspawn", "run/systemd/nspawn/cache.nspawn", "var/lib/machines/db.raw", "var/lib/machines/web/etc/x",
		"run/systemd/machines/live", "run/systemd/machines/unit:systemd-nspawn@live.service", "run/nspawnkit/machines/app-1.json",
		"var/lib/machines/$(touch pwned)", "var/lib/machines/`touch pwned`", "var/lib/machines/we b", "var/lib/machines/*",
		"sys/class/net/ve-web/x", "sys/class/net/eth0/x", "sys/fs/cgroup/machine.slice/x",
	} {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

const containers = "app-1 cache db live web"

// lines are command lines that end where the completion is asked for, and all that may be offered; "..." allows more.
var lines = []struct{ line, want string }{
	{"nspawn-exec --machine=", containers},
	{"nspawn-exec -M ", containers},
	{"nspawn-exec -b -M we", "web"},
	{"nspawn-exec --machine=ap", "app-1"},
	{"nspawn-exec --settings=", "yes no override trusted"},
	{"nspawn-exec --link-journal=try", "try-host try-guest"},
	{"nspawn-exec --register ", "yes no auto"},
	{"nspawn-exec --volatile=", "no yes state overlay"},
	{"nspawn-exec --network-br", "--network-bridge="},
	{"nspawn-exec --network-bridge=", "eth0 ve-web"},
	{"nspawn-exec --slice=", "machine.slice"},
	{"nspawn-exec --capability=CAP_NET_B", "CAP_NET_BIND_SERVICE CAP_NET_BROADCAST"},
	{"nspawn-exec --help=cred", "credentials"},
	{"nspawn-exec --private-users=p", "pick"},
	{"nspawn-exec --oo", "--oom-score-adjust="},
	{"nspawn-exec --directory=etc/nspawnk", "etc/nspawnkit/"},
	{"nspawn-exec -i var/lib/machines/db", "var/lib/machines/db.raw"},
	{"nspawn-exec --rlimit=NOF", "NOFILE="},
	{"nspawn-exec --property=TasksM", "TasksMax="},
	{"nspawn-generator ", "verify show diff ..."},
	{"nspawn-generator --d", "--dry-run"},
	{"nspawn-generator sh", "show"},
	{"nspawn-generator show ", containers + " ..."},
	{"nspawn-generator show web --j", "--json"},
	{"nspawn-generator --dry-run w", "web"},
	{"nspawn-generator verify etc/nspawnkit/w", "etc/nspawnkit/web.nspawn"},
	{"networkd-lite ", "status leases names ports lldp doctor renumber ..."},
	{"networkd-lite st", "status"},
	{"networkd-lite status -", "--json"},
	{"networkd-lite doctor d", "db"},
	{"networkd-lite renumber ve", "ve-web"},
}

// shell returns the path of a shell. Which shells there must be says the flag of tests that need a machine set up for them.
func shell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("NSPAWNKIT_KERNEL_TESTS") == "1" {
		t.Fatalf("%v; test/vm/setup installs it", err)
	} else if err != nil {
		t.Skip(err)
	}
	return path
}

// try runs a program of a shell in the folder of a host. It gets the lines, and prints for each what is offered, one a line, and then
// "@end". That is words, or words behind the option that the line ends with.
func try(t *testing.T, name string, args ...string) {
	t.Helper()
	for _, test := range lines {
		args = append(args, test.line)
	}
	directory := root(t)
	cmd := exec.Command(name, args...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(), "NSPAWNKIT_ROOT="+directory, "HOME="+directory, "TERM=dumb")
	output, err := cmd.CombinedOutput()
	answers := strings.Split(string(output), "@end\n")
	if err != nil || len(answers) != len(lines)+1 || answers[len(lines)] != "" {
		t.Fatalf("%v: %s", err, output)
	}
	for i, test := range lines {
		var got []string
		for word := range strings.Lines(answers[i]) {
			word, _, _ = strings.Cut(strings.TrimSuffix(word, "\n"), "\t") // fish: a description
			if option := regexp.MustCompile(`--[a-z-]+=`).FindString(test.line); option != word {
				word = strings.TrimPrefix(word, option)
			}
			got = append(got, word)
		}
		check(t, test.line, got, strings.Fields(test.want))
	}
	if _, err := os.Stat(filepath.Join(directory, "pwned")); err == nil {
		t.Error("the name of a container was executed")
	}
}

func check(t *testing.T, line string, got, want []string) {
	t.Helper()
	plain := func(word string) string { return strings.TrimRight(word, "/=") } // some shells add it later
	more := want[len(want)-1] == "..."
	var words []string
	for _, word := range want {
		if word != "..." {
			words = append(words, plain(word))
		}
	}
	for i := range got {
		got[i] = plain(got[i])
		if !more && !slices.Contains(words, got[i]) {
			t.Errorf("%q: %q is offered", line, got[i])
		}
	}
	for _, word := range words {
		if !slices.Contains(got, word) {
			t.Errorf("%q: %q is not offered, but %q", line, word, got)
		}
	}
}

// absolute returns the path of a file of this folder.
func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBash(t *testing.T) {
	try(t, shell(t, "bash"), absolute(t, "testdata/bash"), absolute(t, "bash"))
}

func TestFish(t *testing.T) {
	try(t, shell(t, "fish"), "--no-config", absolute(t, "testdata/fish"), absolute(t, "fish"))
}

func TestZsh(t *testing.T) {
	try(t, shell(t, "zsh"), "-f", absolute(t, "testdata/zsh"), absolute(t, "zsh"))
}

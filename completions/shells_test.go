package completions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// patience is for what never ends.
const patience = time.Minute

// call returns a call of a shell in the folder of a host, which ends with the test. It is to print for each line what is offered, one a
// line, and then "@end". That is words, or words behind the option that the line ends with.
func call(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	runtime.LockOSThread() // never unlocked: Pdeathsig is about the thread
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "NSPAWNKIT_ROOT="+cmd.Dir, "HOME="+cmd.Dir, "TERM=dumb")
	return cmd
}

// requests returns the lines to complete.
func requests() []string {
	var list []string
	for _, test := range lines {
		list = append(list, test.line)
	}
	return list
}

// judge takes what a shell printed.
func judge(t *testing.T, cmd *exec.Cmd, output []byte, err error) {
	t.Helper()
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
	if _, err := os.Stat(filepath.Join(cmd.Dir, "pwned")); err == nil {
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
	cmd := call(t, shell(t, "bash"), append([]string{absolute(t, "testdata/bash"), absolute(t, "bash")}, requests()...)...)
	output, err := cmd.CombinedOutput()
	judge(t, cmd, output, err)
}

func TestFish(t *testing.T) {
	cmd := call(t, shell(t, "fish"), append([]string{"--no-config", absolute(t, "testdata/fish"), absolute(t, "fish")}, requests()...)...)
	output, err := cmd.CombinedOutput()
	judge(t, cmd, output, err)
}

// TestZsh has an interactive shell answer on a descriptor, as its terminal shows other things, too.
func TestZsh(t *testing.T) {
	cmd := call(t, shell(t, "zsh"), "-d", "-i")
	cmd.Env = append(cmd.Env, "ZDOTDIR="+absolute(t, "testdata/zsh"), "FOLDER="+absolute(t, "zsh"), "REQUESTS="+strings.Join(requests(), "\n"))
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	other, terminal := newTerminal(t)
	answers, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = terminal, terminal, terminal, []*os.File{writer}
	err = cmd.Start()
	terminal.Close()
	writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(other) // ends with an error when nobody has the terminal
		said <- text
	}()
	output, err := io.ReadAll(answers)
	err = errors.Join(err, cmd.Wait())
	if text := <-said; err != nil || t.Failed() {
		t.Logf("zsh said: %s", text)
	}
	judge(t, cmd, output, err)
}

// newTerminal makes a pseudo-terminal and returns both ends.
func newTerminal(t *testing.T) (other, terminal *os.File) {
	t.Helper()
	other, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	fd := int(other.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return other, terminal
}

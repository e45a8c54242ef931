package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// entry is a message as journald sends it (https://systemd.io/JOURNAL_EXPORT_FORMATS).
const entry = `__REALTIME_TIMESTAMP=1700000000000000\n__MONOTONIC_TIMESTAMP=1000000\n_BOOT_ID=0123456789abcdef0123456789abcdef\n` +
	`_MACHINE_ID=0123456789abcdef0123456789abcdff\n_HOSTNAME=web\nPRIORITY=6\nMESSAGE=%s\n\n`

// sendEntry is a payload that does what journald does.
func sendEntry(message string) []string {
	script := fmt.Sprintf(`socket=$(cat $CREDENTIALS_DIRECTORY/journal.forward_to_socket); printf '`+entry+`' | /bin/payload send $socket`, message)
	return []string{"/bin/sh", "-c", script}
}

func needReceiver(t *testing.T) {
	t.Helper()
	needKernel(t)
	if _, err := os.Stat("/usr/lib/systemd/systemd-journal-remote"); err != nil {
		t.Fatal("systemd-journal-remote is missing: apt-get install systemd-journal-remote")
	}
}

// messages returns what the journal files of the host below a place have.
func messages(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("journal files %q", files)
	}
	return command(t, "journalctl", "--file="+files[0], "-o", "cat")
}

// receivers counts the processes that receive journals.
func receivers() int {
	output, _ := exec.Command("pgrep", "-c", "-f", "listen-raw=/run/nspawnkit").Output()
	count := 0
	_, _ = fmt.Sscan(string(output), &count)
	return count
}

// What a container sends is in the host's journal files when it has ended, to the last entry, also from a user namespace and from a
// tree that is read-only.
func TestForwardJournal(t *testing.T) {
	needReceiver(t)
	root := newRoot(t, "web")
	for name, options := range map[string][]string{
		"users": nil, "no users": {"--private-users=no", hostNetwork}, "read-only": {"--read-only"}, "volatile": {"--volatile=overlay"},
	} {
		t.Run(name, func(t *testing.T) {
			place := t.TempDir()
			for i, output := range []string{"/new/directory", "/new/file.journal", "/new/file.journal"} {
				r := run(t, root, append(append(options, "--timezone=off", "--forward-journal="+place+output), sendEntry(fmt.Sprint("message ", i))...)...)
				if r.status != 0 || r.stderr != "" {
					t.Errorf("status %d: %s", r.status, r.stderr)
				}
			}
			if got := messages(t, place+"/new/directory/*.journal"); got != "message 0\n" {
				t.Errorf("directory: %q", got)
			}
			if got := messages(t, place+"/new/file.journal"); got != "message 1\nmessage 2\n" {
				t.Errorf("file: %q", got)
			}
		})
	}
	if count := receivers(); count != 0 {
		t.Errorf("%d receivers are left", count)
	}
	clean(t, root)
}

// What the container sees: only the socket, which it cannot replace.
func TestForwardJournalInside(t *testing.T) {
	needReceiver(t)
	root := newRoot(t, "web")
	const script = `cd /run/host; stat -c '%n %F %a %u:%g' journal journal/*; ls -a journal
		rm journal/socket 2>/dev/null || echo stays; cat $CREDENTIALS_DIRECTORY/*; echo; grep -c ' /run/host/journal/socket ro,' /proc/self/mountinfo`
	want := "journal directory 755 0:0\njournal/socket socket 644 0:0\n.\n..\nsocket\nstays\n/run/host/journal/socket\n1"
	if got := shell(t, root, script, "--forward-journal="+t.TempDir()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	t.Chdir(t.TempDir())
	if got := shell(t, root, "echo runs", "--forward-journal=here"); got != "runs" {
		t.Error(got)
	}
	if _, err := os.Stat("here"); err != nil {
		t.Error(err)
	}
}

// Neither kill -9 nor the end of the receiver leaves anything or ends the container.
func TestForwardJournalKilled(t *testing.T) {
	needReceiver(t)
	root := newRoot(t, "web")
	forward := "--forward-journal=" + t.TempDir() + "/x.journal"
	c := begin(t, root, append([]string{forward}, sleeper...)...)
	if count := receivers(); count != 1 {
		t.Errorf("%d receivers", count)
	}
	if err := exec.Command("pgrep", "-f", "-g", fmt.Sprint(syscall.Getpgrp()), "listen-raw=/run/nspawnkit").Run(); err == nil {
		t.Error("Ctrl-C would end the receiver")
	}
	cleanup(t, root)
	if _, err := os.Stat("/run/nspawnkit/journal/web"); err != nil {
		t.Errorf("--cleanup of a container that runs: %v", err)
	}
	c.kill()
	eventually(t, "the receiver ends with its supervisor", func() bool { return receivers() == 0 })
	cleanup(t, root)
	clean(t, root)
	begin(t, root, append([]string{forward}, sleeper...)...).kill()
	eventually(t, "the receiver ends with its supervisor", func() bool { return receivers() == 0 })
	shell(t, root, "echo runs")
	clean(t, root)

	d := begin(t, root, append([]string{forward}, sleeper...)...)
	must(t, exec.Command("pkill", "-KILL", "-P", fmt.Sprint(d.cmd.Process.Pid), "-f", "listen-raw=/run/nspawnkit").Run())
	eventually(t, "it is said", func() bool { return strings.Contains(d.stderr.String(), "not forwarded any more") })
	if !alive(d.init()) {
		t.Error("the container ended with the receiver")
	}
}

func TestForwardJournalRefused(t *testing.T) {
	needReceiver(t)
	root := newRoot(t, "web")
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "")
	for name, test := range map[string]struct {
		script  string // of the host
		options []string
		texts   []string
	}{
		"no program":  {"mount -t tmpfs test /usr/lib/systemd", []string{"--forward-journal=/run/x"}, []string{"forward journal: --forward-journal: ", "install the package systemd-journal-remote"}},
		"not a place": {"true", []string{"--forward-journal=" + file + "/x"}, []string{"forward journal: --forward-journal: ", file, "not a directory"}},
		"a file":      {"true", []string{"--forward-journal=" + file}, []string{"--forward-journal: ", file}},
		"old limits": {"true", []string{"--forward-journal=/run/x", "--forward-journal-max-use=1G"},
			[]string{"--forward-journal: ", "no option --max-use", "systemd 261"}},
		"limit alone": {"true", []string{"--forward-journal-max-files=3"}, []string{"--forward-journal-max-files needs --forward-journal="}},
		"credential": {"true", []string{"--forward-journal=/run/x", "--set-credential=journal.forward_to_socket:/x"},
			[]string{"--forward-journal: ", "credential journal.forward_to_socket"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := nspawn(root, append(test.options, "/bin/echo", "payload runs")...)
			onHost(t, cmd, test.script+"\n", false)
			refused(t, finish(t, cmd), test.texts...)
		})
	}
	clean(t, root)
}

// newerReceiver is systemd-journal-remote as of 261: it writes down how it was called.
const newerReceiver = `mount -t tmpfs test /usr/lib/systemd; cat >/usr/lib/systemd/systemd-journal-remote <<-'X'
	#!/bin/sh
	case $1 in --help) echo "--max-use --keep-free --max-file-size --max-files"; exit;; esac
	echo "$@" >/var/tmp/arguments
	exec /run/receiver "$1" "$2" "$3"
X
	chmod +x /usr/lib/systemd/systemd-journal-remote
`

// The limits are options of a newer systemd-journal-remote.
func TestForwardJournalLimits(t *testing.T) {
	needReceiver(t)
	root := newRoot(t, "web")
	copyFile(t, "/usr/lib/systemd/systemd-journal-remote", "/run/receiver")
	t.Cleanup(func() { _ = os.Remove("/run/receiver"); _ = os.Remove("/var/tmp/arguments") })
	place := t.TempDir()
	cmd := nspawn(root, append([]string{"--forward-journal=" + place + "/x.journal", "--forward-journal-max-use=1.5M", "--forward-journal-keep-free=7",
		"--forward-journal-max-file-size=2G", "--forward-journal-max-files=3", "--forward-journal-max-files=4"}, sendEntry("limited")...)...)
	onHost(t, cmd, newerReceiver, false)
	if r := finish(t, cmd); r.status != 0 || r.stderr != "" {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
	data, err := os.ReadFile("/var/tmp/arguments")
	must(t, err)
	if want := " --max-use=1572864 --keep-free=7 --max-file-size=2147483648 --max-files=4\n"; !strings.HasSuffix(string(data), want) {
		t.Errorf("called with %q, want %q", data, want)
	}
	if got := messages(t, place+"/x.journal"); got != "limited\n" {
		t.Errorf("%q", got)
	}
}

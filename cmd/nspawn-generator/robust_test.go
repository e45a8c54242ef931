package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// writeTree writes files below root.
func writeTree(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// goodFiles are n files that nothing is wrong with.
func goodFiles(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("etc/systemd/nspawn/good%d.nspawn", i)] =
			fmt.Sprintf("[Files]\nBind=/srv/%d:/data\n[Service]\nMemoryMax=%dM\n[Install]\nWantedBy=machines.target\n", i, i+1)
	}
	return files
}

// program is one call of the generator by systemd, with the folders out/normal, out/early and out/late. It is ended if it
// takes longer than any boot may.
func program(t *testing.T, root, out string, environ ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", out+"/normal", out+"/early", out+"/late")
	cmd.Env = append([]string{"NSPAWNKIT_TEST_MAIN=1", "NSPAWNKIT_ROOT=" + root}, environ...)
	return cmd
}

// generateInto calls the generator, checks its exit status and returns what it printed.
func generateInto(t *testing.T, status int, root, out string, environ ...string) string {
	t.Helper()
	cmd := program(t, root, out, environ...)
	printed, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		t.Fatalf("want status %d, got %v\n%s", status, err, printed)
	}
	return string(printed)
}

// written returns every file and link below dir with its text or target.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		short, _ := filepath.Rel(dir, name)
		if entry.Type() == fs.ModeSymlink {
			target, err := os.Readlink(name)
			found[short] = "-> " + target
			return err
		}
		data, err := os.ReadFile(name)
		found[short] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wantSame checks that everything in want is in got with the same bytes.
func wantSame(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if have, ok := got[name]; !ok || have != text {
			t.Errorf("%s: got %q, want %q", name, have, text)
		}
	}
}

// outputFolder is on a tmpfs, as a generator's is: replacing a file on a disk waits for the disk.
func outputFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "nspawn-generator")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// reference is what the generator makes of the files.
func reference(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	root, out := t.TempDir(), outputFolder(t)
	writeTree(t, root, files)
	if printed := generateInto(t, 0, root, out); printed != "" {
		t.Fatal(printed)
	}
	got := written(t, out)
	if want := 2*len(files) + 3; len(got) != want { // a file and a link each; template, target and its link
		t.Fatalf("%d files and links, want %d: %v", len(got), want, got)
	}
	return got
}

// isTemporary is true for names that systemd does not read and a killed generator may leave behind.
func isTemporary(name string) bool { return strings.HasPrefix(filepath.Base(name), ".#") }

func TestManyProcesses(t *testing.T) {
	files := goodFiles(100)
	want := reference(t, files)
	root, out := t.TempDir(), outputFolder(t)
	writeTree(t, root, files)
	var writers, reader sync.WaitGroup
	done := make(chan struct{})
	reader.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for name, text := range want {
				if data, err := os.ReadFile(filepath.Join(out, name)); err == nil && string(data) != text {
					t.Errorf("%s was seen in part: %q", name, data)
				}
			}
		}
	})
	for range 20 {
		cmd := program(t, root, out)
		writers.Go(func() {
			if printed, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, printed)
			}
		})
	}
	writers.Wait()
	close(done)
	reader.Wait()
	if got := written(t, out); !maps.Equal(got, want) {
		t.Errorf("%d files and links, want %d", len(got), len(want))
		wantSame(t, got, want)
	}
}

// TestHostileFiles puts everything beside the good files that must not keep them from their units.
func TestHostileFiles(t *testing.T) {
	files := goodFiles(3)
	want := reference(t, files)
	root, out := t.TempDir(), outputFolder(t)
	writeTree(t, root, files)
	const mebibyte = 1 << 20
	writeTree(t, root, map[string]string{
		"etc/systemd/nspawn/line.nspawn":         "[Exec]\nHostname=" + strings.Repeat("x", mebibyte-len("Hostname=")) + "\n",
		"etc/systemd/nspawn/longer.nspawn":       "[Service]\nMemoryMax=1M\nX-Y=" + strings.Repeat("x", mebibyte) + "\n",
		"etc/systemd/nspawn/empty.nspawn":        "",
		"etc/systemd/nspawn/binary.nspawn":       "\x7fELF\x02\x01\x01\x00\xff\xfe\x00[Service]\n",
		"etc/systemd/nspawn/lines.nspawn":        strings.Repeat("x\n", 8<<20),
		"etc/systemd/nspawn/dir.nspawn/x":        "",
		"etc/systemd/nspawn/chain-01.nspawn":     "[Service]\nTasksMax=7\n",
		"etc/nspawnkit":                          "a file where a folder should be",
		"usr/lib/systemd/nspawn/dropin.nspawn":   "[Service]\nTasksMax=8\n",
		"usr/lib/systemd/nspawn/.hidden":         "",
		"usr/lib/systemd/nspawn/bad name.nspawn": "",
	})
	in := func(name string) string { return filepath.Join(root, "etc/systemd/nspawn", name) }
	for i := 2; i <= 42; i++ {
		if err := os.Symlink(fmt.Sprintf("chain-%02d.nspawn", i-1), in(fmt.Sprintf("chain-%02d.nspawn", i))); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", in("socket.nspawn"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, err := range []error{
		syscall.Mkfifo(in("fifo.nspawn"), 0o644),
		syscall.Mkfifo(in("nspawn.d"), 0o644),
		os.Mkdir(in("dropin.nspawn.d"), 0o755),
		syscall.Mkfifo(in("dropin.nspawn.d/fifo.conf"), 0o644),
		os.Symlink("loop-b.nspawn", in("loop-a.nspawn")),
		os.Symlink("loop-a.nspawn", in("loop-b.nspawn")),
		os.Symlink("self", in("self")),
		os.Symlink("self", in("self.nspawn.d")),
		os.WriteFile(in("sparse.nspawn"), nil, 0o644),
		os.Truncate(in("sparse.nspawn"), 1<<30),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := program(t, root, out)
	if printed, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	got := written(t, out)
	wantSame(t, got, want)
	dropIn := func(name string) string {
		return got["normal/systemd-nspawn@"+name+".service.d/05-"+name+".nspawn.conf"]
	}
	for name, line := range map[string]string{"chain-01": "TasksMax=7\n", "chain-40": "TasksMax=7\n", "dropin": "TasksMax=8\n"} {
		if !strings.Contains(dropIn(name), line) {
			t.Errorf("%s: %q", name, dropIn(name))
		}
	}
	for _, name := range []string{"line", "longer", "binary", "lines", "chain-42", "fifo", "sparse"} {
		if strings.Contains(dropIn(name), "[Service]") {
			t.Errorf("%s: %q", name, dropIn(name))
		}
	}
	if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10; peak > 150 {
		t.Errorf("took %d MB", peak)
	}
}

// TestKilled kills generators in the middle: what has its name is whole, and the next run does everything.
func TestKilled(t *testing.T) {
	files := goodFiles(200)
	want := reference(t, files)
	root := t.TempDir()
	writeTree(t, root, files)
	killed := 0
	for i := range 4 {
		out := outputFolder(t)
		cmd := program(t, root, out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for { // until it has made some folders
			if entries, _ := os.ReadDir(out + "/normal"); len(entries) > 40*i {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		got := written(t, out)
		if len(got) > 0 && len(got) < len(want) {
			killed++
		}
		maps.DeleteFunc(got, func(name, _ string) bool { return isTemporary(name) })
		for name, text := range got {
			if want[name] != text {
				t.Errorf("%s: %q, want %q", name, text, want[name])
			}
		}
		generateInto(t, 0, root, out)
		wantSame(t, written(t, out), want)
	}
	if killed == 0 {
		t.Error("no generator was killed in the middle")
	}
}

// TestStaleOutput runs on a folder that an earlier run with other settings has left.
func TestStaleOutput(t *testing.T) {
	files := goodFiles(5)
	want := reference(t, files)
	root, out := t.TempDir(), outputFolder(t)
	writeTree(t, root, files)
	for name, text := range want {
		name := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, isLink := strings.CutPrefix(text, "-> "); isLink {
			if err := os.Symlink("/nowhere", name); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(name, bytes.Repeat([]byte("old\n"), 1000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	generateInto(t, 0, root, out)
	if got := written(t, out); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestOutputFolders has folders for the output that are missing or cannot be any.
func TestOutputFolders(t *testing.T) {
	files := goodFiles(3)
	want := reference(t, files)
	root, out := t.TempDir(), outputFolder(t)
	writeTree(t, root, files)
	generateInto(t, 0, root, out+"/a/b/c")
	wantSame(t, written(t, out+"/a/b/c"), want)
	generateInto(t, 1, root, "/dev/full")

	// The late folder alone cannot be written: the containers have their units, which is not nothing.
	writeTree(t, out, map[string]string{"late": ""})
	generateInto(t, 0, root, out)
	if got := written(t, out+"/normal"); len(got) != 2*len(files) {
		t.Errorf("got %v", got)
	}
}

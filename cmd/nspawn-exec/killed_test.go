package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killedCases are the options of containers that are killed after every step. HOST is a directory of the host.
var killedCases = map[string]struct {
	options string
	long    bool // only with NSPAWNKIT_LONG_TESTS
	group   bool // in a control group, which goes with the unit or is used again
}{
	"everything": {options: "--network-zone=app --network-veth-extra=ve-more:more --bind=HOST:/mnt/bind:idmap --bind=:/mnt/empty --tmpfs=/opt --overlay=+/etc:+/srv/upper:/srv/over --overlay=HOST::/srv/empty" +
		" --inaccessible=/usr/share --link-journal=guest --resolv-conf=copy-host --timezone=copy --set-credential=one:two --load-credential=three:HOST/file"},
	"ephemeral":       {options: "--ephemeral --network-veth --overlay=+/etc::/srv/over"},
	"interfaces":      {options: "--network-interface=eth7:lan --network-macvlan=eth8 --network-veth"},
	"template":        {options: "--template=HOST/template --bind=:/mnt"},
	"stack of images": {options: "--mstack=HOST/web.mstack --bind=+/srv:/mnt/bind --overlay=+/etc::/srv/over --network-veth"},
	"group":           {options: "--hostname=group --as-pid2 --uid=0 --cpu-affinity=0", group: true},
	"plain":           {options: "--private-users=no", long: true},
	"users":           {options: "--private-users=pick --read-only --link-journal=host", long: true},
	"volatile":        {options: "--volatile=overlay --bind=HOST:/mnt/bind:idmap --network-veth", long: true},
	"state":           {options: "--volatile=state --tmpfs=/var/tmp --timezone=bind", long: true},
	"pivot":           {options: "--pivot-root=/deploy:/srv --bind=+/etc:/mnt", long: true},
}

// newHalting builds nspawn-exec so that it stops where /run/halt-after says.
func newHalting(t *testing.T) string {
	t.Helper()
	needKernel(t)
	path := program("nspawn-exec-halt")
	if _, err := os.Stat(path); err != nil {
		build := exec.Command("go", "build", "-tags", "halt", "-o", path, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	becomeReaper(t)
	t.Cleanup(func() { _ = os.Remove("/run/halt-after") })
	return path
}

// becomeReaper makes what outlives its parent a child of this process, which sees its end.
func becomeReaper(t *testing.T) {
	must(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	t.Cleanup(func() { must(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)) })
}

// killAfter starts a container and kills its supervisor some time later. All processes of it have ended then, also one that was being
// forked.
func killAfter(t *testing.T, cmd *exec.Cmd, delay time.Duration) {
	t.Helper()
	becomeReaper(t)
	must(t, cmd.Start())
	time.Sleep(delay)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	adopt()
}

// adopt waits for the end of all processes of a container whose supervisor was killed.
func adopt() {
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// state lists all that a container may leave on the host. Files of the image that the image keeps are no trace.
func (w *killedWorld) state() string {
	w.t.Helper()
	t, root := w.t, w.root
	state := leftovers(t, root)
	places := []string{"/run", "/var/tmp", "/var/log", filepath.Dir(root), w.host}
	if w.group != nil {
		places = append(places, filepath.Dir(w.group.Name()))
	}
	for _, top := range places {
		must(t, filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
			must(t, err)
			inImage := strings.HasPrefix(path, root+"/") && !strings.HasPrefix(filepath.Base(path), ".#")
			if !inImage && path != "/run/halt-after" {
				state = append(state, path)
			}
			return nil
		}))
	}
	slices.Sort(state)
	return strings.Join(slices.Compact(state), "\n")
}

// killedWorld is one container that is killed again and again.
type killedWorld struct {
	t             *testing.T
	program, root string
	host          string
	options       []string
	group         *os.File
	clean         string // the host without the container
}

func newKilledWorld(t *testing.T, options string, group bool) *killedWorld {
	t.Helper()
	w := &killedWorld{t: t, program: newHalting(t), root: newMergedRoot(t, "web"), host: newOutside(t)}
	writeFile(t, w.host+"/file", "of the host\n")
	for _, name := range []string{"srv/upper", "srv/over", "srv/empty", "usr/share", "var/tmp", "mnt/bind", "mnt/empty", "opt", "deploy"} {
		must(t, os.MkdirAll(filepath.Join(w.root, name), 0o755))
	}
	command(t, "cp", "-a", w.root+"/bin", w.root+"/usr", w.root+"/etc", w.root+"/deploy/")
	must(t, os.MkdirAll(w.root+"/deploy/srv", 0o755))
	writeFile(t, w.root+"/etc/localtime", "")
	must(t, os.MkdirAll(w.root+"/var/log/journal/"+guestID, 0o755))
	if group {
		supervisor := newControlGroup(t) + "/supervisor"
		must(t, os.Mkdir(supervisor, 0o755))
		var err error
		w.group, err = os.Open(supervisor)
		must(t, err)
		t.Cleanup(func() { w.group.Close() })
	}
	if strings.Contains(options, "--network-interface") {
		addInterface(t, "eth7")
		addInterface(t, "eth8")
	}
	if strings.Contains(options, "--template") {
		command(t, "mv", w.root, w.host+"/template")
	}
	if strings.Contains(options, "--mstack") {
		stack := mkdir(t, w.host+"/web.mstack")
		mkdir(t, stack+"/rw")
		makeFileSystem(t, "squashfs", stack+"/layer@0.raw", w.root)
		makeFileSystem(t, "ext4", stack+"/bind@opt.raw", w.root+"/srv")
	}
	t.Cleanup(func() { must(t, os.RemoveAll("/var/log/journal/"+guestID)) })
	w.options = strings.Fields(strings.ReplaceAll(options, "HOST", w.host))
	w.start()
	w.forget()
	w.clean = w.state()
	return w
}

// forget takes away what outlives a container on purpose.
func (w *killedWorld) forget() {
	if strings.Contains(strings.Join(w.options, " "), "--template") {
		must(w.t, os.RemoveAll(w.root))
	}
}

func (w *killedWorld) command(payload ...string) *exec.Cmd {
	cmd := nspawn(w.root, append(w.options, payload...)...)
	if strings.Contains(strings.Join(w.options, " "), "--mstack") {
		cmd.Args = removed(cmd.Args, "--directory="+w.root)
	}
	cmd.Path = w.program
	if w.group != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(w.group.Fd())}
	}
	return cmd
}

// start runs the container to its end.
func (w *killedWorld) start() {
	w.t.Helper()
	_ = os.Remove("/run/halt-after")
	if r := finish(w.t, w.command("/bin/echo", "works")); r.status != 0 || r.stdout != "works\n" {
		w.t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// steps returns the steps of the container as "LIST STEP", but for the one that replaces the program.
func (w *killedWorld) steps() (steps []string) {
	w.t.Helper()
	r := finish(w.t, w.command("--dry-run", "/bin/echo", "works"))
	for line := range strings.Lines(r.stdout) {
		list, step, _ := strings.Cut(strings.TrimSpace(line), " ")
		if list != "image" { // which are taken before it is known what to do
			steps = append(steps, list+" "+strings.TrimSpace(step))
		}
	}
	execute := slices.Index(steps, "inner execute payload")
	if execute < 40 || steps[len(steps)-1] != "close unlock" {
		w.t.Fatalf("steps: %q: %s", steps, r.stderr)
	}
	return slices.Delete(steps, execute, execute+1)
}

// halted starts the container, which stops after a step.
func (w *killedWorld) halted(step string) *container {
	w.t.Helper()
	must(w.t, os.WriteFile("/run/halt-after", []byte(step), 0o644))
	payload := []string{"/bin/echo", "payload runs"}
	if strings.HasPrefix(step, "watch ") { // which come when it has lived for some time
		payload = []string{"/bin/sleep", "1000"}
	}
	c := launch(w.t, w.command(payload...))
	c.expect("halted")
	return c
}

// same compares the host with what it was before.
func (w *killedWorld) same(what string) {
	w.t.Helper()
	waitNoLoops(w.t, w.host+"/web.mstack/layer@0.raw")
	if got := w.state(); got != w.clean {
		w.t.Errorf("%s: left over: %q", what, without(got, w.clean))
	}
}

func without(list, unwanted string) []string {
	return slices.DeleteFunc(strings.Split(list, "\n"), func(line string) bool { return strings.Contains("\n"+unwanted+"\n", "\n"+line+"\n") })
}

// kill -9 of the supervisor after every step of start and end: --cleanup, or else the next start, leaves nothing.
func TestKilledAfterEveryStep(t *testing.T) {
	for name, test := range killedCases {
		t.Run(name, func(t *testing.T) {
			needKernel(t)
			if test.long && os.Getenv(longTests) == "" {
				t.Skip("set " + longTests + "=1 to run it")
			}
			w := newKilledWorld(t, test.options, test.group)
			left := 0
			for i, step := range w.steps() {
				for mode := range 2 {
					short := os.Getenv(longTests) == "" && !strings.HasPrefix(step, "close ")
					if short && mode != i%2 || test.group && mode == 0 {
						continue
					}
					c := w.halted(step)
					must(t, c.cmd.Process.Kill())
					_ = c.cmd.Wait()
					c.ended = true
					adopt()
					if w.state() != w.clean {
						left++
					}
					if mode == 0 {
						if r := finish(t, w.command("--cleanup")); r.status != 0 || r.stderr != "" {
							t.Errorf("--cleanup: status %d: %s", r.status, r.stderr)
						}
						w.forget()
						w.same(step + ", --cleanup")
					}
					w.start()
					w.forget()
					if w.same(step + ", next start"); t.Failed() {
						t.FailNow()
					}
				}
			}
			if left < 10 {
				t.Errorf("something was left %d times only: this test tests nothing", left)
			}
		})
	}
}

// The first process is killed after every step of its own: the supervisor says so in one line and leaves nothing.
func TestFirstProcessKilledAfterEveryStep(t *testing.T) {
	for name, test := range killedCases {
		t.Run(name, func(t *testing.T) {
			needKernel(t)
			if (test.long || name != "everything") && os.Getenv(longTests) == "" {
				t.Skip("set " + longTests + "=1 to run it")
			}
			w := newKilledWorld(t, test.options, test.group)
			for _, step := range w.steps() {
				if !strings.HasPrefix(step, "inner ") {
					continue
				}
				c := w.halted(step)
				must(t, syscall.Kill(c.init(), syscall.SIGKILL))
				if status := c.wait(); status != 1 || strings.Count(c.stderr.String(), "\n") != 1 {
					t.Errorf("%s: status %d: %s", step, status, c.stderr.String())
				}
				w.forget()
				w.same(step)
			}
		})
	}
}

// A container that was killed a moment ago starts again without anybody waiting for the end of its processes.
func TestRestartAtOnce(t *testing.T) {
	machined, root := newRegistry(t), newRoot(t, "web")
	options := []string{"--register=yes", "--network-zone=app", "--network-veth-extra=ve-more:more", "--bind=:/mnt", "--link-journal=no"}
	rounds := 5
	if os.Getenv(longTests) != "" {
		rounds = 100
	}
	for range rounds {
		c := begin(t, root, append(options, sleeper...)...)
		must(t, c.cmd.Process.Kill())
		again := finish(t, nspawn(root, append(options, "/bin/echo", "works")...))
		if again.status != 0 || again.stdout != "works\n" || again.stderr != "" {
			t.Fatalf("status %d: %s%s", again.status, again.stdout, again.stderr)
		}
		_ = c.cmd.Wait()
		c.ended = true
	}
	if machined.machine("web") != nil {
		t.Error("the machine stays registered")
	}
	clean(t, root)
}

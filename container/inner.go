package container

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"nspawnkit/container/kernel"
)

// first is the state of the container's first process while it sets the container up.
type first struct {
	plan    Inside
	stage   kernel.InsideStage
	channel *kernel.Channel // of the stage
	root    *kernel.Root    // the container's root, once it is "/"

	proc, sys kernel.Tree   // made while the host's are in sight
	sysParts  []kernel.Tree // of [sysDirectories]
	whole     []placedTree  // with Nesting=
	devices   []placedTree  // of a host that is a container
	osRelease kernel.Tree
	passed    passedTrees
	late      []TreeMount              // what passed.late is for
	etc       map[*EtcFile]kernel.Tree // files of the host to be mounted in /etc
	console   *os.File                 // the payload's: at its path, a mount may have put something else
	servers   string                   // resolv.conf(5) from the supervisor
	replies   []*os.File               // what the supervisor gets back: console, notify socket
	warnings  []string                 // and logs
}

// passedTrees are the mounts that came from the supervisor.
type passedTrees struct {
	root, dev, run, incoming, export kernel.Tree
	sys                              *kernel.Tree // the host's, where a new one is not permitted
	credentials                      *kernel.Tree
	late                             []kernel.Tree
}

// Messages of the channel.
const (
	messageHere  = "here"    // from process 2: the supervisor only knows process 1
	messageReady = "ready"   // with a line for each warning
	messageGo    = "go"      // with resolv.conf(5) on the lines behind it
	messageWarn  = "warning" // with the text on the line behind it, when the supervisor has let the payload go
	// Any other message is the error that ended the set-up.
)

func readyMessage(warnings []string) string {
	return strings.Join(append([]string{messageReady}, warnings...), "\n")
}

// cutReady returns the warnings of a [readyMessage], and whether it is one.
func cutReady(message string) (warnings []string, ready bool) {
	lines := strings.Split(message, "\n")
	return lines[1:], lines[0] == messageReady
}

// RunFirst is the program of the container's first process: it sets the container up and executes the payload. It returns
// only if that failed, after the supervisor was told why. The calling goroutine must be locked to the main thread.
func RunFirst() error {
	stage := kernel.NewInsideStage(os.Args)
	f := &first{stage: stage, channel: stage.Channel}
	halt := newHalt()
	err := f.readPlan()
	if err == nil && f.plan.ProcessTwo {
		err = f.channel.Send([]byte(messageHere))
	}
	for _, step := range inner() {
		if err != nil {
			break
		}
		if step.when == nil || step.when(&f.plan) {
			err = named(step.name, step.do(f))
			halt("inner", step.name)
		}
	}
	if err != nil {
		_ = f.channel.Send([]byte(err.Error()))
	}
	return err
}

func (f *first) readPlan() error {
	defer f.stage.Plan.Close()
	info, err := f.stage.Plan.Stat()
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	data := make([]byte, info.Size())
	if _, err = f.stage.Plan.ReadAt(data, 0); err == nil {
		err = unpack(data, &f.plan)
	}
	if err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	return nil
}

// makeKernelTrees makes procfs and sysfs for the new namespaces.
func (f *first) makeKernelTrees() error {
	for _, m := range kernelTrees(&f.plan) {
		tree, err := kernel.NewFileSystem(m.fstype, m.attributes, m.options...)
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("%w: the kernel refuses it where the host's own %s is covered by mounts", err, m.target)
		}
		if err != nil {
			return err
		}
		switch m.target {
		case "/proc":
			f.proc = tree
		case "/sys":
			f.sys = tree
		default:
			f.whole = append(f.whole, placedTree{tree, m.target})
		}
	}
	if f.plan.NetworkAPI && f.sys != (kernel.Tree{}) {
		return f.cloneSys()
	}
	return nil
}

// cloneSys copies the parts of sysfs that the container gets. For that it is mounted where it goes with the host's mounts.
func (f *first) cloneSys() error {
	if err := f.sys.AttachTo("/sys"); err != nil {
		return err
	}
	for _, name := range sysDirectories() {
		tree, err := kernel.CloneTree("/sys/"+name, false)
		if err != nil {
			return err
		}
		f.sysParts = append(f.sysParts, tree)
	}
	return f.sys.Close()
}

func (f *first) cloneHostFiles() (err error) {
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		if f.osRelease, err = kernel.CloneTree(path, false); err == nil {
			return f.osRelease.SetAttributes(noSUIDDevExec|kernel.ReadOnly, false)
		}
	}
	return err
}

// receiveTrees waits for barrier 1: the supervisor has id-mapped the trees.
func (f *first) receiveTrees() error {
	message, files, err := f.channel.Receive()
	if err != nil {
		return err
	}
	if err := unpack(message, &f.late); err != nil {
		return fmt.Errorf("read list of trees: %w", err)
	}
	trees := make([]kernel.Tree, len(files))
	for i, file := range files {
		trees[i] = kernel.TreeFromFile(file)
	}
	fixed := 5
	hostSys := !f.plan.PrivateNetwork && f.plan.UserNamespace
	for _, passed := range []bool{hostSys, f.plan.Credentials} {
		if passed {
			fixed++
		}
	}
	expected := fixed
	for _, m := range f.late {
		if !m.Inaccessible {
			expected++
		}
	}
	if len(trees) != expected {
		return fmt.Errorf("got %d trees, expected %d", len(trees), expected)
	}
	f.passed = passedTrees{root: trees[0], dev: trees[1], run: trees[2], incoming: trees[3], export: trees[4], late: trees[fixed:]}
	if hostSys {
		f.passed.sys = &trees[5]
	}
	if f.plan.Credentials {
		f.passed.credentials = &trees[fixed-1]
	}
	return nil
}

func (f *first) pivotRoot() (err error) {
	if err := kernel.PivotRoot(f.passed.root); err != nil {
		return err
	}
	f.root, err = kernel.OpenRoot("/")
	return err
}

// attach puts a tree on a directory of the container. The mount points of API file systems are never looked for through a
// symbolic link of the image.
func (f *first) attach(tree kernel.Tree, target string) error {
	defer tree.Close()
	place, err := f.root.MakeDirectories(target, 0o755, 0, 0)
	if err != nil {
		return err
	}
	defer place.Close()
	return tree.Attach(place)
}

func (f *first) mountAPI() error {
	for _, passed := range []struct {
		tree   kernel.Tree
		target string
	}{{f.proc, "/proc"}, {f.passed.dev, "/dev"}, {f.passed.run, "/run"}} {
		if err := f.attach(passed.tree, passed.target); err != nil {
			return err
		}
	}
	if err := f.mountSys(); err != nil {
		return err
	}
	for _, m := range innerTrees(&f.plan) {
		tree, err := kernel.NewFileSystem(m.fstype, m.attributes, m.options...)
		if err != nil {
			return err
		}
		if err := f.attach(tree, m.target); err != nil {
			return err
		}
	}
	return nil
}

// mountSys shows all of sysfs in the host's network, and the parts that do not configure the host otherwise.
func (f *first) mountSys() error {
	if f.passed.sys != nil {
		return f.attach(*f.passed.sys, "/sys")
	}
	if !f.plan.NetworkAPI {
		return f.attach(f.sys, "/sys")
	}
	skeleton, err := kernel.NewFileSystem("tmpfs", noSUIDDevExec, labeled(options("mode", "0555", "size", "4m", "nr_inodes", "1k"), f.plan.FileContext)...)
	if err != nil {
		return err
	}
	if err := skeleton.MakeNodes(sysNodes(), 0, 0); err != nil {
		return err
	}
	if err := skeleton.SetAttributes(readOnlyAPI(&f.plan), false); err != nil {
		return err
	}
	if err := f.attach(skeleton, "/sys"); err != nil {
		return err
	}
	for i, name := range sysDirectories() {
		if err := f.attachFile(f.sysParts[i], "/sys/"+name); err != nil {
			return err
		}
	}
	return nil
}

func (f *first) mountHostFiles() error {
	if f.plan.HostRelease {
		if err := f.attachFile(f.osRelease, "/run/host/os-release"); err != nil {
			return err
		}
	}
	if err := f.attachFile(f.passed.incoming, incomingInside); err != nil {
		return err
	}
	if f.passed.credentials != nil {
		if err := f.attachFile(*f.passed.credentials, credentialsDirectory); err != nil {
			return err
		}
	}
	return f.attachFile(f.passed.export, "/run/host/unix-export")
}

// shareMounts leaves out where systemd-machined moves mounts from: "machinectl bind".
func shareMounts() error {
	if err := kernel.ShareMounts(); err != nil {
		return err
	}
	return kernel.MakeSlave(incomingInside)
}

func (f *first) attachFile(tree kernel.Tree, target string) error {
	defer tree.Close()
	place, err := f.root.OpenPlain(target, kernel.PathOnly)
	if err != nil {
		return err
	}
	defer place.Close()
	return tree.Attach(place)
}

// protectControlGroups makes all control groups read-only but the container's own, where those of the host are in sight. It is
// no boundary: who may mount can undo it.
func (f *first) protectControlGroups() error {
	own, ok := kernel.OwnControlGroup()
	if !ok {
		return errors.New("the container is in no control group of the unified hierarchy")
	}
	writable, err := kernel.CloneTree(own.Directory, false)
	if err != nil {
		return err
	}
	whole, err := kernel.CloneTree("/sys/fs/cgroup", false)
	if err == nil {
		err = whole.SetAttributes(kernel.ReadOnly, false)
	}
	if err == nil {
		err = f.attachFile(whole, "/sys/fs/cgroup")
	}
	if err != nil {
		writable.Close()
		return err
	}
	return f.attachFile(writable, own.Directory)
}

func (f *first) makeConsole() error {
	master, path, err := kernel.NewTerminal()
	if err != nil {
		return err
	}
	if path != "/dev/pts/0" {
		return fmt.Errorf("the first terminal is %s", path) // /dev/console leads to pts/0
	}
	f.replies = append(f.replies, master)
	f.console, err = kernel.OpenPeer(master)
	return err
}

func (f *first) listenNotify() error {
	socket, err := kernel.ListenNotify(notifySocket)
	if err != nil {
		return err
	}
	f.replies = append(f.replies, socket.File())
	return nil
}

// protectProc covers what procfs shows of the host.
func (f *first) protectProc() error {
	mounts := procMounts(&f.plan)
	for _, p := range f.plan.Protected {
		mounts = append(mounts, mount{target: p.Path, from: p.Path, attributes: kernel.ReadOnly, optional: true, recursive: true})
	}
	for _, m := range mounts {
		if m.optional && !f.root.Exists(m.target) {
			continue
		}
		tree, err := kernel.CloneTree(m.from, true)
		if err != nil {
			return err
		}
		if err := tree.SetAttributes(m.attributes, m.recursive); err != nil {
			return err
		}
		if err := f.attachFile(tree, m.target); err != nil {
			return err
		}
	}
	return nil
}

// sealRunHost makes /run/host read-only.
func (f *first) sealRunHost() error {
	tree, err := kernel.CloneTree("/run/host", false)
	if err != nil {
		return err
	}
	if err := tree.SetAttributes(noSUIDDevExec|kernel.ReadOnly, false); err != nil {
		return err
	}
	return f.attachFile(tree, "/run/host")
}

package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const controlGroupRoot = "/sys/fs/cgroup"

// ControlGroup is a directory of the unified hierarchy.
type ControlGroup struct{ Directory string }

// OwnControlGroup returns the control group this process is in, and false on hosts without the unified hierarchy.
func OwnControlGroup() (ControlGroup, bool) { return controlGroupOf("self") }

// RootControlGroup returns the control group of all processes in sight.
func RootControlGroup() ControlGroup { return ControlGroup{controlGroupRoot} }

// ControlGroup returns the control group the child is in.
func (c *Child) ControlGroup() (ControlGroup, bool) { return controlGroupOf(strconv.Itoa(c.PID)) }

func controlGroupOf(process string) (ControlGroup, bool) {
	var st unix.Statfs_t
	if unix.Statfs(controlGroupRoot, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		return ControlGroup{}, false
	}
	data, err := os.ReadFile(filepath.Join("/proc", process, "cgroup"))
	if err != nil {
		return ControlGroup{}, false
	}
	path, ok := unifiedPath(string(data))
	return ControlGroup{filepath.Join(controlGroupRoot, path)}, ok
}

// unifiedPath finds the path in a table of proc_pid_cgroup(5). That of a group out of sight, above the root of the namespace, leads
// out of the hierarchy.
func unifiedPath(table string) (path string, ok bool) {
	for line := range strings.Lines(table) {
		if path, ok = strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok { // the others are hierarchies of version 1
			return path, !strings.HasPrefix(path+"/", "/../")
		}
	}
	return "", false
}

// Name returns the last component of the path.
func (g ControlGroup) Name() string { return filepath.Base(g.Directory) }

// Parent returns the control group above.
func (g ControlGroup) Parent() ControlGroup { return ControlGroup{filepath.Dir(g.Directory)} }

// Below names the control group of that name below, which may be missing.
func (g ControlGroup) Below(name string) ControlGroup {
	return ControlGroup{filepath.Join(g.Directory, name)}
}

// Child returns the control group of that name below, making it if missing.
func (g ControlGroup) Child(name string) (ControlGroup, error) {
	child := g.Below(name)
	if err := os.Mkdir(child.Directory, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return child, fmt.Errorf("make control group: %w", err)
	}
	return child, nil
}

// Enter moves this process into the control group.
func (g ControlGroup) Enter() error { return g.write("cgroup.procs", "0") }

// Take moves the child into the control group.
func (g ControlGroup) Take(child *Child) error {
	return g.write("cgroup.procs", strconv.Itoa(child.PID))
}

// Open opens the directory, for [StartStage].
func (g ControlGroup) Open() (*os.File, error) {
	return os.OpenFile(g.Directory, unix.O_DIRECTORY|unix.O_PATH, 0)
}

// EnableControllers hands all controllers that the control group has to the ones below it.
func (g ControlGroup) EnableControllers() error {
	data, err := os.ReadFile(filepath.Join(g.Directory, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read controllers: %w", err)
	}
	for _, controller := range strings.Fields(string(data)) {
		// One at a time: a controller that cannot be handed down (cpu with real-time processes) is not a reason to keep
		// the others. Nor are other processes in the control group (EBUSY): who starts a container from a shell in a container
		// has no limits to set.
		err := g.write("cgroup.subtree_control", "+"+controller)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}

func (g ControlGroup) write(file, value string) error {
	// O_TRUNC means nothing here and kernfs does not need it.
	f, err := os.OpenFile(filepath.Join(g.Directory, file), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("write %s to control group: %w", value, err)
	}
	return nil
}

// Delegate gives the control group to a user, as "Delegation" in the kernel's cgroup-v2 document says: the directory and the
// files that /sys/kernel/cgroup/delegate lists, but not the limits.
func (g ControlGroup) Delegate(uid, gid int) error {
	if err := os.Chown(g.Directory, uid, gid); err != nil {
		return fmt.Errorf("delegate control group: %w", err)
	}
	data, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		data = []byte("cgroup.procs cgroup.threads cgroup.subtree_control")
	}
	for _, file := range strings.Fields(string(data)) {
		err := os.Chown(filepath.Join(g.Directory, file), uid, gid)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delegate control group: %w", err)
		}
	}
	return nil
}

// Populated reports whether there are processes in the control group or below.
func (g ControlGroup) Populated() bool {
	events, err := g.counters("cgroup.events")
	return err == nil && events["populated"] != 0
}

// Lock takes the control group for this process until the file is closed: [ErrBusy] if another has it.
func (g ControlGroup) Lock() (*os.File, error) {
	directory, err := os.Open(g.Directory)
	if err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	if err := unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		directory.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, fmt.Errorf("lock control group: %w", err)
	}
	return directory, nil
}

// Kill kills every process in the control group and below and removes the directories, deepest first. A control group that
// is not there is no error.
func (g ControlGroup) Kill() error {
	if err := g.write("cgroup.kill", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(g.Directory))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = removeGroups(parent, filepath.Base(g.Directory))
	}
	if err != nil {
		return fmt.Errorf("remove control group %s: %w", g.Directory, err)
	}
	return nil
}

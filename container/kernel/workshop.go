package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Workshop is a mount namespace of a thread of the supervisor, in which mounts are put together before the container gets
// them. It goes with the thread: whatever happens, nothing stays mounted.
type Workshop struct {
	owner  uint32
	places int
}

// bench is an empty file system in the workshop; everything is put together below it. /run is there on every host.
const bench = "/run"

// InWorkshop calls do in a new workshop. Files that do makes belong to the given user and group of the host, the container's
// root, also on mounts that are id-mapped and in which the host's root does not exist.
func InWorkshop(owner uint32, do func(*Workshop) error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		w := &Workshop{owner: owner}
		err := w.enter()
		if err == nil {
			err = do(w)
		}
		result <- err
	}()
	return <-result
}

func (w *Workshop) enter() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := LeaveHostMounts(); err != nil {
		return err
	}
	tree, err := NewFileSystem("tmpfs", NoSUID, Option{"mode", "0755"})
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.attachAt(bench); err != nil {
		return err
	}
	unix.Umask(0o022)
	return w.actAs(int(w.owner))
}

// actAs makes what the thread creates belong to a user. It keeps all capabilities, of which setfsuid(2) drops some.
func (w *Workshop) actAs(owner int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		return fmt.Errorf("get capabilities: %w", err)
	}
	if err := unix.Setfsgid(owner); err != nil {
		return fmt.Errorf("set group of new files: %w", err)
	}
	if err := unix.Setfsuid(owner); err != nil {
		return fmt.Errorf("set owner of new files: %w", err)
	}
	if err := unix.Capset(&header, &before[0]); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	return nil
}

// Place attaches a tree, of a directory or else of a file, at a new place of the workshop, and returns the path there.
func (w *Workshop) Place(tree Tree, directory bool) (string, error) {
	path, err := w.newPlace(directory)
	if err != nil {
		return "", err
	}
	return path, tree.attachAt(path)
}

func (w *Workshop) newPlace(directory bool) (path string, err error) {
	path = filepath.Join(bench, fmt.Sprint(w.places))
	w.places++
	if directory {
		return path, os.Mkdir(path, 0o755)
	}
	return path, os.WriteFile(path, nil, 0o600)
}

// PlaceRoot is [Workshop.Place] for the tree of a directory that is to be opened there.
func (w *Workshop) PlaceRoot(tree Tree) (*Root, error) {
	path, err := w.Place(tree, true)
	if err != nil {
		return nil, err
	}
	return OpenRoot(path)
}

func (t Tree) attachAt(path string) error {
	place, err := os.OpenFile(path, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer place.Close()
	return t.Attach(place)
}

// Take ends the work: it returns copies of the mounts at the paths, with all that is mounted below. Where the container has a
// user namespace, the kernel locks the copies as it does when a mount namespace is made for less privileged users
// (mount_namespaces(7)): the container's root can neither make a read-only mount writable nor unmount one to see below it.
func (w *Workshop) Take(namespaces Namespaces, paths ...string) ([]Tree, error) {
	if namespaces.UserCount > 0 {
		own := []IDExtent{{From: 0, To: namespaces.UserStart, Count: namespaces.UserCount}}
		holder, err := startHolder(unix.CLONE_NEWNS, own, own)
		if err != nil {
			return nil, err
		}
		defer holder.end()
		mounts, err := holder.OpenNamespace("mnt")
		if err != nil {
			return nil, err
		}
		defer mounts.Close()
		if err := unix.Setns(int(mounts.Fd()), unix.CLONE_NEWNS); err != nil {
			return nil, fmt.Errorf("enter the locked mount namespace: %w", err)
		}
	}
	var trees []Tree
	for _, path := range paths {
		tree, err := CloneTree(path, true)
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	return trees, nil
}

// holder is a stopped process that is there only for its namespaces.
type holder struct{ Child }

// IDExtent says that the users from From on are those of the host from To on.
type IDExtent struct{ From, To, Count uint32 }

// startHolder makes a user namespace of these users and groups, and other new namespaces.
func startHolder(flags uintptr, users, groups []IDExtent) (*holder, error) {
	pidfd := -1
	pid, err := syscall.ForkExec("/proc/self/exe", []string{StageName}, &syscall.ProcAttr{
		Dir: "/", Env: []string{},
		Sys: &syscall.SysProcAttr{
			// The memory is shared until the program is executed, not copied: Go does so itself where no user namespace is made.
			Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_VFORK | unix.CLONE_VM | flags, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd,
			Ptrace: true, // it stops before its first instruction
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make user namespace: %w", err)
	}
	h := &holder{Child{PID: pid, Descriptor: pidfd}}
	if err := errors.Join(h.mapIDs("uid_map", users), h.mapIDs("gid_map", groups)); err != nil {
		h.end()
		return nil, err
	}
	return h, nil
}

// mapIDs fills a file of user_namespaces(7), which can be written to once.
func (h *holder) mapIDs(name string, extents []IDExtent) error {
	if len(extents) == 0 {
		return nil
	}
	var text []byte
	for _, e := range extents {
		text = fmt.Appendln(text, e.From, e.To, e.Count)
	}
	return os.WriteFile(fmt.Sprintf("/proc/%d/%s", h.PID, name), text, 0)
}

func (h *holder) end() {
	_ = h.Signal(Kill)
	_, _ = h.waitEnd()
	unix.Close(h.Descriptor)
}

// waitEnd also sees the stop of the traced process.
func (h *holder) waitEnd() (status syscall.WaitStatus, err error) {
	for {
		status, err = h.Wait()
		if err != nil || status.Exited() || status.Signaled() {
			return status, err
		}
	}
}

// NewIDMap returns a user namespace for [Tree.MapIDs] that shows count owners from the first on, and nobody else, as the host's
// users from to on.
func NewIDMap(from, to, count uint32) (*os.File, error) {
	owners := []IDExtent{{From: from, To: to, Count: count}}
	return NewIDMaps(owners, owners)
}

// NewIDMaps returns a user namespace for [Tree.MapIDs] that shows users and groups as the host's that the extents say, and no others.
func NewIDMaps(users, groups []IDExtent) (*os.File, error) {
	holder, err := startHolder(0, users, groups)
	if err != nil {
		return nil, err
	}
	defer holder.end()
	return holder.OpenNamespace("user")
}

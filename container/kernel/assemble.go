package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Stage is a place where detached mounts are put together. It is in a mount namespace of its own, which nobody else ever
// sees and which goes with the thread that has it: a killed process leaves nothing.
type Stage struct{ root *Root }

// stageDirectory is where the stage is in its mount namespace. It is there on every host.
const stageDirectory = "/run"

// Assemble calls build on a stage and returns what it returns. Kernels before 6.15 neither mount on a detached tree nor use one
// as a layer of an overlay; on the stage they are attached.
func Assemble(build func(*Stage) (Tree, error)) (Tree, error) {
	type result struct {
		tree Tree
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this function, and its mounts with it
		tree, err := onStage(build)
		done <- result{tree, err}
	}()
	r := <-done
	return r.tree, r.err
}

func onStage(build func(*Stage) (Tree, error)) (Tree, error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return Tree{}, fmt.Errorf("make mount namespace: %w", err)
	}
	if err := setPropagation(unix.MS_PRIVATE); err != nil {
		return Tree{}, err
	}
	floor, err := NewFileSystem("tmpfs", 0, Option{"mode", "0700"})
	if err != nil {
		return Tree{}, err
	}
	defer floor.Close()
	place, err := os.OpenFile(stageDirectory, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return Tree{}, err
	}
	defer place.Close()
	if err := floor.Attach(place); err != nil {
		return Tree{}, err
	}
	root, err := OpenRoot(stageDirectory)
	if err != nil {
		return Tree{}, err
	}
	defer root.Close()
	return build(&Stage{root})
}

// Put attaches the tree under a name, closes it, and returns it as the directory it is now, with its path.
func (s *Stage) Put(tree Tree, name string) (root *Root, path string, err error) {
	defer tree.Close()
	place, err := s.root.MakeDirectories(name, 0o700, 0, 0)
	if err != nil {
		return nil, "", err
	}
	defer place.Close()
	if err := tree.Attach(place); err != nil {
		return nil, "", err
	}
	root, err = s.root.OpenDirectory(name)
	return root, stageDirectory + "/" + name, err
}

// Take returns a directory of the stage, with everything attached below it, as a detached tree.
func (s *Stage) Take(directory *Root) (Tree, error) { return CloneTreeOf(directory.dir, true) }

// OpenDirectory opens a directory inside the root as a root of its own, following links inside.
func (r *Root) OpenDirectory(name string) (*Root, error) {
	dir, err := r.Open(name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Root{dir}, nil
}

// OpenPlainDirectory is [Root.OpenDirectory] for a path that must not contain a symbolic link.
func (r *Root) OpenPlainDirectory(name string) (*Root, error) {
	dir, err := r.OpenPlain(name, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Root{dir}, nil
}

// Type returns type and mode of a name inside the root, without following a link there. A name that is missing is no error:
// found is false.
func (r *Root) Type(name string) (mode os.FileMode, found bool, err error) {
	file, err := r.Open(name, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	return info.Mode(), true, nil
}

package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrBusy says that another process holds a lock.
var ErrBusy = errors.New("in use by another process")

// Lock is a lock file of the kind that systemd's tools use (an open file description lock), so that theirs and ours
// exclude each other. It goes with the process that holds it, however that ends.
type Lock struct{ file File }

// LockFile takes the lock file at path, exclusively or shared, without waiting; [ErrBusy] if somebody else has it.
func LockFile(path string, shared bool) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	for {
		file, err := os.OpenFile(path, unix.O_CREAT|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOCTTY, 0o600)
		if err != nil {
			return nil, err
		}
		kind := int16(unix.F_WRLCK)
		if shared {
			kind = unix.F_RDLCK
		}
		err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind})
		if err != nil {
			file.Close()
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
				err = ErrBusy
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &st); err == nil && st.Nlink > 0 {
			return &Lock{File{file}}, nil
		}
		file.Close() // removed by its last holder between open and lock
	}
}

// MarshalJSON hands the lock over, see [File].
func (l *Lock) MarshalJSON() ([]byte, error) { return l.file.MarshalJSON() }

// UnmarshalJSON takes the lock over.
func (l *Lock) UnmarshalJSON(data []byte) error { return l.file.UnmarshalJSON(data) }

// Release removes the lock file and gives the lock back.
func (l *Lock) Release() {
	// A shared holder must leave the file to the others: only who can have it alone removes it.
	if unix.FcntlFlock(l.file.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) == nil {
		_ = os.Remove(l.file.Name())
	}
	_ = l.file.Close()
}

// TreeLocks returns the paths of the two lock files that stand for a directory tree: beside it by name, and by its inode, so
// that another name of the same tree is excluded too. A block device has the second one only.
func TreeLocks(directory string) (byName, byInode string, err error) {
	var st unix.Stat_t
	if err := unix.Stat(directory, &st); err != nil {
		return "", "", &os.PathError{Op: "stat", Path: directory, Err: err}
	}
	byName = TreeLock(directory)
	byInode = fmt.Sprintf("/run/systemd/nspawn/locks/inode-%d:%d", st.Dev, st.Ino)
	if st.Mode&unix.S_IFMT == unix.S_IFBLK {
		byName, byInode = "", fmt.Sprintf("/run/systemd/nspawn/locks/block-%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return byName, byInode, nil
}

// TreeLock returns the path of the lock file that stands for a directory tree by its name.
func TreeLock(directory string) string {
	return filepath.Join(filepath.Dir(directory), ".#"+filepath.Base(directory)+".lck")
}

// LockHeld reports whether a process holds the lock file at path exclusively.
func LockHeld(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	query := unix.Flock_t{Type: unix.F_RDLCK}
	return unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &query) == nil && query.Type != unix.F_UNLCK
}

// RemoveStaleLock removes a lock file that nobody holds. One that is held, or is not there, is no error.
func RemoveStaleLock(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := LockFile(path, false)
	if errors.Is(err, ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	lock.Release()
	return nil
}

// RemoveStaleLocks removes all lock files of a directory that nobody holds.
func RemoveStaleLocks(directory string) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var problems []error
	for _, entry := range entries {
		if entry.Type().IsRegular() {
			problems = append(problems, RemoveStaleLock(filepath.Join(directory, entry.Name())))
		}
	}
	return errors.Join(problems...)
}

// ErrReadOnlyFileSystem says that nothing can be written there.
var ErrReadOnlyFileSystem error = unix.EROFS

// ErrOtherFileSystem says that two directories are not on the same file system.
var ErrOtherFileSystem error = unix.EXDEV

// Content returns what was written to the lock file.
func (l *Lock) Content() ([]byte, error) { return io.ReadAll(io.NewSectionReader(l.file, 0, 1<<20)) }

// Write replaces the content of the lock file.
func (l *Lock) Write(text string) error {
	err := l.file.Truncate(0)
	if err == nil {
		_, err = l.file.WriteAt([]byte(text), 0)
	}
	return err
}

// Append adds text to the lock file, for whoever finds the file later.
func (l *Lock) Append(text string) error {
	_, err := l.file.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = l.file.WriteString(text)
	}
	return err
}

package kernel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// CredentialFile is one file of [NewCredentials].
type CredentialFile struct {
	Name string
	Data []byte
}

// NewCredentials makes a file system that is never swapped out with a file for each credential, readable by uid only, or
// for all. Nothing in it can be changed any more.
func NewCredentials(files []CredentialFile, uid, gid int, all bool) (Tree, error) {
	tree, err := NewFileSystem("ramfs", NoSUID|NoDev|NoExec, Option{"mode", "0700"})
	if err != nil {
		return tree, err
	}
	if err := tree.fillCredentials(files, uid, gid, all); err != nil {
		tree.Close()
		return tree, err
	}
	return tree, nil
}

func (t Tree) fillCredentials(files []CredentialFile, uid, gid int, all bool) error {
	mode, directoryMode := uint32(0o400), uint32(0o500)
	if all {
		mode, directoryMode = 0o444, 0o555
	}
	dir := int(t.file.Fd())
	for _, f := range files {
		fd, err := unix.Openat(dir, f.Name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("make credential %s: %w", f.Name, err)
		}
		file := os.NewFile(uintptr(fd), f.Name)
		_, err = file.Write(f.Data)
		if err = errors.Join(err, file.Chown(uid, gid), unix.Fchmod(fd, mode), file.Close()); err != nil {
			return fmt.Errorf("write credential %s: %w", f.Name, err)
		}
	}
	if err := unix.Fchownat(dir, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("change owner of credentials: %w", err)
	}
	if err := unix.Fchmodat(dir, ".", directoryMode, 0); err != nil {
		return fmt.Errorf("change mode of credentials: %w", err)
	}
	if err := t.SetAttributes(ReadOnly, false); err != nil {
		return err
	}
	return t.makeFileSystemReadOnly()
}

// makeFileSystemReadOnly makes the file system itself read-only, not only this mount of it.
func (t Tree) makeFileSystemReadOnly() error {
	fd, err := unix.Fspick(int(t.file.Fd()), "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("pick file system %s: %w", t.file.Name(), err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.FsconfigSetFlag(fd, "ro"), unix.FsconfigReconfigure(fd)); err != nil {
		return fmt.Errorf("make file system %s read-only: %w", t.file.Name(), err)
	}
	return nil
}

// ReadCredential reads a file of at most limit bytes, or what a stream socket of that name says when it is connected to. A
// socket or pipe that does not come to its end in time is an error.
func ReadCredential(name string, limit int64, timeout time.Duration) ([]byte, error) {
	deadline := time.Now().Add(timeout)
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err == nil {
		defer file.Close()
		_ = file.SetReadDeadline(deadline) // regular files have none
		return readLimited(file, name, limit)
	}
	if !errors.Is(err, unix.ENXIO) { // what opening a socket gives
		return nil, err
	}
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("unix", name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	return readLimited(conn, name, limit)
}

func readLimited(from io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", name, limit)
	}
	return data, nil
}

package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"nspawnkit/container/capability"

	"golang.org/x/sys/unix"
)

// BecomeUser changes user and groups of the calling thread, which must be the locked one that executes the payload, and sets what
// it passes on to the program: the inheritable capabilities, and the ambient ones, which are inheritable too (capabilities(7)).
// It keeps what it is permitted until then. The functions of Go for this change all threads.
func BecomeUser(uid, gid int, groups []int, inheritable, ambient capability.Set) error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	list := make([]uint32, len(groups)+1) // never empty, so that it has an address
	for i, group := range groups {
		list[i] = uint32(group)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(unsafe.Pointer(&list[0])), 0); errno != 0 {
		return fmt.Errorf("set groups %v: %w", groups, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); errno != 0 {
		return fmt.Errorf("set group %d: %w", gid, errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
		return fmt.Errorf("set user %d: %w", uid, errno)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range data {
		data[i].Effective = data[i].Permitted
		data[i].Inheritable = uint32((inheritable | ambient) >> (32 * i))
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("set inheritable capabilities: %w", err)
	}
	for _, number := range ambient.Numbers() {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(number), 0, 0); err != nil {
			return fmt.Errorf("raise ambient capability %s: %w", capability.Name(number), err)
		}
	}
	return nil
}

// WithFilesOf calls do, on a thread of its own, with what a user outside of all groups but one may do to files (setfsuid(2)). Nobody can
// signal or trace the thread for it. do may call nothing that needs other privileges.
func WithFilesOf(uid, gid uint32, do func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		none := [1]uint32{}
		_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, uintptr(unsafe.Pointer(&none[0])), 0)
		_, gidErr := unix.SetfsgidRetGid(int(gid))
		_, uidErr := unix.SetfsuidRetUid(int(uid))
		now, err := unix.SetfsuidRetUid(-1) // changes nothing
		switch {
		case errno != 0:
			err = fmt.Errorf("set groups: %w", errno)
		case gidErr != nil || uidErr != nil || err != nil || now != int(uid):
			err = fmt.Errorf("set user %d for files: %w", uid, errors.Join(gidErr, uidErr, err, unix.EPERM))
		default:
			err = do()
		}
		result <- err
	}()
	return <-result
}

// GiveConsole makes the terminal on standard input the user's.
func GiveConsole(uid int) error { return os.Stdin.Chown(uid, -1) }

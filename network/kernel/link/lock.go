package link

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// zoneLock is the lock under which systemd-nspawn creates, joins and removes the bridges of zones, so that both can
// use one zone side by side (src/nspawn/nspawn-network.c).
const zoneLock = "/run/systemd/nspawn-network-zone"

// lockFile takes a lock as systemd's make_lock_file(LOCK_EX) does: an open file description lock (fcntl(2)) on a file that is
// unlinked before the lock is released. It waits while another holds the lock.
func lockFile(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // a host without systemd
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW|unix.O_NOCTTY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		stale, err := lockDescriptor(int(file.Fd()))
		if err == nil && !stale {
			return func() {
				_ = os.Remove(path)
				_ = file.Close()
			}, nil
		}
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// lockDescriptor waits for the lock; stale means that the last owner unlinked the file meanwhile, so that it locks nothing.
func lockDescriptor(fd int) (stale bool, err error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	for {
		err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return false, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return false, err
	}
	return stat.Nlink == 0, nil
}

package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// AwaitFile returns when there is something at path, or ctx ends. It has no timer: it watches the nearest directory that exists
// (inotify(7)).
func AwaitFile(ctx context.Context, path string) error {
	for {
		if _, err := os.Lstat(path); err == nil || ctx.Err() != nil {
			return nil
		}
		if err := awaitChange(ctx, path); err != nil {
			return fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

// awaitChange waits until something appears on the way to path, which does not exist, or the nearest directory that exists goes.
func awaitChange(ctx context.Context, path string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	missing := path
	for directory := filepath.Dir(missing); ; directory = filepath.Dir(missing) {
		const mask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
		_, err := unix.InotifyAddWatch(fd, directory, mask)
		if err == nil {
			break
		}
		if err != unix.ENOENT || directory == missing {
			return err
		}
		missing = directory
	}
	if _, err := os.Lstat(missing); err == nil {
		return nil // it came before it was watched for
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	_, err = events.Read(make([]byte, 16*(unix.SizeofInotifyEvent+unix.NAME_MAX+1)))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

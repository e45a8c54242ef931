package kernel

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// WatchDirectory calls changed whenever a file of a directory was replaced or removed, until ctx ends or the directory
// goes (inotify(7)). ready is called once when nothing can be missed any more.
func WatchDirectory(ctx context.Context, path string, ready, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	const mask = unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	if _, err := unix.InotifyAddWatch(fd, path, mask); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	stop := context.AfterFunc(ctx, func() { events.Close() })
	defer stop()
	ready()
	buffer := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := events.Read(buffer)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		changed()
		// The last event of a directory that was removed is IN_IGNORED.
		if _, err := os.Stat(path); n == 0 || err != nil {
			return fmt.Errorf("watch %s: directory is gone", path)
		}
	}
}

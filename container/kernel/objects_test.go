package kernel

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "lock")
	take := func(shared bool) *Lock {
		t.Helper()
		lock, err := LockFile(path, shared)
		if err != nil {
			t.Fatal(err)
		}
		return lock
	}
	busy := func(shared bool) {
		t.Helper()
		if _, err := LockFile(path, shared); !errors.Is(err, ErrBusy) {
			t.Errorf("shared %v: %v, want %v", shared, err, ErrBusy)
		}
	}
	lock := take(false)
	busy(false)
	busy(true)
	err := errors.Join(lock.Append("one\n"), lock.Append("two\n"))
	if content, readErr := lock.Content(); err != nil || readErr != nil || string(content) != "one\ntwo\n" {
		t.Errorf("content %q, %v, %v", content, err, readErr)
	}
	if err := RemoveStaleLocks(filepath.Dir(path)); err != nil { // this one is held
		t.Error(err)
	}
	busy(false)
	lock.Release()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}

	one, other := take(true), take(true)
	busy(false)
	one.Release()
	busy(false)
	other.Release()
	take(false).Release()

	if err := os.WriteFile(path, nil, 0o600); err != nil { // of a process that was killed
		t.Fatal(err)
	}
	if err := RemoveStaleLocks(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stale file stays: %v", err)
	}
	if err := errors.Join(RemoveStaleLock(path), RemoveStaleLocks("/no/such/directory")); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	if _, err := LockFile(path, false); err == nil {
		t.Error("a lock file that is a link was opened")
	}
}

func TestTreeLocks(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "web")
	if err := os.Mkdir(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(directory), "other")
	if err := os.Symlink(directory, link); err != nil {
		t.Fatal(err)
	}
	byName, byInode, err := TreeLocks(directory)
	if err != nil || byName != filepath.Join(filepath.Dir(directory), ".#web.lck") {
		t.Errorf("%s, %v", byName, err)
	}
	if _, other, err := TreeLocks(link); err != nil || other != byInode {
		t.Errorf("two names of a tree have the locks %s and %s: %v", byInode, other, err)
	}
	if _, _, err := TreeLocks("/no/such/tree"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestChannel(t *testing.T) {
	one, other, err := NewChannel()
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	long := bytes.Repeat([]byte("x"), 10_000)
	if err := errors.Join(other.Send([]byte("first"), writer, writer), other.Send(long), writer.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	message, files, err := one.Receive()
	if err != nil || string(message) != "first" || len(files) != 2 {
		t.Fatalf("%q, %d files, %v", message, len(files), err)
	}
	if message, files, err := one.Receive(); err != nil || !bytes.Equal(message, long) || len(files) != 0 {
		t.Errorf("%d bytes, %d files, %v", len(message), len(files), err)
	}
	if _, _, err := one.Receive(); err != io.EOF {
		t.Errorf("after the other end was closed: %v", err)
	}
	for _, file := range files {
		if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("a passed file survives exec: %#x, %v", flags, err)
		}
		file.Close()
	}
	if _, err := reader.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a passed file stays open: %v", err)
	}
	if err := one.Send([]byte("to nobody")); err == nil {
		t.Error("sending to nobody is no error")
	}
}

func TestSealedFile(t *testing.T) {
	file, err := NewSealedFile("plan", []byte("decided"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("changed"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("write: %v", err)
	}
	if err := file.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncate: %v", err)
	}
	if data, err := io.ReadAll(file); err != nil || string(data) != "decided" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestNotifySocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := ListenNotify(path)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		sendErr = errors.Join(
			unix.Sendmsg(int(fd), bytes.Repeat([]byte("x"), 5000), nil, nil, 0), // too large: nobody's
			unix.Sendmsg(int(fd), []byte("READY=1"), unix.UnixRights(int(writer.Fd())), nil, 0))
		return true
	})
	if err := errors.Join(err, sendErr, writer.Close()); err != nil {
		t.Fatal(err)
	}
	if message, _, sender, err := socket.Receive(); err != nil || len(message) > 0 || sender != 0 {
		t.Errorf("%.20q of a message that is too large from %d, %v", message, sender, err)
	}
	message, descriptors, sender, err := socket.Receive()
	if err != nil || len(descriptors) != 1 || string(message) != "READY=1" || sender != os.Getpid() {
		t.Errorf("%.20q from %d, %v", message, sender, err)
	}
	descriptors.Close()
	if _, err := reader.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a passed file stays open: %v", err)
	}
}

func TestProcessExists(t *testing.T) {
	child := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	zombie := child.Process.Pid
	for ProcessExists(zombie) { // until it has ended
		time.Sleep(time.Millisecond)
	}
	if err := unix.Kill(zombie, 0); err != nil {
		t.Errorf("it was no zombie: %v", err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if ProcessExists(zombie) || !ProcessExists(os.Getpid()) {
		t.Error("a process that was waited for exists, or this one does not")
	}
}

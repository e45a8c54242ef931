// Command payload does inside a container what busybox cannot.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	if err := do(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "payload:", err)
		os.Exit(1)
	}
}

func do(verb string, arguments []string) error {
	switch verb {
	case "notify": // MESSAGE…: sends them to $NOTIFY_SOCKET
		for _, message := range arguments {
			if err := notify(message, nil); err != nil {
				return err
			}
		}
		return nil
	case "notify-from-child": // MESSAGE: another process of the container sends it
		cmd := exec.Command("/proc/self/exe", "notify", arguments[0])
		cmd.Stderr = os.Stderr
		return cmd.Run()
	case "notify-with-files": // MESSAGE: with a descriptor attached
		return notify(arguments[0], syscall.UnixRights(0, 0, 0))
	case "init": // runs steps "VERB ARGUMENT", then sleeps
		return runSteps(arguments)
	case "say":
		fmt.Println(arguments[0])
		return nil
	case "pause":
		milliseconds, err := strconv.Atoi(arguments[0])
		time.Sleep(time.Duration(milliseconds) * time.Millisecond)
		return err
	case "deep": // N: makes that many directories, one in the other
		return nestDirectories(arguments[0])
	case "reboot":
		return syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	case "poweroff":
		return syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	case "send": // PATH: copies its input to a socket
		return send(arguments[0])
	case "peek": // PID: prints what can be seen of a process
		fmt.Println(strings.Join(peek(arguments[0]), " "))
		return nil
	case "syscall": // NUMBER: prints the error number
		return call(arguments[0])
	case "socket": // FAMILY: prints the error number of opening a datagram socket
		return openSocket(arguments[0])
	case "answer": // TEXT: takes one connection of the socket that is descriptor 3, and says it
		return answer(arguments[0])
	case "sync": // prints the error numbers of what writes to disk: sync, fsync of a file and of none, opening with O_SYNC, O_DSYNC and without
		return syncAll()
	case "immutable": // PATH: as chattr +i
		return makeImmutable(arguments[0])
	case "type": // TEXT: types it into the terminals that can be reached, and prints it there
		for _, path := range []string{"/dev/tty", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"} {
			fmt.Printf("%s: %v\n", path, typeInto(path, arguments[0]))
		}
		return nil
	case "audit": // prints the error number of opening an audit socket
		_, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_AUDIT)
		errno, _ := err.(syscall.Errno)
		fmt.Println(int(errno))
		return nil
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func typeInto(path, text string) error {
	terminal, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err.(*os.PathError).Err
	}
	defer terminal.Close()
	for i := range []byte(text) {
		key := text[i]
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TIOCSTI, uintptr(unsafe.Pointer(&key))); errno != 0 {
			if path == "/dev/tty" {
				_, _ = terminal.WriteString(text)
			}
			return errno
		}
	}
	return nil
}

func runSteps(steps []string) error {
	for ; len(steps) > 1; steps = steps[2:] {
		if err := do(steps[0], steps[1:2]); err != nil {
			return err
		}
	}
	time.Sleep(time.Hour)
	return nil
}

func nestDirectories(count string) error {
	levels, err := strconv.Atoi(count)
	for ; err == nil && levels > 0; levels-- {
		if err = syscall.Mkdir("deeper", 0o700); err == nil {
			err = syscall.Chdir("deeper")
		}
	}
	return err
}

func send(path string) error {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = io.Copy(connection, os.Stdin)
	return err
}

func call(text string) error {
	number, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	_, _, errno := syscall.RawSyscall(uintptr(number), ^uintptr(0), 0, 0)
	fmt.Println(int(errno))
	return nil
}

func openSocket(text string) error {
	family, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	_, err = syscall.Socket(family, syscall.SOCK_DGRAM, 0)
	errno, _ := err.(syscall.Errno)
	fmt.Print(int(errno), " ")
	return nil
}

func answer(text string) error {
	listener, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	connection, err := listener.Accept()
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = fmt.Fprintln(connection, text)
	return err
}

func syncAll() error {
	file, err := os.Create("/tmp/file")
	if err != nil {
		return err
	}
	_, _, msync := syscall.Syscall(syscall.SYS_MSYNC, 1, 1, 99) // not an address of a page
	none := syscall.Fsync(-1)
	_, sync := os.OpenFile("/tmp/file", os.O_RDWR|os.O_SYNC, 0)
	_, dsync := os.OpenFile("/tmp/file", os.O_RDWR|syscall.O_DSYNC, 0)
	syscall.Sync()
	fmt.Println(int(msync), file.Sync(), none, errors.Unwrap(sync), errors.Unwrap(dsync), file.Close())
	return nil
}

func makeImmutable(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	flags := 0x10 // FS_IMMUTABLE_FL
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), 0x40086602, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		return errno
	}
	return nil
}

func notify(message string, control []byte) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Sendmsg(fd, []byte(message), control, &syscall.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0)
}

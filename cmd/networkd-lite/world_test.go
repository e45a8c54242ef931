package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the daemon.
func TestMain(m *testing.M) {
	if os.Getenv("NETWORKD_LITE_TEST_DAEMON") == "1" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// world is a host in a network namespace of its own, with an uplink to an outside that has a server.
//
//	outside 203.0.113.2 ── 203.0.113.1 up0 [host] ve-web ── host0 [container]
type world struct {
	t       *testing.T
	root    string   // NSPAWNKIT_ROOT of the daemon
	env     []string // of the daemon
	outside *namespace
	daemon  *daemonProcess
}

// newWorld moves the test to the host's namespace. Its thread ends with it.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("NSPAWNKIT_KERNEL_TESTS") != "1" {
		t.Skip("needs root; set NSPAWNKIT_KERNEL_TESTS=1")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, root: t.TempDir()}
	w.env = append(os.Environ(), "NETWORKD_LITE_TEST_DAEMON=1", "NSPAWNKIT_ROOT="+w.root,
		"DBUS_SYSTEM_BUS_ADDRESS=unix:path="+filepath.Join(w.root, "bus"))
	shipped, err := filepath.Glob("../../units/static/network/*.network")
	if err != nil || len(shipped) == 0 {
		t.Fatalf("no .network files: %v", err)
	}
	for _, path := range shipped {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		w.write("usr/lib/nspawnkit/network/"+filepath.Base(path), string(data))
	}
	w.write("etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 203.0.113.2\n")
	w.write("var/lib/nspawnkit/network/prefixes.json", `{"version":1,"globalID":"fd6e:7370:6177::/48","links":{}}`) // not a random one
	w.outside = w.newNamespace()
	w.command("ip", "link", "set", "lo", "up")
	w.command("ip", "link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", w.outside.pid)
	w.command("ip", "address", "add", "203.0.113.1/24", "dev", "up0")
	w.command("ip", "link", "set", "up0", "up")
	w.outside.command("ip", "address", "add", "203.0.113.2/24", "dev", "out0")
	w.outside.command("ip", "link", "set", "out0", "up")
	w.outside.echoServer("203.0.113.2:8080")
	return w
}

// write writes a file below the daemon's root.
func (w *world) write(path, text string) {
	w.t.Helper()
	path = filepath.Join(w.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// command runs a command on the host and returns what it prints.
func (w *world) command(command ...string) string {
	w.t.Helper()
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%q: %v: %s", command, err, out)
	}
	return string(out)
}

// namespace is a network namespace that a process holds.
type namespace struct {
	*world
	pid string
}

func (w *world) newNamespace() *namespace {
	w.t.Helper()
	holder := exec.Command("sleep", "600")
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	if err := holder.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	return &namespace{w, fmt.Sprint(holder.Process.Pid)}
}

// command runs a command inside and returns what it prints.
func (n *namespace) command(command ...string) string {
	n.t.Helper()
	return n.world.command(append([]string{"nsenter", "--target=" + n.pid, "--net"}, command...)...)
}

// inside calls f on a thread in the namespace.
func (n *namespace) inside(f func() error) {
	n.t.Helper()
	if err := n.try(f); err != nil {
		n.t.Fatal(err)
	}
}

// try is inside for those who are not on the goroutine of the test.
func (n *namespace) try(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		file, err := os.Open("/proc/" + n.pid + "/ns/net")
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// echoServer tells everybody who connects the address that it sees.
func (n *namespace) echoServer(address string) {
	n.t.Helper()
	n.inside(func() error {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		n.t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
				io.WriteString(conn, host)
				conn.Close()
			}
		}()
		return nil
	})
}

// seenAs returns the address that an echo server sees.
func (n *namespace) seenAs(server string) (address string) {
	n.t.Helper()
	n.inside(func() error {
		conn, err := net.DialTimeout("tcp", server, 10*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		data, err := io.ReadAll(conn)
		address = string(data)
		return err
	})
	return address
}

// dhcp gets an address for host0 with udhcpc and returns address, router and DNS servers.
func (n *namespace) dhcp() string {
	n.t.Helper()
	script := filepath.Join(n.t.TempDir(), "script")
	const text = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace $ip/$mask dev $interface && ip route replace default via $router && echo "LEASE $ip/$mask $router $dns"
`
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		n.t.Fatal(err)
	}
	n.command("ip", "link", "set", "host0", "up")
	out := n.command("busybox", "udhcpc", "-i", "host0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", script)
	_, lease, found := strings.Cut(out, "LEASE ")
	if !found {
		n.t.Fatalf("udhcpc: %s", out)
	}
	lease, _, _ = strings.Cut(lease, "\n")
	return lease
}

// daemonProcess is a running networkd-lite.
type daemonProcess struct {
	*world
	command *exec.Cmd
	mu      sync.Mutex
	log     bytes.Buffer
}

// startDaemon starts networkd-lite and waits until it is ready.
func (w *world) startDaemon() {
	w.t.Helper()
	socket := filepath.Join(w.t.TempDir(), "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { notify.Close() })
	d := &daemonProcess{world: w, command: exec.Command("/proc/self/exe")}
	d.command.Env = append(w.env, "NOTIFY_SOCKET="+socket)
	d.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := d.command.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			d.mu.Lock()
			fmt.Fprintln(&d.log, lines.Text())
			d.mu.Unlock()
		}
	}()
	w.daemon = d
	w.t.Cleanup(func() {
		d.command.Process.Kill()
		d.command.Wait()
		if w.t.Failed() {
			w.t.Logf("networkd-lite said:\n%s", d.said())
		}
	})
	message := make([]byte, 4096)
	notify.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := notify.Read(message)
	if err != nil || !strings.HasPrefix(string(message[:n]), "READY=1\n") {
		w.t.Fatalf("not ready: %q, %v", message[:n], err)
	}
	notify.SetReadDeadline(time.Time{})
	go func() { // a daemon whose messages nobody reads would wait for ever
		for err == nil {
			_, err = notify.Read(message)
		}
	}()
}

func (d *daemonProcess) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// stop sends a signal and waits for the end.
func (d *daemonProcess) stop(signal os.Signal) {
	d.t.Helper()
	d.command.Process.Signal(signal)
	if err := d.command.Wait(); err != nil && signal == syscall.SIGTERM {
		d.t.Errorf("networkd-lite ended with %v", err)
	}
}

// verb runs networkd-lite with arguments.
func (w *world) verb(args ...string) string {
	w.t.Helper()
	command := exec.Command("/proc/self/exe", args...)
	command.Env = w.env
	out, err := command.CombinedOutput()
	if err != nil {
		w.t.Fatalf("networkd-lite %q: %v: %s", args, err, out)
	}
	return string(out)
}

// waitFor waits until a command on the host prints text.
func (w *world) waitFor(text string, command ...string) {
	w.t.Helper()
	w.waitAtMost(20*time.Second, text, command...)
}

func (w *world) waitAtMost(limit time.Duration, text string, command ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		run := exec.CommandContext(ctx, command[0], command[1:]...)
		if command[0] == "/proc/self/exe" {
			run.Env = w.env
		}
		out, _ := run.CombinedOutput()
		if strings.Contains(string(out), text) {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%q does not print %q but %s", command, text, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

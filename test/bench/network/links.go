package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"nspawnkit/test/bench/pss"
)

// linkFigures are what was measured of networkd-lite with a number of links that all exist before it starts.
type linkFigures struct {
	Links  int
	Ready  float64 // seconds from its start until it says that it is ready
	Served float64 // seconds from its start until each link has given a lease, for which they are asked once it is ready
	PSS    int     // KiB, at rest
	Busy   float64 // ms of processor time in idleTime
}

const (
	settleTime = 50 * time.Second // after which the first router advertisements have been sent (RFC 4861, section 6.2.4)
	idleTime   = 10 * time.Second // for which it is watched then
)

// measureLinks measures networkd-lite with containers' links, in namespaces made for it. It finds the .network files that we ship.
func (o options) measureLinks() (f linkFigures, err error) {
	f.Links = o.links
	if err := o.enterRoot(); err != nil {
		return f, err
	}
	host, inside := []string{"link set lo up", "netns add " + clients}, []string{}
	for i := range o.links {
		host = append(host, fmt.Sprintf("link add ve-%d type veth peer name %s netns %s", i, clientLink(i), clients))
		inside = append(inside, "link set "+clientLink(i)+" up")
	}
	if err := errors.Join(ip("", host...), ip(clients, inside...)); err != nil {
		return f, err
	}
	bus, err := startBus()
	if err != nil {
		return f, err
	}
	defer bus.stop()
	began := time.Now()
	daemon, err := startReady()
	if err != nil {
		return f, err
	}
	defer daemon.stop()
	f.Ready = time.Since(began).Seconds()
	if err := amongClients(func() error { return askAll(o.links) }); err != nil {
		return f, errors.Join(err, daemon.check(), errors.New(daemon.said.String()))
	}
	f.Served = time.Since(began).Seconds()
	time.Sleep(settleTime)
	before, err := processorTime(daemon.cmd.Process.Pid)
	if err != nil {
		return f, err
	}
	time.Sleep(idleTime)
	after, err := processorTime(daemon.cmd.Process.Pid)
	if err != nil {
		return f, err
	}
	f.Busy = float64((after - before).Microseconds()) / 1000
	f.PSS, err = pss.Of(daemon.cmd.Process.Pid)
	return f, errors.Join(err, daemon.check())
}

func clientLink(i int) string { return fmt.Sprint("host", i) }

// startBus starts a system bus, which a host with systemd has.
func startBus() (*process, error) {
	const path, address = "/etc/bench-bus.conf", "unix:path=/run/dbus/system_bus_socket"
	text := `<busconfig><type>system</type><listen>` + address + `</listen><policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`
	if err := errors.Join(makeDirectories("/run/dbus"), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		return nil, err
	}
	bus, err := start(nil, "dbus-daemon", "--nofork", "--config-file="+path)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", strings.TrimPrefix(address, "unix:path=")); err == nil {
			return bus, conn.Close()
		}
		if err := bus.check(); err != nil || time.Now().After(end) {
			bus.stop()
			return nil, fmt.Errorf("there is no bus: %w", err)
		}
	}
}

// startReady starts networkd-lite and waits until it is ready (sd_notify(3)).
func startReady() (*process, error) {
	const path = "/run/bench-notify"
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	daemon, err := start([]string{"NOTIFY_SOCKET=" + path}, ours)
	if err != nil {
		return nil, err
	}
	message := make([]byte, 4096)
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	n, err := socket.Read(message)
	if err != nil || !strings.HasPrefix(string(message[:n]), "READY=1") {
		daemon.stop()
		return nil, fmt.Errorf("networkd-lite is not ready: %q, %w: %s", message[:n], err, daemon.said.String())
	}
	_ = socket.SetReadDeadline(time.Time{})
	go func() { // a daemon whose messages nobody reads would wait for ever
		for err == nil {
			_, err = socket.Read(message)
		}
	}()
	return daemon, nil
}

// askAll gets a lease on each link, as clients do which ask again when there is no answer.
func askAll(links int) error {
	waiting := map[string]*net.UDPConn{}
	for i := range links {
		conn, err := listen(clientLink(i))
		if err != nil {
			return err
		}
		defer conn.Close()
		waiting[clientLink(i)] = conn
	}
	for end := time.Now().Add(patience); len(waiting) > 0; {
		if time.Now().After(end) {
			return fmt.Errorf("no lease on %d of %d links", len(waiting), links)
		}
		for _, conn := range waiting {
			discover, err := dhcpv4.NewDiscovery(net.HardwareAddr{2, 0, 0, 0, 0, 1})
			if err != nil {
				return err
			}
			if err := send(conn, discover); err != nil {
				return err
			}
		}
		const again = time.Second
		deadline := time.Now().Add(again)
		for _, conn := range waiting {
			if offer := receive(conn, deadline, dhcpv4.MessageTypeOffer); offer != nil {
				request, err := dhcpv4.NewRequestFromOffer(offer)
				if err != nil {
					return err
				}
				if err := send(conn, request); err != nil {
					return err
				}
			}
		}
		deadline = time.Now().Add(again)
		for name, conn := range waiting {
			if receive(conn, deadline, dhcpv4.MessageTypeAck) != nil {
				delete(waiting, name)
			}
		}
	}
	return nil
}

// listen opens a client's socket on a link that has no address.
func listen(link string) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var problems []error
		err := c.Control(func(fd uintptr) {
			problems = append(problems, unix.BindToDevice(int(fd), link), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
		})
		return errors.Join(append(problems, err)...)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", ":68")
	if err != nil {
		return nil, fmt.Errorf("socket on %s: %w", link, err)
	}
	return conn.(*net.UDPConn), nil
}

// send sends a request that asks for a broadcast: there is no address yet that the answer could come to.
func send(conn *net.UDPConn, request *dhcpv4.DHCPv4) error {
	request.SetBroadcast()
	_, err := conn.WriteTo(request.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67})
	return err
}

// receive returns the next message of a kind, nil if there is none in time.
func receive(conn *net.UDPConn, deadline time.Time, kind dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	buffer := make([]byte, 1500)
	_ = conn.SetReadDeadline(deadline)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil
		}
		if reply, err := dhcpv4.FromBytes(buffer[:n]); err == nil && reply.MessageType() == kind {
			return reply
		}
	}
}

// processorTime is what all threads of a process have run (/proc/PID/task/TID/schedstat). A thread that ends takes its time with it, which
// those of a Go program do not.
func processorTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("processor time of %d: no threads: %w", pid, err)
	}
	sum := time.Duration(0)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		nanoseconds, _, _ := strings.Cut(string(data), " ")
		ran, err := strconv.ParseInt(nanoseconds, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}

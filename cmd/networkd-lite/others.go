package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel/probe"
	"nspawnkit/network/networkmanager"
)

const dhcpPort = 67

// findListeners finds out who else listens at the ports of DHCP and DNS. Where the kernel does not tell, nobody is known.
func (e *examination) findListeners() {
	sockets, err := probe.Listeners(dhcpPort, dnsPort)
	if err != nil {
		return
	}
	daemon, _ := probe.HolderOf(e.lock())
	server := 0
	for _, l := range e.links {
		if l.Name == e.facts.Server.Name {
			server = l.Index
		}
	}
	for _, s := range sockets {
		elsewhere := s.Link != 0 && s.Link != server
		if elsewhere || daemon.PID != 0 && s.Program.PID == daemon.PID || s.Port == dhcpPort && s.Protocol == "tcp" {
			continue
		}
		e.facts.Listeners = append(e.facts.Listeners, doctor.Listener{Program: programOf(s.Program), Port: s.Port, Address: s.Address, OnLink: s.Link == server})
	}
}

// networkManagerPatience is how long the system bus has to tell of NetworkManager.
const networkManagerPatience = 2 * time.Second

// askNetworkManager finds out whether NetworkManager manages the link, or the bridge that it is a port of. Without a bus, it does not.
func (e *examination) askNetworkManager() {
	ctx, cancel := context.WithTimeout(context.Background(), networkManagerPatience)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return
	}
	defer conn.Close()
	for _, link := range []string{e.facts.Link.Name, e.facts.Server.Name} {
		if managed, err := networkmanager.Manages(ctx, conn, link); err == nil && managed {
			file := networkmanager.File(os.DirFS(e.root))
			e.facts.NetworkManager = doctor.NetworkManager{Link: link, Shipped: file == networkmanager.Shipped}
			if file != "" {
				e.facts.NetworkManager.File = "/" + file
			}
			return
		}
	}
}

// word is what a shell takes as one word, and a terminal as text.
const word = "-_.:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// programOf makes safe to print what a program says of itself. A unit whose name is no word is left out: it would be part of a command.
func programOf(p probe.Program) doctor.Program {
	safe := doctor.Program{Name: p.Name, PID: p.PID, Unit: p.Unit}
	if strings.Trim(p.Name, word) != "" {
		safe.Name = strconv.Quote(p.Name)
	}
	if strings.Trim(p.Unit, word) != "" {
		safe.Unit = ""
	}
	return safe
}

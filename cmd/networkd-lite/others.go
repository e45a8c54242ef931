package main

import (
	"strconv"
	"strings"

	"nspawnkit/network/doctor"
	"nspawnkit/network/kernel/probe"
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

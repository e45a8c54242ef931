package main

import (
	"context"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"nspawnkit/network"
	"nspawnkit/network/manager"
	"nspawnkit/network/names"
	"nspawnkit/network/resolved"
)

// hostNames lets programs on the host know the names of containers, and asks over links whom .network files name: systemd-resolved is told.
type hostNames struct {
	client *resolved.Client
	routes []resolved.Route        // of names of containers
	files  []network.LinkResolving // what .network files say
}

func newHostNames(d *dnsServers) *hostNames {
	return &hostNames{client: resolved.NewClient(func(err error) { d.report(manager.Warning, err.Error()) })}
}

// update follows a change of links. It is for one goroutine.
func (h *hostNames) update(links []names.Link) {
	h.routes = resolved.Choose(links, h.routes)
	h.tell()
}

// resolve follows a change of what .network files say. It is for the same goroutine.
func (h *hostNames) resolve(list []network.LinkResolving) {
	if !slices.EqualFunc(list, h.files, network.LinkResolving.Equal) {
		h.files = list
		h.tell()
	}
}

func (h *hostNames) tell() {
	routes := slices.Clone(h.routes)
	for _, l := range h.files {
		routes = append(routes, resolved.OfFile(l))
	}
	h.client.Set(routes)
}

// farewell is how long systemd-resolved has to hear that nobody answers any more.
const farewell = 10 * time.Second

// follow tells systemd-resolved of all that is served, until ctx ends or stop, which takes that back.
func (h *hostNames) follow(ctx context.Context, connect func(context.Context) (*dbus.Conn, error)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.client.Run(ctx, connect)
	}()
	return func() {
		cancel()
		select {
		case <-done:
		case <-time.After(farewell): // the bus hangs
		}
	}
}

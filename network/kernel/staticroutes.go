package kernel

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"nspawnkit/network"
)

// StaticRoutes returns the routes of IPv4 and IPv6, of every table, by the link that they go out of; 0: they lead nowhere.
func (k *Links) StaticRoutes() (map[int][]network.StaticRoute, error) {
	messages, err := k.dump(unix.RTM_GETROUTE, make([]byte, unix.SizeofRtMsg))
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	list := map[int][]network.StaticRoute{}
	for _, m := range messages {
		if link, route, ok := decodeRoute(m.Data); ok {
			list[link] = append(list[link], route)
		}
	}
	return list, nil
}

// ApplyRoutes removes and adds routes of the link. It goes on after an error: each is a thing of its own. Routes of others stay.
func (k *Links) ApplyRoutes(l network.Link, d network.RouteDifference) error {
	var problems []error
	for _, s := range d.Remove {
		if err := deleteRoute(l.Index, s); err != nil && !errors.Is(err, unix.ESRCH) {
			problems = append(problems, fail("remove route", s, err))
		}
	}
	for _, s := range d.Add {
		if err := addRoute(l.Index, s); err != nil {
			problems = append(problems, fail("add route", s, explainRoute(err, s)))
		}
	}
	return errors.Join(problems...)
}

// explainRoute says what to do about an error of the kernel.
func explainRoute(err error, s network.StaticRoute) error {
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("somebody else's route has the same destination, table and Metric=%d: %w", s.Metric, err)
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return fmt.Errorf("the gateway is in no subnet of the link, and GatewayOnLink= is off: %w", err)
	case errors.Is(err, unix.EINVAL) && s.Metrics.CongestionControl != "":
		return fmt.Errorf("the kernel may not have TCPCongestionControlAlgorithm=%s: %w", s.Metrics.CongestionControl, err)
	case errors.Is(err, unix.EINVAL) && s.Source.IsValid():
		return fmt.Errorf("the kernel may have no routes by Source= (CONFIG_IPV6_SUBTREES): %w", err)
	case errors.Is(err, unix.EINVAL) && s.PreferredSource.IsValid():
		return fmt.Errorf("the host may not have the address PreferredSource=%v: %w", s.PreferredSource, err)
	}
	return err
}

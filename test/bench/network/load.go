package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"nspawnkit/test/bench/pss"
)

// loadOptions are how a server is loaded.
type loadOptions struct {
	few, many     int // clients
	most          int // exchanges a second
	fill, seconds int
}

// loadFigures are what was measured of a server on one subnet.
type loadFigures struct {
	Version string
	Rate    float64 // exchanges of four packets a second at less than 1 % losses
	Leases  int     // that it had when the rest was measured
	Offer   float64 // median time to answer a DHCPDISCOVER, ms
	Ack     float64 // the same of a DHCPREQUEST
	PSS     int     // KiB
}

const (
	leastRate   = 60  // exchanges a second to begin with
	latencyRate = 100 // exchanges a second while the time to answer is measured
	bisections  = 4
)

// measureServer measures one server on a subnet, in namespaces made for it.
func (o options) measureServer(name string, prefix int) (f loadFigures, err error) {
	if err := o.enterRoot(); err != nil {
		return f, err
	}
	net := newSubnet(prefix)
	if err := makeNetwork(net); err != nil {
		return f, err
	}
	for _, s := range servers() {
		if s.name != name {
			continue
		}
		process, err := s.start(net)
		if err != nil {
			return f, err
		}
		defer process.stop()
		f, err = o.load.measure(net, process)
		f.Version = s.number()
		return f, errors.Join(err, process.check())
	}
	return f, fmt.Errorf("there is no server %q", name)
}

// measure loads a server that has just started: it gives out its leases, then is asked slowly, then as fast as it can answer.
func (o loadOptions) measure(net subnet, p *process) (f loadFigures, err error) {
	clients := o.few
	if net.prefix == many {
		clients = o.many
	}
	try := func(rate int) (float64, error) { return o.try(net, p, clients, rate) }
	if err := o.settle(net, p); err != nil {
		return f, err
	}
	rough, err := fastest(leastRate, o.most, 0, try)
	if err != nil {
		return f, err
	}
	filled, err := net.perfdhcp(clients, max(leastRate/2, int(rough*0.8)), o.fill, clients)
	if err != nil {
		return f, err
	}
	f.Leases = filled.acks
	if err := o.settle(net, p); err != nil {
		return f, err
	}
	slow, err := net.perfdhcp(clients, min(latencyRate, max(1, int(rough/2))), 2*o.seconds, 0, "-x", "t")
	if err != nil {
		return f, err
	}
	f.Offer, f.Ack = median(slow.offerTimes), median(slow.ackTimes)
	if f.PSS, err = pss.Of(p.cmd.Process.Pid); err != nil {
		return f, err
	}
	f.Rate, err = fastest(max(leastRate/4, int(rough/4)), o.most, bisections, try)
	if err != nil {
		return f, err
	}
	later, err := pss.Of(p.cmd.Process.Pid)
	f.PSS = max(f.PSS, later)
	return f, err
}

// try loads the server at a rate and returns the exchanges a second, 0 if too many were lost.
func (o loadOptions) try(net subnet, p *process, clients, rate int) (float64, error) {
	r, err := net.perfdhcp(clients, rate, o.seconds, 0)
	if err != nil || !r.complete() {
		return 0, errors.Join(err, o.settle(net, p))
	}
	return float64(r.acks) / float64(o.seconds), nil
}

// settle waits until the server answers at once.
func (o loadOptions) settle(net subnet, p *process) error {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if err := p.check(); err != nil {
			return err
		}
		r, err := net.perfdhcp(1, 10, 1, 0)
		if err == nil && r.complete() {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(errors.New("it does not answer"), err, errors.New(p.said.String()))
		}
	}
}

// fastest looks for the highest rate that try keeps up with, between least and most: it doubles the rate until it fails twice, and then
// bisects a number of times. The figure is what try returns of the highest that did not fail.
func fastest(least, most, bisections int, try func(rate int) (float64, error)) (best float64, err error) {
	twice := func(rate int) (got float64, err error) {
		for range 2 { // others may use the machine for a moment
			if got, err = try(rate); got > 0 || err != nil {
				break
			}
		}
		best = max(best, got)
		return got, err
	}
	low, high := 1, least
	for ; high <= most; high *= 2 {
		got, err := twice(high)
		if err != nil {
			return best, err
		}
		if got == 0 {
			break
		}
		low = high
	}
	if high > most {
		return best, nil
	}
	for range bisections {
		middle := int(math.Sqrt(float64(low) * float64(high)))
		got, err := twice(middle)
		switch {
		case err != nil:
			return best, err
		case got > 0:
			low = middle
		default:
			high = middle
		}
	}
	return best, nil
}

func median(sorted []time.Duration) float64 {
	if len(sorted) == 0 {
		return 0 // it answered nothing
	}
	return float64(sorted[len(sorted)/2].Microseconds()) / 1000
}

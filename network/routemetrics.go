package network

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"nspawnkit/settings"
)

// RouteMetrics are what connections over a route start with (RTAX_* of rtnetlink(7)); zero: what the kernel has for all.
type RouteMetrics struct {
	MTU                     uint32 `json:"mtu,omitzero"`                     // in bytes
	AdvertisedSegmentSize   uint32 `json:"advertisedSegmentSize,omitzero"`   // of TCP, in bytes
	HopLimit                uint32 `json:"hopLimit,omitzero"`                // at most 255
	InitialCongestionWindow uint32 `json:"initialCongestionWindow,omitzero"` // in segments
	InitialReceiveWindow    uint32 `json:"initialReceiveWindow,omitzero"`    // in segments
	RetransmissionTimeout   uint32 `json:"retransmissionTimeout,omitzero"`   // the least of TCP, in milliseconds
	QuickAck                bool   `json:"quickAck,omitzero"`
	FastOpenNoCookie        bool   `json:"fastOpenNoCookie,omitzero"`
	CongestionControl       string `json:"congestionControl,omitzero"` // name of an algorithm of TCP
}

// What the kernel makes of larger values (ip_metrics_convert).
const (
	maxRouteMTU     = 1<<16 - 1 - 15
	maxRouteSegment = 1<<16 - 1 - 40
)

// routeMetricKeys are the keys of [Route] for the metrics of a route.
var routeMetricKeys = [...]key{
	{"Route", "MTUBytes", func(f *File, v string) error { return setBytes(&f.metrics().MTU, v, minMTU, maxRouteMTU) }},
	{"Route", "TCPAdvertisedMaximumSegmentSize", setSegmentSize},
	{"Route", "HopLimit", func(f *File, v string) error { return setUpTo(&f.metrics().HopLimit, v, 255) }},
	{"Route", "InitialCongestionWindow", func(f *File, v string) error { return setUpTo(&f.metrics().InitialCongestionWindow, v, maxWindow) }},
	{"Route", "InitialAdvertisedReceiveWindow", func(f *File, v string) error { return setUpTo(&f.metrics().InitialReceiveWindow, v, maxWindow) }},
	{"Route", "TCPRetransmissionTimeoutSec", setRetransmissionTimeout},
	{"Route", "QuickAck", func(f *File, v string) error { return setSwitch(&f.metrics().QuickAck, v) }},
	{"Route", "FastOpenNoCookie", func(f *File, v string) error { return setSwitch(&f.metrics().FastOpenNoCookie, v) }},
	{"Route", "TCPCongestionControlAlgorithm", setCongestionControl},
}

const (
	maxWindow         = 1023
	maxAlgorithm      = 15                // bytes (TCP_CA_NAME_MAX)
	maxRetransmission = 120 * time.Second // TCP_RTO_MAX: the kernel never waits longer
)

func (f *File) metrics() *RouteMetrics { return &f.route().route.Metrics }

// setBytes takes a number of bytes, with K, M or G to the base of 1024. Zero is what an empty value says.
func setBytes(into *uint32, value string, least, most uint64) error {
	number, shift := value, 0
	if i := strings.IndexAny(value, "KMG"); i > 0 && i == len(value)-1 {
		number, shift = value[:i], 10*(1+strings.IndexByte("KMG", value[i]))
	}
	n, err := strconv.ParseUint(number, 10, 32)
	switch {
	case value == "":
		n = 0
	case err != nil || n<<shift < least || n<<shift > most:
		return fmt.Errorf("not a number of bytes from %d to %d", least, most)
	}
	*into = uint32(n << shift)
	return nil
}

func setSegmentSize(f *File, value string) error {
	size := &f.metrics().AdvertisedSegmentSize
	err := setBytes(size, value, 1, math.MaxUint32-1)
	*size = min(*size, maxRouteSegment)
	return err
}

// setUpTo takes a number from 1; an empty value is none.
func setUpTo(into *uint32, value string, most uint64) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if value != "" && (err != nil || n == 0 || n > most) {
		return fmt.Errorf("not a number from 1 to %d", most)
	}
	*into = uint32(n)
	return nil
}

// setSwitch takes a boolean; an empty value is what the kernel does, which is off.
func setSwitch(into *bool, value string) error {
	if value == "" {
		*into = false
		return nil
	}
	return setBool(into, value)
}

// setRetransmissionTimeout takes the time after which TCP sends again at the earliest.
func setRetransmissionTimeout(f *File, value string) error {
	span, err := settings.ParseTimeSpan(value)
	switch {
	case value == "":
		span = 0
	case err != nil:
		return err
	case span <= 0 || span > maxRetransmission:
		return fmt.Errorf("not between 1ms and %gs", maxRetransmission.Seconds())
	}
	f.metrics().RetransmissionTimeout = uint32((span + time.Millisecond - 1) / time.Millisecond)
	return nil
}

func setCongestionControl(f *File, value string) error {
	bad := func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}
	if len(value) > maxAlgorithm || strings.ContainsFunc(value, bad) {
		return errors.New("not the name of an algorithm")
	}
	f.metrics().CongestionControl = value
	return nil
}

// String is the metrics as ip-route(8) has them, each after a space.
func (m RouteMetrics) String() string {
	var b strings.Builder
	number := func(format string, value uint32) {
		if value != 0 {
			fmt.Fprintf(&b, format, value)
		}
	}
	number(" mtu %d", m.MTU)
	number(" advmss %d", m.AdvertisedSegmentSize)
	number(" hoplimit %d", m.HopLimit)
	number(" initcwnd %d", m.InitialCongestionWindow)
	number(" rto_min lock %dms", m.RetransmissionTimeout)
	number(" initrwnd %d", m.InitialReceiveWindow)
	if m.QuickAck {
		b.WriteString(" quickack 1")
	}
	if m.CongestionControl != "" {
		b.WriteString(" congctl " + m.CongestionControl)
	}
	if m.FastOpenNoCookie {
		b.WriteString(" fastopen_no_cookie 1")
	}
	return b.String()
}

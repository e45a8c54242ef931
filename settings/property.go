package settings

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
)

// Property is a property of a transient unit, as StartTransientUnit() of org.freedesktop.systemd1(5) takes it.
type Property struct {
	Name  string
	Value any // bool, int32, uint32, uint64, string, []string, []byte, []DeviceNumber, []DeviceAccess or []AddressPrefix
}

// DeviceNumber is an element of properties such as IOReadBandwidthMax; (st) on the bus.
type DeviceNumber struct {
	Path  string
	Value uint64
}

// DeviceAccess is an element of DeviceAllow; (ss) on the bus.
type DeviceAccess struct {
	Node   string // "/dev/fuse", "char-drm"
	Access string // of "rwm"
}

// AddressPrefix is an element of IPAddressAllow; (iayu) on the bus.
type AddressPrefix struct {
	Family  int32 // AF_INET or AF_INET6
	Address []byte
	Bits    uint32
}

// propertyKind says how the text of a property becomes a [Property]. An empty text resets it.
type propertyKind struct {
	names string
	take  func(name, text string) (Property, error)
}

// properties are those of systemd.resource-control(5), systemd.scope(5), systemd.kill(5) and systemd.unit(5) that a scope can have.
// Text that is a resource key of [Service], too, was checked as one.
var properties = [...]propertyKind{
	{"CPUAccounting MemoryAccounting TasksAccounting IOAccounting IPAccounting BlockIOAccounting MemoryZSwapWriteback " +
		"SendSIGHUP SendSIGKILL DefaultDependencies IgnoreOnIsolate StopWhenUnneeded RefuseManualStop CoredumpReceive", takeBoolProperty},
	{"CPUWeight StartupCPUWeight IOWeight StartupIOWeight CPUShares StartupCPUShares BlockIOWeight StartupBlockIOWeight", takeWeightProperty},
	{"CPUQuota", takeQuotaProperty},
	{"CPUQuotaPeriodSec RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutStopSec MemoryPressureThresholdSec", takeTimeProperty},
	{"MemoryMax StartupMemoryMax MemoryHigh StartupMemoryHigh MemoryLimit MemoryMin DefaultMemoryMin MemoryLow StartupMemoryLow " +
		"DefaultMemoryLow DefaultStartupMemoryLow MemorySwapMax StartupMemorySwapMax MemoryZSwapMax StartupMemoryZSwapMax", takeMemoryProperty},
	{"TasksMax", takeTasksProperty},
	{"AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes", takeSetProperty},
	{"IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec", takeDeviceProperty},
	{"DeviceAllow", takeDeviceAllowProperty},
	{"IPAddressAllow IPAddressDeny", takeAddressProperty},
	{"DevicePolicy ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMPreference OOMPolicy MemoryPressureWatch KillMode CollectMode Slice " +
		"Description", takeTextProperty},
	{"ManagedOOMMemoryPressureLimit", takeShareProperty},
	{"KillSignal FinalKillSignal RestartKillSignal WatchdogSignal", takeSignalProperty},
	{"DisableControllers Documentation Requires Requisite Wants BindsTo PartOf Upholds Conflicts Before After RequiresMountsFor " +
		"IPIngressFilterPath IPEgressFilterPath", takeListProperty},
}

// PropertyNames returns the names that --property= takes.
func PropertyNames() []string {
	var names []string
	for i := range properties {
		names = append(names, strings.Fields(properties[i].names)...)
	}
	return names
}

// takeProperty takes NAME=VALUE of --property=, "in the same format as systemctl set-property".
func takeProperty(c *CommandLine, v value) error {
	name, text, found := strings.Cut(v.text, "=")
	if !found {
		return errors.New("not an assignment NAME=VALUE")
	}
	for i := range properties {
		if !hasWord(properties[i].names, name) {
			continue
		}
		if check := checkerOf(name); check != nil && text != "" {
			if err := check(text); err != nil {
				return err
			}
		}
		property, err := properties[i].take(name, text)
		if err != nil {
			return err
		}
		c.Properties = append(c.Properties, property)
		return nil
	}
	return fmt.Errorf("%s is not a property that can be set for a scope", printable(name))
}

func takeBoolProperty(name, text string) (Property, error) {
	enabled, err := parseBool(text)
	return Property{name, enabled}, err
}

func takeWeightProperty(name, text string) (Property, error) {
	switch text {
	case "":
		return Property{name, uint64(Infinity)}, nil
	case "idle":
		return Property{name, uint64(0)}, nil
	}
	weight, err := parseUint(text, 64)
	return Property{name, weight}, err
}

// takeQuotaProperty makes a share of one CPU microseconds of each second.
func takeQuotaProperty(_, text string) (Property, error) {
	const name = "CPUQuotaPerSecUSec"
	if text == "" {
		return Property{name, uint64(Infinity)}, nil
	}
	hundredths, err := parsePercent(text)
	return Property{name, hundredths * 100}, err
}

func takeTimeProperty(name, text string) (Property, error) {
	name = strings.TrimSuffix(name, "Sec") + "USec"
	if text == "" {
		return Property{name, uint64(Infinity)}, nil
	}
	span, err := parseTimeSpan(text, 1e6)
	return Property{name, span}, err
}

// takeMemoryProperty takes a size, or a share of the host's memory.
func takeMemoryProperty(name, text string) (Property, error) {
	switch {
	case text == "" && strings.HasSuffix(name, "Min"), text == "" && strings.HasSuffix(name, "Low"):
		return Property{name, uint64(0)}, nil // protection, not a limit
	case text == "" || text == "infinity":
		return Property{name, uint64(Infinity)}, nil
	case strings.HasSuffix(text, "%"):
		return takeShare(name+"Scale", text)
	}
	size, err := parseSize(text, binary)
	return Property{name, size}, err
}

func takeTasksProperty(name, text string) (Property, error) {
	switch {
	case text == "" || text == "infinity":
		return Property{name, uint64(Infinity)}, nil
	case strings.HasSuffix(text, "%"):
		return takeShare(name+"Scale", text)
	}
	count, err := parseUint(text, 64)
	return Property{name, count}, err
}

func takeShareProperty(name, text string) (Property, error) {
	if text == "" {
		return Property{name, uint32(0)}, nil
	}
	return takeShare(name, text)
}

// takeShare makes a percentage a share of 2³²-1.
func takeShare(name, text string) (Property, error) {
	hundredths, err := parsePercent(text)
	return Property{name, uint32((hundredths*math.MaxUint32 + 5000) / 10000)}, err
}

// takeSetProperty makes indexes a set of bits, the lowest first.
func takeSetProperty(name, text string) (Property, error) {
	set := []byte{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || strings.ContainsRune(blank, r) }) {
		first, last, err := parseCPURange(part)
		if err != nil {
			return Property{}, err
		}
		for len(set) <= int(last/8) {
			set = append(set, make([]byte, 8)...) // in words of 64 bits, as systemd
		}
		for i := first; i <= last; i++ {
			set[i/8] |= 1 << (i % 8)
		}
	}
	return Property{name, set}, nil
}

func takeDeviceProperty(name, text string) (Property, error) {
	devices := []DeviceNumber{}
	onBus := name
	if name == "IODeviceLatencyTargetSec" {
		onBus = "IODeviceLatencyTargetUSec"
	}
	if text == "" {
		return Property{onBus, devices}, nil
	}
	words, err := argumentWords.split(text)
	if err != nil || len(words) != 2 {
		return Property{}, errors.Join(err, errors.New("not a path and a value"))
	}
	var number uint64
	switch {
	case words[1] == "infinity":
		number = Infinity
	case name == "IODeviceWeight":
		number, err = parseUint(words[1], 64)
	case name == "IODeviceLatencyTargetSec":
		number, err = parseTimeSpan(words[1], 1e6)
	default:
		number, err = parseSize(words[1], decimal)
	}
	return Property{onBus, append(devices, DeviceNumber{words[0], number})}, err
}

func takeDeviceAllowProperty(name, text string) (Property, error) {
	words, err := argumentWords.split(text)
	if err != nil || len(words) == 0 {
		return Property{name, []DeviceAccess{}}, err
	}
	access := "rwm" // systemd.resource-control(5)
	if len(words) > 1 {
		access = words[1]
	}
	return Property{name, []DeviceAccess{{words[0], access}}}, nil
}

// takeAddressProperty takes prefixes, and the names that systemd.resource-control(5) has for some.
func takeAddressProperty(name, text string) (Property, error) {
	prefixes := []AddressPrefix{}
	for _, word := range strings.Fields(text) {
		list := []string{word}
		switch word {
		case "any":
			list = []string{"0.0.0.0/0", "::/0"}
		case "localhost":
			list = []string{"127.0.0.0/8", "::1/128"}
		case "link-local":
			list = []string{"169.254.0.0/16", "fe80::/64"}
		case "multicast":
			list = []string{"224.0.0.0/4", "ff00::/8"}
		}
		for _, text := range list {
			prefix, err := parsePrefix(text)
			if err != nil {
				return Property{}, fmt.Errorf("%s is not an address or a prefix", printable(word))
			}
			prefixes = append(prefixes, prefix)
		}
	}
	return Property{name, prefixes}, nil
}

func parsePrefix(text string) (AddressPrefix, error) {
	const inet, inet6 = 2, 10 // of socket(2)
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return AddressPrefix{}, errors.New("not an address")
		}
		text = netip.PrefixFrom(address, address.BitLen()).String()
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return AddressPrefix{}, err
	}
	family := int32(inet6)
	if prefix.Addr().Is4() {
		family = inet
	}
	return AddressPrefix{family, prefix.Masked().Addr().AsSlice(), uint32(prefix.Bits())}, nil
}

func takeTextProperty(name, text string) (Property, error) {
	return Property{name, text}, checkText(text)
}

func takeSignalProperty(name, text string) (Property, error) {
	signal, err := parseSignal(text)
	return Property{name, int32(signal)}, err
}

func takeListProperty(name, text string) (Property, error) {
	words, err := argumentWords.split(text)
	return Property{name, append([]string{}, words...)}, err
}

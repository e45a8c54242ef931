package settings

import (
	"errors"
	"fmt"
	"strings"
)

// resource is a key of systemd.resource-control(5) whose value systemd checks when it reads the unit.
type resource struct {
	name  string
	check func(text string) error
}

// resources are the keys of [Service] that are checked here too, so that nspawn-exec can refuse a container whose
// limit systemd would ignore. systemctl set-property changes each of them in a running container.
var resources = [...]resource{
	{"CPUAccounting", checkBool}, {"MemoryAccounting", checkBool}, {"TasksAccounting", checkBool},
	{"IOAccounting", checkBool}, {"IPAccounting", checkBool}, {"BlockIOAccounting", checkBool},
	{"CPUWeight", checkCPUWeight}, {"StartupCPUWeight", checkCPUWeight},
	{"CPUShares", func(t string) error { return checkWithin(t, 2, 262144) }},
	{"StartupCPUShares", func(t string) error { return checkWithin(t, 2, 262144) }},
	{"CPUQuota", checkCPUQuota}, {"CPUQuotaPeriodSec", checkTimeSpan},
	{"AllowedCPUs", checkIndexes}, {"StartupAllowedCPUs", checkIndexes},
	{"AllowedMemoryNodes", checkIndexes}, {"StartupAllowedMemoryNodes", checkIndexes},
	{"MemoryMax", checkMemoryLimit}, {"StartupMemoryMax", checkMemoryLimit},
	{"MemoryHigh", checkMemoryLimit}, {"StartupMemoryHigh", checkMemoryLimit}, {"MemoryLimit", checkMemoryLimit},
	{"MemoryMin", checkMemory}, {"DefaultMemoryMin", checkMemory},
	{"MemoryLow", checkMemory}, {"StartupMemoryLow", checkMemory},
	{"DefaultMemoryLow", checkMemory}, {"DefaultStartupMemoryLow", checkMemory},
	{"MemorySwapMax", checkMemory}, {"StartupMemorySwapMax", checkMemory},
	{"MemoryZSwapMax", checkMemory}, {"StartupMemoryZSwapMax", checkMemory}, {"MemoryZSwapWriteback", checkBool},
	{"TasksMax", checkTasksMax},
	{"IOWeight", checkIOWeight}, {"StartupIOWeight", checkIOWeight},
	{"IODeviceWeight", checkDeviceWeight},
	{"IOReadBandwidthMax", checkDeviceBandwidth}, {"IOWriteBandwidthMax", checkDeviceBandwidth},
	{"IOReadIOPSMax", checkDeviceBandwidth}, {"IOWriteIOPSMax", checkDeviceBandwidth},
	{"IODeviceLatencyTargetSec", checkDeviceLatency},
	{"BlockIOWeight", func(t string) error { return checkWithin(t, 10, 1000) }},
	{"StartupBlockIOWeight", func(t string) error { return checkWithin(t, 10, 1000) }},
	{"DevicePolicy", func(t string) error { return checkWord(t, "auto closed strict") }},
	{"DeviceAllow", checkDeviceAllow},
	{"ManagedOOMSwap", func(t string) error { return checkWord(t, "auto kill") }},
	{"ManagedOOMMemoryPressure", func(t string) error { return checkWord(t, "auto kill") }},
	{"ManagedOOMMemoryPressureLimit", checkShare},
	{"OOMPolicy", func(t string) error { return checkWord(t, "continue stop kill") }},
	{"OOMScoreAdjust", func(t string) error { _, err := parseInt(t, -1000, 1000); return err }},
}

// IsResource reports whether systemd applies a change of a key of [Service] to a running unit at daemon-reload: it writes
// all attributes of control groups anew then.
func IsResource(key string) bool {
	for i := range resources {
		if resources[i].name == key {
			return key != "OOMScoreAdjust" // of processes, not of their control group
		}
	}
	return key == "IPAddressAllow" || key == "IPAddressDeny"
}

// checkerOf returns the check of a resource key of [Service], or nil.
func checkerOf(key string) func(string) error {
	for i := range resources {
		if resources[i].name == key {
			return resources[i].check
		}
	}
	if name, ok := strings.CutPrefix(key, "Limit"); ok && lookup("Exec", key) != nil {
		return func(text string) error { _, err := parseLimit(name, text); return err }
	}
	return nil
}

func checkBool(text string) error { _, err := parseBool(text); return err }

func checkWord(text, choices string) error { return setOneOf(new(string), text, choices) }

func checkWithin(text string, low, high uint64) error {
	n, err := parseUint(text, 64)
	if err == nil && (n < low || n > high) {
		err = fmt.Errorf("not between %d and %d", low, high)
	}
	return err
}

func checkIOWeight(text string) error { return checkWithin(text, 1, 10000) }

func checkCPUWeight(text string) error {
	if text == "idle" {
		return nil
	}
	return checkIOWeight(text)
}

// checkShare takes a percentage up to 100.
func checkShare(text string) error {
	n, err := parsePercent(text)
	if err == nil && n > 100_00 {
		err = errors.New("more than 100%")
	}
	return err
}

func checkCPUQuota(text string) error {
	n, err := parsePercent(text)
	if err == nil && n == 0 {
		err = errors.New("quota must be more than 0%")
	}
	return err
}

func checkTimeSpan(text string) error { _, err := parseTimeSpan(text, 1e6); return err }

// checkMemory takes a size, a share of the memory of the host, or "infinity".
func checkMemory(text string) error {
	if text == "infinity" {
		return nil
	}
	if strings.HasSuffix(text, "%") {
		return checkShare(text)
	}
	_, err := parseSize(text, binary)
	return err
}

// checkMemoryLimit is checkMemory for limits that may not be zero.
func checkMemoryLimit(text string) error {
	if err := checkMemory(text); err != nil {
		return err
	}
	size, _ := parseSize(text, binary)
	share, _ := parsePercent(text)
	if text != "infinity" && size == 0 && share == 0 {
		return errors.New("limit must be more than zero")
	}
	return nil
}

func checkTasksMax(text string) error {
	switch {
	case text == "infinity":
		return nil
	case strings.HasSuffix(text, "%"):
		return checkMemoryLimit(text)
	}
	return checkWithin(text, 1, Infinity-1)
}

// checkIndexes takes a list of CPUs or memory nodes: "0-3,5 7".
func checkIndexes(text string) error {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || strings.ContainsRune(blank, r) }) {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := parseUint(first, 32)
		if err != nil {
			return fmt.Errorf("%s is not an index or a range", printable(part))
		}
		to, err := parseUint(last, 32)
		if err != nil || from > to || to >= 8192 {
			return fmt.Errorf("%s is not an index or a range", printable(part))
		}
	}
	return nil
}

// cutDevice splits "PATH VALUE". systemd expands specifiers in the path, so it may begin with one.
func cutDevice(text string) (setting string, err error) {
	words, err := argumentWords.split(text)
	if err != nil {
		return "", err
	}
	if len(words) != 2 {
		return "", errors.New("not a path and a value")
	}
	if strings.HasPrefix(words[0], "%") {
		return words[1], nil
	}
	return words[1], checkPath(words[0])
}

func checkDeviceWeight(text string) error {
	weight, err := cutDevice(text)
	if err != nil {
		return err
	}
	return checkIOWeight(weight)
}

func checkDeviceBandwidth(text string) error {
	bandwidth, err := cutDevice(text)
	if err != nil || bandwidth == "infinity" {
		return err
	}
	n, err := parseSize(bandwidth, decimal)
	if err == nil && n == 0 {
		err = errors.New("limit must be more than zero")
	}
	return err
}

func checkDeviceLatency(text string) error {
	latency, err := cutDevice(text)
	if err != nil {
		return err
	}
	return checkTimeSpan(latency)
}

// checkDeviceAllow takes a device node or class and its access: "/dev/fuse rw", "char-pts".
func checkDeviceAllow(text string) error {
	words, err := argumentWords.split(text)
	if err != nil {
		return err
	}
	if len(words) == 0 || len(words) > 2 {
		return errors.New("not a device and its access")
	}
	device := words[0]
	if !strings.HasPrefix(device, "/dev/") && !strings.HasPrefix(device, "/run/systemd/inaccessible/") &&
		!strings.HasPrefix(device, "char-") && !strings.HasPrefix(device, "block-") && !strings.HasPrefix(device, "%") {
		return fmt.Errorf("%s is not below /dev, char-CLASS or block-CLASS", printable(device))
	}
	if len(words) == 2 && leading(words[1], "rwm") != words[1] {
		return fmt.Errorf("%s is not an access of r, w and m", printable(words[1]))
	}
	return nil
}

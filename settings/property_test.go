package settings

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestScopeLikeOracle of cmd/nspawn-exec compares with what systemd-nspawn sends.
func TestProperties(t *testing.T) {
	const infinity = "18446744073709551615"
	for text, want := range map[string]string{
		"MemoryMax=64M":                       "MemoryMax uint64 67108864",
		"MemoryMax=infinity":                  "MemoryMax uint64 " + infinity,
		"MemoryMax=":                          "MemoryMax uint64 " + infinity,
		"MemoryMax=50%":                       "MemoryMaxScale uint32 2147483648",
		"MemoryMin=":                          "MemoryMin uint64 0",
		"MemoryLow=10%":                       "MemoryLowScale uint32 429496730",
		"TasksMax=10":                         "TasksMax uint64 10",
		"TasksMax=100%":                       "TasksMaxScale uint32 4294967295",
		"CPUQuota=150%":                       "CPUQuotaPerSecUSec uint64 1500000",
		"CPUQuota=12.34%":                     "CPUQuotaPerSecUSec uint64 123400",
		"CPUQuota=":                           "CPUQuotaPerSecUSec uint64 " + infinity,
		"CPUQuotaPeriodSec=10ms":              "CPUQuotaPeriodUSec uint64 10000",
		"CPUWeight=20":                        "CPUWeight uint64 20",
		"CPUWeight=idle":                      "CPUWeight uint64 0",
		"CPUWeight=":                          "CPUWeight uint64 " + infinity,
		"IOWeight=1":                          "IOWeight uint64 1",
		"AllowedCPUs=0-1,9":                   "AllowedCPUs []uint8 [3 2 0 0 0 0 0 0]",
		"AllowedCPUs=":                        "AllowedCPUs []uint8 []",
		"IOReadBandwidthMax=/dev/vda 5M":      "IOReadBandwidthMax []settings.DeviceNumber [{/dev/vda 5000000}]",
		"IOReadIOPSMax=/dev/vda infinity":     "IOReadIOPSMax []settings.DeviceNumber [{/dev/vda " + infinity + "}]",
		"IODeviceWeight=/dev/vda 7":           "IODeviceWeight []settings.DeviceNumber [{/dev/vda 7}]",
		"IODeviceLatencyTargetSec=/ 5ms":      "IODeviceLatencyTargetUSec []settings.DeviceNumber [{/ 5000}]",
		"IODeviceWeight=":                     "IODeviceWeight []settings.DeviceNumber []",
		"DeviceAllow=/dev/fuse":               "DeviceAllow []settings.DeviceAccess [{/dev/fuse rwm}]",
		"DeviceAllow=char-drm r":              "DeviceAllow []settings.DeviceAccess [{char-drm r}]",
		"DeviceAllow=":                        "DeviceAllow []settings.DeviceAccess []",
		"DevicePolicy=auto":                   "DevicePolicy string auto",
		"IPAddressDeny=any":                   "IPAddressDeny []settings.AddressPrefix [{2 [0 0 0 0] 0} {10 [0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0] 0}]",
		"IPAddressAllow=10.1.2.3/8 192.0.2.1": "IPAddressAllow []settings.AddressPrefix [{2 [10 0 0 0] 8} {2 [192 0 2 1] 32}]",
		"IPAddressAllow=":                     "IPAddressAllow []settings.AddressPrefix []",
		"ManagedOOMMemoryPressureLimit=60%":   "ManagedOOMMemoryPressureLimit uint32 2576980377",
		"ManagedOOMSwap=kill":                 "ManagedOOMSwap string kill",
		"KillSignal=SIGRTMIN+3":               "KillSignal int32 37",
		"SendSIGHUP=yes":                      "SendSIGHUP bool true",
		"TimeoutStopSec=1min 30s":             "TimeoutStopUSec uint64 90000000",
		"RuntimeMaxSec=infinity":              "RuntimeMaxUSec uint64 " + infinity,
		"After=a.service b.service":           "After []string [a.service b.service]",
		"Description=My container":            "Description string My container",
	} {
		c, err := ParseCommandLine([]string{"--property=" + text})
		if err != nil || len(c.Properties) != 1 {
			t.Errorf("%s: %v, %v", text, c.Properties, err)
			continue
		}
		p := c.Properties[0]
		if got := fmt.Sprintf("%s %T %v", p.Name, p.Value, p.Value); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if v := reflect.ValueOf(p.Value); v.Kind() == reflect.Slice && v.IsNil() {
			t.Errorf("%s: nil has no type on the bus", text)
		}
	}
	for text, want := range map[string]string{
		"MemoryMax":                          "not an assignment",
		"Banana=1":                           "Banana is not a property",
		"=1":                                 "is not a property",
		"ExecStart=/bin/true":                "ExecStart is not a property",
		"MemoryMax=banana":                   "MemoryMax=banana",
		"MemoryMax=0":                        "more than zero",
		"CPUQuota=1":                         "not a percentage",
		"CPUWeight=0":                        "not between 1 and 10000",
		"SendSIGHUP=maybe":                   "SendSIGHUP=maybe",
		"AllowedCPUs=3-1":                    "3-1",
		"IODeviceWeight=/dev/vda":            "not a path and a value",
		"DeviceAllow=fuse":                   "fuse",
		"IPAddressDeny=10.0.0.0/33":          "10.0.0.0/33 is not an address",
		"IPAddressDeny=fe80::1%eth0":         "is not an address",
		"KillSignal=BANANA":                  "not a signal",
		"KillSignal=":                        "not a signal",
		"ManagedOOMMemoryPressureLimit=101%": "more than 100%",
	} {
		if _, err := ParseCommandLine([]string{"--property=" + text}); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "--property=") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	c, err := ParseCommandLine([]string{"--property=MemoryMax=1M", "--property=MemoryMax=2M", "-S", "a"})
	if err != nil || len(c.Properties) != 2 || c.Properties[1].Value != uint64(2<<20) || c.Slice != "a.slice" {
		t.Errorf("%+v, %v", c.Properties, err)
	}
}

func FuzzProperty(f *testing.F) {
	for _, text := range []string{"MemoryMax=50%", "AllowedCPUs=0-8191", "IPAddressAllow=any ::1/64", "DeviceAllow=/dev/a rw", "CPUQuota=1.5%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c CommandLine
		if err := takeProperty(&c, value{text: text}); (err == nil) != (len(c.Properties) == 1) {
			t.Errorf("%q: %v, %v", text, c.Properties, err)
		}
	})
}

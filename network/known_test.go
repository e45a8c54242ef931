package network

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// around are lines that make what stands with them in the section matter.
var around = map[string]string{
	"Address":               "Address=10.0.0.1/24\n",
	"NextHop":               "Id=9\n",
	"Route":                 "Destination=10.9.0.0/16\n",
	"DHCPServerStaticLease": "MACAddress=02:00:00:00:00:01\nAddress=10.0.0.7\n",
	"IPv6Prefix":            "Prefix=2001:db8:1::/64\n",
	"IPv6RoutePrefix":       "Route=2001:db8:1::/64\n",
	"IPv6PREF64Prefix":      "Prefix=64:ff9b::/96\n",
}

// stateOf says what becomes of an example "[Section] Key=value | Other=line of the section": "supported", or what is wrong with it.
func stateOf(t *testing.T, example string) string {
	t.Helper()
	header, lines, _ := strings.Cut(example, " ")
	tested, others, _ := strings.Cut(lines, " | ")
	section := strings.Trim(header, "[]")
	without := "[Network]\nIPv6SendRA=" + map[bool]string{true: "yes", false: "no"}[strings.HasPrefix(section, "IPv6P") || strings.HasPrefix(section, "IPv6R")] +
		"\n" + header + "\n" + around[section] + strings.ReplaceAll(others, " | ", "\n") + "\n"
	read := func(text string) *File {
		files, problems := ReadFiles(fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte(text)}}, SearchPath())
		if len(files) != 1 || len(problems) != 0 {
			t.Fatalf("%s: %v", example, problems)
		}
		return files[0]
	}
	with := read(without + tested + "\n")
	if len(with.Problems) > 0 {
		return with.Problems[0].Text
	}
	before := read(without)
	before.Problems = nil
	if describe(Files{before}) == describe(Files{with}) {
		t.Errorf("%s is taken and ignored", example)
	}
	return "supported"
}

// testdata/keys.golden has an example for each key of systemd.network(5), and what becomes of it; networkd-lite(8) names what is not supported.
func TestKnownKeys(t *testing.T) {
	data, err := os.ReadFile("testdata/keys.golden")
	if err != nil {
		t.Fatal(err)
	}
	manual := manualPage(t)
	shown := map[string]bool{}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		example, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		key, _, _ := strings.Cut(example, "=")
		state := stateOf(t, example)
		shown[key] = true
		fmt.Fprintf(&b, "%s\t%s\n", example, state)
		if _, name, _ := strings.Cut(key, " "); state != "supported" && !slices.ContainsFunc(manual, func(word string) bool { return strings.HasPrefix(word, name+"=") }) {
			t.Errorf("networkd-lite(8) does not say that %s= is not supported", key)
		}
	}
	compare(t, "testdata/keys.golden", b.String())
	for section, names := range documentedKeys(t) {
		header, unsupported := "["+section+"]", whyNoSection(section) != ""
		if unsupported && !slices.Contains(manual, header) {
			t.Errorf("networkd-lite(8) does not say that %s is not supported", header)
		}
		for _, name := range names {
			if !unsupported && !shown[header+" "+name] {
				t.Errorf("%s %s= is not in keys.golden", header, name)
			}
		}
	}
}

// documentedKeys are those of systemd.network(5), of 262 and of 252, by section.
func documentedKeys(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/systemd.network.keys")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if header, names, found := strings.Cut(line, "] "); found {
			section := strings.TrimPrefix(header, "[")
			keys[section] = append(keys[section], strings.Fields(names)...)
		}
	}
	if len(keys) < 50 {
		t.Fatalf("%d sections", len(keys))
	}
	return keys
}

// manualPage returns the words of networkd-lite(8) in the part about keys.
func manualPage(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../man/networkd-lite.8.scd")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n# DIFFERENCES FROM SYSTEMD-NETWORKD\n")
	text, _, end := strings.Cut(text, "\n# ")
	if !found || !end {
		t.Fatal("no section on the differences")
	}
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n,;:.()*\\", r) })
}

// What systemd never had is unknown, and what it has is not; "no" asks for nothing.
func TestUnknownKeys(t *testing.T) {
	for example, want := range map[string]string{
		"[Route] Gatway=10.0.0.1": "[Route] Gatway=: unknown key; networkd-lite(8) lists all",
		"[Elsewhere] Key=x":       "[Elsewhere] Key=: unknown section",
		"[DHCPv4] UseDNS=no":      "[DHCPv4] UseDNS=: networkd-lite does not support this section: it is no client on links of containers",
		"[Network] IPv6PrivacyExtensions=kernel | IPv6PrivacyExtensions=yes": "supported",
	} {
		if got := stateOf(t, example); got != want {
			t.Errorf("%s: %q, want %q", example, got, want)
		}
	}
	file := &File{Config: defaults()}
	for _, key := range []string{"IPv4LL", "IPv4LLRoute", "DHCPPrefixDelegation", "PrimarySlave"} {
		if err := file.set("Network", key, "no"); err != nil {
			t.Errorf("%s=no: %v", key, err)
		}
	}
}

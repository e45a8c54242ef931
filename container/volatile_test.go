package container

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"nspawnkit/container/kernel"
	"nspawnkit/settings"
)

func TestVolatileModes(t *testing.T) {
	directory, link, file := fs.ModeDir|0o755, fs.ModeSymlink|0o777, fs.FileMode(0o644)
	for name, test := range map[string]struct {
		mode, directory string
		bin             *fs.FileMode
		uuid            string
		readOnly        bool // also asked for
		wantReadOnly    bool
		err             string
	}{
		"none":                  {"no", "", &directory, testGuestID, true, true, ""},
		"root, merged":          {"yes", "", &link, "", false, false, ""},
		"root, only usr":        {"yes", "", nil, "", true, false, ""},
		"root, split":           {"yes", "", &directory, "", false, false, "has not merged /bin"},
		"root, odd":             {"yes", "", &file, "", false, false, "neither missing nor a symbolic link"},
		"state":                 {"state", "", &directory, testGuestID, false, true, ""},
		"overlay":               {"overlay", "", &directory, testGuestID, true, false, ""},
		"root of the host":      {"yes", "/", &link, "", false, false, ""},
		"state of the host":     {"state", "/", &link, testGuestID, false, true, ""},
		"overlay of the host":   {"overlay", "/", &link, "", false, false, "host's root directory"},
		"host, without a mode":  {"no", "/", &link, "", true, false, "host's root directory"},
		"host, by another name": {"no", "/./", &link, "", true, false, "host's root directory"},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := decide(t, func(s *settings.Settings, _ *Options, h *Host) {
				s.Files.Volatile, s.Files.ReadOnly, h.Root.Bin = test.mode, test.readOnly, test.bin
				set(s, "Files.Volatile")
				if test.directory != "" {
					s.Directory = test.directory
				}
			})
			if test.err != "" {
				wantError(t, err, test.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if plan.UUID != test.uuid || plan.Inside.ReadOnly != test.wantReadOnly {
				t.Errorf("machine ID %q, read-only %v", plan.UUID, plan.Inside.ReadOnly)
			}
		})
	}
}

func TestSkeleton(t *testing.T) {
	for name, test := range map[string]struct {
		architecture string
		image, links []string
	}{
		"nothing":      {"amd64", nil, nil},
		"Debian":       {"amd64", []string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}, []string{"bin usr/bin", "sbin usr/sbin", "lib usr/lib", "lib64 usr/lib/x86_64-linux-gnu"}},
		"Fedora":       {"amd64", []string{"usr/bin", "usr/lib64/ld-linux-x86-64.so.2"}, []string{"bin usr/bin", "lib64 usr/lib64"}},
		"Arch":         {"amd64", []string{"usr/lib", "usr/lib/ld-linux-x86-64.so.2"}, []string{"lib usr/lib", "lib64 usr/lib"}},
		"other loader": {"arm64", []string{"usr/lib/ld-linux-aarch64.so.1"}, []string{"lib64 usr/lib"}},
		"no lib64":     {"386", []string{"usr/lib", "usr/lib64"}, []string{"lib usr/lib"}},
	} {
		t.Run(name, func(t *testing.T) {
			nodes := skeleton(func(path string) bool { return slices.Contains(test.image, path) }, test.architecture)
			var links []string
			for _, node := range nodes {
				if node.Mode == kernel.Link {
					links = append(links, fmt.Sprint(node.Path, " ", node.Link))
				}
			}
			if strings.Join(links, ",") != strings.Join(test.links, ",") {
				t.Errorf("links %q, want %q", links, test.links)
			}
		})
	}
}

package units

import (
	"path"
	"strings"
	"testing"

	"nspawnkit/settings"
)

// FuzzGenerate checks that no string of a file or a name becomes a line, a section or a path that we did not mean.
func FuzzGenerate(f *testing.F) {
	f.Add("web", "/etc/systemd/nspawn/web.nspawn", "MemoryMax", "256M", "/srv/www")
	f.Add("web\n[Service]", "/etc/\nExecStart=/bin/sh", "A\nExecStart", "x\nExecStart=/bin/sh", "/srv\nExecStart=/bin/sh")
	f.Add("../web", `/x\`, "[Install]", `x\`, `/srv/\`)
	f.Add("web", "/x", "WantedBy", "../../../etc/passwd.target", "/dev/x\rExecStart=")
	f.Add("web", "/x", "Alias", "a/../b@web.service", "/dev/\u0085")
	f.Add("web", "/x", "After", "%h a.nspawn;b.nspawn", "+/x")
	f.Fuzz(func(t *testing.T, name, source, key, value, bind string) {
		line := []settings.Assignment{{Key: key, Value: value}}
		c := Container{Name: name, Source: source, Settings: &settings.Settings{
			Directory: bind, Unit: line, Service: line, Install: line,
			Files:   settings.Files{Binds: []settings.Bind{{Source: bind}}},
			Network: settings.Network{Bridge: bind},
		}}
		out, _ := Generate(c, Host{Template: template})
		for _, file := range out.Files {
			checkPath(t, file.Path)
			checkText(t, file.Text, key)
		}
		for _, link := range out.Links {
			checkPath(t, link.Path)
			checkPath(t, strings.TrimPrefix(link.Target, "/"))
		}
	})
}

// checkPath allows one folder and a name, without anything a path or a terminal could stumble over.
func checkPath(t *testing.T, name string) {
	t.Helper()
	if path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "../") ||
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		t.Errorf("path %q", name)
	}
}

// checkText reads the drop-in as systemd does and allows the keys that Generate writes and the one of the input.
func checkText(t *testing.T, text, key string) {
	t.Helper()
	seen := map[string]int{}
	section := ""
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 }) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "[") {
			section = line
			seen[line]++
			continue
		}
		have, _, _ := strings.Cut(line, "=")
		seen[section+have]++
		switch have {
		case "SourcePath", "RequiresMountsFor", "Wants", "After", "DeviceAllow":
		case key:
			if seen[section+have] > 1 {
				t.Errorf("the line of the input is there twice:\n%s", text)
			}
		default:
			t.Errorf("the line %q is not one of ours:\n%s", line, text)
		}
		if (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1 {
			t.Errorf("the line %q goes on in the next", line)
		}
	}
	if seen["[Unit]"] > 1 || seen["[Service]"] > 1 || seen["[Unit]SourcePath"] > 1 {
		t.Errorf("sections %v:\n%s", seen, text)
	}
}

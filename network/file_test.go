package network

import (
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The files that are installed are honoured to the last key.
func TestShippedFiles(t *testing.T) {
	files, problems := ReadFiles(os.DirFS("../units/static"), []string{"network"})
	for _, f := range files {
		problems = append(problems, f.Problems...)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	for link, want := range map[string]string{
		"ve-web veth": "80-container-ve.network", "vz-app bridge": "80-container-vz.network", "vb-web veth": "80-container-vb.network",
		"ve-web bridge": "", "vz-app veth": "", "eth0 ": "", "xve-web veth": "",
	} {
		name, kind, _ := strings.Cut(link, " ")
		got := ""
		if f, _ := files.Find(Link{Name: name, Kind: kind}); f != nil {
			got = filepath.Base(f.Path)
		}
		if got != want {
			t.Errorf("%s: file %q, want %q", link, got, want)
		}
	}
}

// Each testdata/files/NAME.network is read as if it were an admin's; NAME.golden says what came of it.
func TestReadFile(t *testing.T) {
	inputs, err := filepath.Glob("testdata/files/*.network")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			root := fstest.MapFS{"etc/systemd/network/10.network": {Data: data}}
			files, problems := ReadFiles(root, SearchPath())
			compare(t, strings.TrimSuffix(input, ".network")+".golden", describe(files)+fmt.Sprintln(problems))
		})
	}
}

// describe writes out what was read, where it is not the default.
func describe(files Files) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintln(&b, f.Path)
		describeFields(&b, "Match", reflect.ValueOf(f.Match), reflect.ValueOf(Match{}))
		describeFields(&b, "Config", reflect.ValueOf(f.Config), reflect.ValueOf(defaults()))
		for _, p := range f.Problems {
			fmt.Fprintf(&b, "  %v\n", p)
		}
	}
	return b.String()
}

// describeFields writes a line for each field that differs from the default.
func describeFields(b *strings.Builder, name string, v, standard reflect.Value) {
	text := func(v reflect.Value) string { return fmt.Sprintf("%+v", v) }
	switch {
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == standard.Type().PkgPath() && strings.HasSuffix(v.Type().PkgPath(), "/network"):
		for i := range v.NumField() {
			describeFields(b, name+"."+v.Type().Field(i).Name, v.Field(i), standard.Field(i))
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Pointer:
		for i := range v.Len() {
			fmt.Fprintf(b, "  %s[%d] %+v\n", name, i, v.Index(i).Elem())
		}
	case v.Kind() == reflect.Pointer: // the first condition that cannot be tested: among the problems
	case text(v) != text(standard):
		fmt.Fprintf(b, "  %s %s\n", name, text(v))
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", golden, got, want)
	}
}

func TestSearchPath(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const body = "[Match]\nName=%s\n"
	root := fstest.MapFS{
		"etc/systemd/network/20-a.network":                     file(fmt.Sprintf(body, "etc")),
		"usr/lib/nspawnkit/network/20-a.network":               file(fmt.Sprintf(body, "ours")),
		"usr/lib/nspawnkit/network/80-b.network":               file(fmt.Sprintf(body, "ours")),
		"usr/lib/systemd/network/80-b.network":                 file(fmt.Sprintf(body, "theirs")),
		"run/systemd/network/80-c.network":                     file(""), // masks
		"usr/lib/systemd/network/80-c.network":                 file(fmt.Sprintf(body, "masked")),
		"usr/lib/systemd/network/10-d.network":                 file(fmt.Sprintf(body, "first")),
		"usr/lib/systemd/network/10-d.network.d/b.conf":        file("[Network]\nAddress=10.0.0.2/24\n"),
		"usr/lib/systemd/network/10-d.network.d/a.conf":        file("[Network]\nAddress=10.0.0.1/24\n"),
		"etc/systemd/network/10-d.network.d/b.conf":            file("[Network]\nAddress=10.0.0.3/24\n"),
		"etc/systemd/network/10-d.network.d/ignored":           file("[Network]\nAddress=10.0.0.4/24\n"),
		"usr/lib/systemd/network/10-d.network.d/c.conf":        file("[Network]\nAddress=10.0.0.5/24\n"),
		"run/systemd/network/10-d.network.d/c.conf":            file(""), // masks
		"usr/lib/systemd/network/10-d.network.d/d.conf":        file("[Network]\nAddress=10.0.0.6/24\n"),
		"usr/lib/nspawnkit/network/10-d.network.d/d.conf":      {Mode: fs.ModeDevice | fs.ModeCharDevice}, // a link to /dev/null masks
		"usr/local/lib/systemd/network/10-d.network.d/e.conf":  file("[Network]\nAddress=10.0.0.7/24\n"),
		"etc/systemd/network/eth0.link":                        file("[Match]\n"),
		"etc/systemd/network/90-bad.network":                   file("[Match] x\n"),
		"etc/systemd/network/91-pipe.network":                  {Mode: fs.ModeNamedPipe},
		"usr/lib/systemd/network/80-directory.network/nothing": file(""),
	}
	files, problems := ReadFiles(root, SearchPath())
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprintf("%s%v%v", f.Path, f.Match.Name, f.Config.Addresses))
	}
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := `/usr/lib/systemd/network/10-d.network[first][10.0.0.1/24 10.0.0.3/24 10.0.0.7/24]
/etc/systemd/network/20-a.network[etc][]
/usr/lib/nspawnkit/network/80-b.network[ours][]
/etc/systemd/network/90-bad.network: warning: file not read: line 1: text after the section name
/etc/systemd/network/91-pipe.network: warning: not a regular file`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}

func TestMatch(t *testing.T) {
	long := Link{Name: "ve-aVeryLonABCD", AltNames: []string{"ve-aVeryLongName"}, Kind: "veth", HardwareAddr: HardwareAddr{2, 0, 0, 0, 0, 2}}
	bridge := Link{Name: "vz-app", Kind: "bridge"}
	for _, test := range []struct {
		section string
		link    Link
		want    bool
	}{
		{"Name=ve-*", long, true},
		{"Name=ve-aVeryLongName", long, true},
		{"Name=vz-* vb-*", long, false},
		{"Name=!ve-*", bridge, true},
		{"Name=!vz-app ve-web", bridge, false},
		{"Name=vz-*\nName=!vz-app", bridge, false},
		{"Name=ve-*\nName=\nName=vz-*", bridge, true},
		{"Name=vz-[!a]*", bridge, false},
		{"Name=vz-[a-c]pp", bridge, true},
		{"Name=vz-?pp", bridge, true},
		{"Name=vz-[", bridge, false}, // a condition that cannot be tested
		{"Kind=bridge", bridge, true},
		{"Kind=!bridge", bridge, false},
		{"Driver=veth", long, true},
		{"Type=ether", long, true},
		{"Type=bridge", bridge, true},
		{"Type=ether", bridge, false},
		{"", bridge, true},
		{"Name=vz-*\nProperty=ID_X=1", bridge, false},
		{"OriginalName=ve-*", long, true},
		{"OriginalName=ve-aVeryLongName", long, false},
		{"MACAddress=02:00:00:00:00:01 02-00-00-00-00-02", long, true},
		{"MACAddress=0200.0000.0002", long, true},
		{"MACAddress=02:00:00:00:00:01", long, false},
		{"MACAddress=02:00:00:00:00:01\nMACAddress=", long, true},
		{"MACAddress=192.0.2.1", bridge, false},
		{"MACAddress=x", long, false},
		{"PermanentMACAddress=02:00:00:00:00:02", long, false},
		{"Path=*", long, false},
		{"Path=!pci-*", long, true},
		{"SSID=home\nSSID=", long, true},
		{"WLANInterfaceType=!station", long, true},
		{"BSSID=02:00:00:00:00:02", long, false},
		{"Credential=x", long, false},
	} {
		root := fstest.MapFS{"etc/systemd/network/a.network": {Data: []byte("[Match]\n" + test.section)}}
		files, _ := ReadFiles(root, SearchPath())
		file, passed := files.Find(test.link)
		if (file != nil) != test.want {
			t.Errorf("%q matches %s: %v, want %v (%v)", test.section, test.link.Name, file != nil, test.want, passed)
		}
	}
}

func FuzzReadFile(f *testing.F) {
	inputs, _ := filepath.Glob("testdata/files/*.network")
	for _, input := range inputs {
		data, err := os.ReadFile(input)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root := fstest.MapFS{"etc/systemd/network/a.network": {Data: data}}
		files, problems := ReadFiles(root, SearchPath())
		if len(files) == 0 && len(problems) == 0 && len(data) > 0 {
			t.Error("a file was lost")
		}
		l := Link{Index: 2, Name: "ve-web", Kind: "veth"}
		for _, file := range files {
			for _, p := range file.of(l).Problems {
				if strings.Contains(p.Text, "\n") {
					t.Errorf("problem of several lines: %q", p.Text)
				}
			}
			file.Match.matches(l)
			for _, a := range Desire(l, &file.Config, pools()[0], netip.MustParsePrefix("fd00::/64")).Addresses {
				if !a.IsValid() || a.Addr().IsUnspecified() {
					t.Errorf("address %v", a)
				}
			}
		}
	})
}

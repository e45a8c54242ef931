package image

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPick(t *testing.T) {
	for name, test := range map[string]struct {
		names, want string
	}{
		// The example of systemd.v(7), without the suffix.
		"manual":                    {"web_7.5.13 web_7.5.14_x86-64 web_7.6.0_arm64 web_7.7.0_x86-64+0-5", "web_7.5.14_x86-64"},
		"newest":                    {"web_1.9 web_1.10 web_1.2", "web_1.10"},
		"no version":                {"web web_ webx_1 db_2", ""},
		"nothing but tried":         {"web_1+0 web_2+0-3", "web_2+0-3"},
		"tried before untried":      {"web_2+0 web_1+1-7", "web_1+1-7"},
		"without counter":           {"web_1+3 web_1", "web_1"},
		"more tries left":           {"web_1+2 web_1+3 web_1+1", "web_1+3"},
		"fewer done":                {"web_1+2-1 web_1+2 web_1+2-4", "web_1+2"},
		"own architecture":          {"web_1_x86 web_1_x86-64 web_1", "web_1_x86-64"},
		"secondary architecture":    {"web_1_x86 web_1", "web_1_x86"},
		"newer of the secondary":    {"web_2_x86 web_1_x86-64", "web_2_x86"},
		"foreign architectures":     {"web_2_arm64 web_3_riscv64 web_4_mips64-le+3", ""},
		"not an architecture":       {"web_2_beta web_1", "web_2_beta"},
		"not counters":              {"web_1+x web_1+1-x web_1+-1 web_1+99999999999", "web_1+99999999999"},
		"bad characters":            {"web_1:2 web_1\x01 web_ü web_1", "web_1"},
		"by name where all is same": {"web_01 web_1", "web_1"},
		"pre-release":               {"web_1 web_2~rc1 web_2~beta", "web_2~rc1"},
	} {
		got, found := pick(strings.Fields(test.names), "web", "", architectures("amd64"))
		if got != test.want || found != (test.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, found, test.want)
		}
	}
	for goarch, own := range map[string]string{"amd64": "x86-64", "arm64": "arm64", "riscv64": "riscv64", "arm": "arm", "loong64": "loongarch64", "ppc64le": "ppc64-le", "s390x": "s390x", "386": "x86"} {
		if got, _ := pick([]string{"web_1_" + own, "web_9_sparc"}, "web", "", architectures(goarch)); got != "web_1_"+own {
			t.Errorf("%s: %q", goarch, got)
		}
	}
}

func TestNewest(t *testing.T) {
	host := fstest.MapFS{
		"x/web.v/web_1/usr":        {Mode: fs.ModeDir},
		"x/web.v/web_2/usr":        {Mode: fs.ModeDir},
		"x/web.v/web_3":            {}, // a file is no directory
		"x/web.v/web_4.raw":        {},
		"x/web.v/my_app_1.os/usr":  {Mode: fs.ModeDir},
		"x/web.v/my_app_2.os/usr":  {Mode: fs.ModeDir},
		"x/web.v/my_app_3.oss/usr": {Mode: fs.ModeDir},
		"x/disk.raw.v/disk_1.raw":  {},
		"x/disk.raw.v/disk_2.raw":  {},
		"x/plain/web_9/usr":        {Mode: fs.ModeDir},
		"x/empty.v":                {Mode: fs.ModeDir},
	}
	disks := Kind{".raw", fs.FileMode.IsRegular}
	for _, test := range []struct {
		name string
		kind Kind
		want string
	}{
		{"/x/web.v", Directories(), "/x/web.v/web_2"}, {"/x/web.v/", Directories(), "/x/web.v/web_2"},
		{"/x/web.v/web___", Directories(), "/x/web.v/web_2"}, {"/x/web.v/my_app___.os", Directories(), "/x/web.v/my_app_2.os"},
		{"/x/web.v/web_1", Directories(), "/x/web.v/web_1"}, {"/x/plain/web___", Directories(), "/x/plain/web___"}, {"/", Directories(), "/"},
		{"/x/disk.raw.v", disks, "/x/disk.raw.v/disk_2.raw"}, {"/x/web.v/web___.raw", disks, "/x/web.v/web_4.raw"},
		{"/x/web.v/none___", Directories(), ""}, {"/x/empty.v", Directories(), ""}, {"/x/none.v", Directories(), ""}, {"/x/disk.raw.v", Directories(), ""},
	} {
		got, err := Newest(host, test.name, test.kind, "amd64")
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("Newest(%s, %q) = %q, %v; want %q", test.name, test.kind.Suffix, got, err, test.want)
		}
	}
	if _, err := Newest(host, "/x/empty.v", Directories(), "amd64"); err == nil || err.Error() != "versioned directory /x/empty.v has no empty_VERSION for this machine" {
		t.Error(err)
	}
}

// FuzzPick checks that what is picked is one of the names, of the right form, and does not depend on their order.
func FuzzPick(f *testing.F) {
	f.Add("web_1 web_2+0-1 web_3_arm64", "web", "")
	f.Add("disk_1.raw disk_1_x86.raw disk_2+3.raw", "disk", ".raw")
	f.Add("_ + ++1 1_", "", "")
	f.Fuzz(func(t *testing.T, list, base, suffix string) {
		names := strings.Fields(list)
		newest, found := pick(names, base, suffix, architectures("amd64"))
		if !found {
			return
		}
		if !strings.HasPrefix(newest, base) || !strings.HasSuffix(newest, suffix) || !strings.Contains(" "+strings.Join(names, " ")+" ", " "+newest+" ") {
			t.Errorf("%q of %q", newest, names)
		}
		if again, _ := pick([]string{newest}, base, suffix, architectures("amd64")); again != newest {
			t.Errorf("%q alone gives %q", newest, again)
		}
	})
}

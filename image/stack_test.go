package image

import (
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// stackOf makes a host with a mount stack of directories (names with a slash at the end) and files.
func stackOf(names string) fstest.MapFS {
	host := fstest.MapFS{"x/web.mstack": {Mode: fs.ModeDir}}
	for _, name := range strings.Fields(names) {
		directory, isDirectory := strings.CutSuffix(name, "/")
		entry := &fstest.MapFile{}
		if isDirectory {
			entry.Mode = fs.ModeDir
		}
		host["x/web.mstack/"+directory] = entry
	}
	return host
}

func TestReadStack(t *testing.T) {
	const at = "/x/web.mstack/"
	for name, test := range map[string]struct {
		names string
		want  Stack
	}{
		"layers":            {"layer@10/ layer@9/ layer@base/ layer@9~a/", Stack{Layers: []string{at + "layer@base", at + "layer@9~a", at + "layer@9", at + "layer@10"}}},
		"writable":          {"layer@0/ rw/ .hidden .x/", Stack{Layers: []string{at + "layer@0"}, Writable: at + "rw"}},
		"root":              {"layer@0/ root/", Stack{Layers: []string{at + "layer@0"}, Root: at + "root"}},
		"only rw":           {"rw/", Stack{Writable: at + "rw"}},
		"nothing":           {"", Stack{}},
		"binds":             {`layer@0/ bind@var-lib/ robind@var/ bind@a\x2db/`, Stack{Layers: []string{at + "layer@0"}, Binds: []StackBind{{at + `bind@a\x2db`, "/a-b", false}, {at + "robind@var", "/var", true}, {at + "bind@var-lib", "/var/lib", false}}}},
		"root bind":         {"layer@0/ rw/ root/ bind@-/", Stack{Binds: []StackBind{{at + "bind@-", "/", false}}}},
		"usr bind":          {"layer@0/ rw/ root/ robind@usr/", Stack{Root: at + "root", Binds: []StackBind{{at + "robind@usr", "/usr", true}}}},
		"usr bind, no root": {"layer@0/ robind@usr/", Stack{Layers: []string{at + "layer@0"}, Binds: []StackBind{{at + "robind@usr", "/usr", true}}}},
		"images": {`layer@1.raw layer@1.roothash layer@1.verity layer@0/ bind@srv.raw robind@opt.raw`, Stack{Layers: []string{at + "layer@0", at + "layer@1.raw"},
			Binds: []StackBind{{at + "robind@opt.raw", "/opt", true}, {at + "bind@srv.raw", "/srv", false}}, Disks: []string{at + "layer@1.raw", at + "robind@opt.raw", at + "bind@srv.raw"}}},
		"versions of images": {"layer@0.raw.v/layer@0_1.raw layer@0.raw.v/layer@0_2.raw layer@0.raw.v/layer@0_3/", Stack{Layers: []string{at + "layer@0.raw.v/layer@0_2.raw"}, Disks: []string{at + "layer@0.raw.v/layer@0_2.raw"}}},
		"hidden images":      {"layer@0.raw bind@-.raw", Stack{Binds: []StackBind{{at + "bind@-.raw", "/", false}}, Disks: []string{at + "bind@-.raw"}}},
		"versions":           {"layer@0.v/layer@0_1/ layer@0.v/layer@0_2/ rw.v/rw_7/", Stack{Layers: []string{at + "layer@0.v/layer@0_2"}, Writable: at + "rw.v/rw_7"}},
	} {
		got, err := ReadStack(stackOf(test.names), "/x/web.mstack", "amd64")
		if err != nil || !reflect.DeepEqual(*got, test.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
}

func TestReadStackRefused(t *testing.T) {
	for names, want := range map[string]string{
		"layer@0.raw/":                  "web.mstack/layer@0.raw: not a disk image: neither a regular file",
		"layer@0.raw layer@0/":          "layer@0.raw: there are two of it",
		"rw.raw":                        "rw.raw: not one of layer@ID",
		"bind@var.raw.v/":               "versioned directory /x/web.mstack/bind@var.raw.v has no bind@var_VERSION.raw",
		"layer@0/ layer@0.roothash":     "layer@0.roothash: neither a directory",
		"layer@0":                       "layer@0: neither a directory",
		"layer@/":                       "not one of layer@ID",
		"bind:var/":                     "not one of layer@ID",
		"rw@1/":                         "not one of layer@ID",
		"root@/":                        "not one of layer@ID",
		"README":                        "README: neither a directory",
		"lost+found/":                   "not one of layer@ID",
		"layer@0/ layer@0.v/layer@0_1/": "layer@0.v: there are two of it",
		"bind@var/ robind@var/":         "robind@var: there are two of it",
		"rw/ rw.v/rw_1/":                "rw.v: there are two of it",
		"layer@0.v/":                    "versioned directory /x/web.mstack/layer@0.v has no layer@0_VERSION",
		"bind@var-..-etc/":              "not an escaped path",
		`bind@\x2/`:                     "not an escaped path",
	} {
		if _, err := ReadStack(stackOf(names), "/x/web.mstack", "amd64"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", names, err, want)
		}
	}
	if _, err := ReadStack(stackOf(""), "/x/none.mstack", "amd64"); err == nil {
		t.Error("a missing stack was read")
	}
}

func TestRootWritable(t *testing.T) {
	for names, want := range map[string]bool{"layer@0/": false, "layer@0/ rw/": true, "layer@0/ root/": true, "robind@usr/": true, "rw/": true, "robind@-/": false, "bind@-/": true, "": true} {
		stack, err := ReadStack(stackOf(names), "/x/web.mstack", "amd64")
		if err != nil || stack.RootWritable() != want {
			t.Errorf("%s: %v, %v", names, stack.RootWritable(), err)
		}
	}
}

// FuzzUnescapePath checks that every path that comes out is clean, absolute and cannot be written in two ways but by escapes.
func FuzzUnescapePath(f *testing.F) {
	for _, seed := range []string{"-", "var", "var-lib", `a\x2db`, `\x2e\x2e`, "a--b", "..", `\x00`, `\x2fvar`, ".-x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		name, err := UnescapePath(escaped)
		if err != nil {
			return
		}
		if !fs.ValidPath(strings.TrimPrefix(name, "/")) && name != "/" && strings.ToValidUTF8(name, "") == name || strings.ContainsRune(name, 0) || name[0] != '/' {
			t.Errorf("%q gives %q", escaped, name)
		}
		if back := strings.NewReplacer("\\", `\x5c`, "-", `\x2d`, "/", "-").Replace(name[1:]); name != "/" {
			if again, err := UnescapePath(back); again != name || err != nil {
				t.Errorf("%q gives %q, and that %q, %v", escaped, name, again, err)
			}
		}
	})
}

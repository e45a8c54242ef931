package container

import (
	"os"
	"path/filepath"
	"testing"

	"nspawnkit/image/dissect"
	"nspawnkit/settings"
)

// What is marked read-only is mounted so, unless the container runs from a copy.
func TestReadOnlyMarks(t *testing.T) {
	for _, test := range []struct {
		name                    string
		ephemeral, image, fresh bool
		want                    bool
	}{
		{"directory", false, false, false, true}, {"copy", true, false, false, false}, {"from template", false, false, true, false},
		{"image", false, true, false, true}, {"copy of a read-only file system", true, true, false, true},
	} {
		plan := mustDecide(t, func(s *settings.Settings, o *Options, h *Host) {
			h.Root.ReadOnly, s.Exec.Ephemeral, o.Populate = true, test.ephemeral, test.fresh
			if test.image {
				o.Image = "/web.raw"
			}
		})
		if plan.Settings.Files.ReadOnly != test.want {
			t.Errorf("%s: read-only %v", test.name, !test.want)
		}
	}
}

// An image is named by its own path, not by where it is mounted.
func TestErrorNamesImage(t *testing.T) {
	_, err := decide(t, func(s *settings.Settings, o *Options, h *Host) { o.Image, h.Root.HasUsr = "/srv/web.raw", false })
	wantError(t, err, "/srv/web.raw", "/usr/")
}

// TestReadVerity checks what counts of the command line, and of the files beside an image.
func TestReadVerity(t *testing.T) {
	const one, two = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
	for name, test := range map[string]struct {
		line       settings.DiskImage
		files      map[string]string // suffix and content
		designator string
		hash       string // its first byte, in hexadecimal digits
		signature  string
		external   bool
	}{
		"nothing":          {},
		"option":           {line: settings.DiskImage{RootHash: one, Signature: "base64:c2ln", VerityData: "/x"}, designator: dissect.Root, hash: "00", signature: "sig", external: true},
		"option wins":      {line: settings.DiskImage{RootHash: one}, files: map[string]string{"roothash": two, "roothash.p7s": "p"}, designator: dissect.Root, hash: "00", signature: "p"},
		"files":            {files: map[string]string{"roothash": two + "\n", "roothash.p7s": "p", "verity": "", "usrhash": one}, designator: dissect.Root, hash: "ff", signature: "p", external: true},
		"files for usr":    {files: map[string]string{"usrhash": one, "usrhash.p7s": "u", "roothash.p7s": "p"}, designator: dissect.Usr, hash: "00", signature: "u"},
		"data alone":       {files: map[string]string{"verity": ""}},
		"signature alone":  {files: map[string]string{"roothash.p7s": "p"}},
		"option for files": {line: settings.DiskImage{Signature: "base64:c2ln"}, files: map[string]string{"roothash": one, "roothash.p7s": "p"}, designator: dissect.Root, hash: "00", signature: "sig"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "web.raw")
			for suffix, content := range test.files {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), "web."+suffix), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := (&Image{options: ImageOptions{Path: path, Line: test.line}}).readVerity()
			if err != nil {
				t.Fatal(err)
			}
			hash := ""
			if v.RootHash != nil {
				hash = map[byte]string{0: "00", 0xff: "ff"}[v.RootHash[0]]
			}
			if v.Designator != test.designator || hash != test.hash || string(v.Signature) != test.signature || v.External != test.external {
				t.Errorf("%+v", v)
			}
		})
	}
}

package generator

import (
	"fmt"
	"testing"
)

// BenchmarkMake and BenchmarkRun are a daemon-reload with 1000 containers, without and with what it writes. What counts in
// the end is measured on the program, beside podman's: make bench-generator.
func BenchmarkMake(b *testing.B) {
	host := manyHost(b)
	for b.Loop() {
		Make(host)
	}
}

func BenchmarkRun(b *testing.B) {
	host := manyHost(b)
	for b.Loop() {
		dir := b.TempDir()
		if _, _, err := Run(host, dir, dir); err != nil {
			b.Fatal(err)
		}
	}
}

func manyHost(b *testing.B) Host {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("%sc%d.nspawn", nspawn, i)] = web + "[Network]\nZone=app\n[Files]\nBind=/srv:/data\n[Unit]\nDescription=Container\n"
	}
	_, root := newHost(b, files)
	return Host{Root: Directory(root), Kit: kit}
}

package generator

import (
	"fmt"
	"testing"
)

// BenchmarkMake and BenchmarkWrite are the two halves of a daemon-reload with 1000 containers.
func BenchmarkMake(b *testing.B) {
	host := manyHost(b)
	for b.Loop() {
		Make(host)
	}
}

func BenchmarkWrite(b *testing.B) {
	plan, _ := Make(manyHost(b))
	for b.Loop() {
		dir := b.TempDir()
		if _, err := plan.Write(dir, dir); err != nil {
			b.Fatal(err)
		}
	}
}

func manyHost(b *testing.B) Host {
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("%sc%d.nspawn", nspawn, i)] = web
	}
	host, _ := newHost(b, files)
	return host
}
